package gateway

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"fhirgate/internal/strict"
	"fhirgate/routes"
)

// readFiles reads what is checked beside no tyk.conf.
func readFiles(fsys fs.FS, folders Folders) (*Files, error) {
	return readFolders(fsys, folders).files(nil)
}

const (
	goodRoute = `version: 1
id: harbor
name: Harbor
vendor: hapi
environment: sandbox
upstream: {base_url: "https://ehr.example/fhir"}
interactions: {Patient: [read], Encounter: [read]}
vars: {practice: "9"}
`
	goodVendor = `version: 1
vendor: hapi
request:
  - name: practice
    when: {type: Encounter}
    do: [{param.add: {name: practice, value: {var: practice}}}]
`
	goodPlan = `{
  "id": "trial", "name": "Trial", "active": true, "rate": 10, "per": 1,
  "access_rights": {"fhir": {"api_id": "fhir", "api_name": "fhir", "versions": ["Default"]}},
  "meta_data": {"fhirgate": {
    "hospitals": ["harbor"],
    "environments": ["sandbox"],
    "scopes": ["system/*.rs"]}}
}
`
)

// installation returns good files, of which changes replaces some; "" removes one.
func installation(changes map[string]string) fs.FS {
	files := fstest.MapFS{}
	for name, text := range map[string]string{"routes/harbor.yaml": goodRoute, "transforms/hapi.yaml": goodVendor, "policies/trial.json": goodPlan} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	for name, text := range changes {
		if text == "" {
			delete(files, name)
			continue
		}
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

var folders = Folders{Routes: "routes", Transforms: "transforms", Policies: "policies"}

// TestMistakesBetweenFiles holds what only shows beside other files, each with
// its place.
func TestMistakesBetweenFiles(t *testing.T) {
	replace := func(text, old, new string) string { return replaceOnce(t, text, old, new) }
	for name, tc := range map[string]struct {
		changes map[string]string
		want    []string
	}{
		"none":             {nil, nil},
		"vendor misspelt":  {map[string]string{"routes/harbor.yaml": replace(goodRoute, "vendor: hapi", "vendor: hapy")}, []string{`routes/harbor.yaml:4:9: vendor: unknown vendor "hapy"; did you mean "hapi"?`}},
		"hospital unknown": {map[string]string{"policies/trial.json": replace(goodPlan, `["harbor"]`, `["harbour"]`)}, []string{`policies/trial.json:5:18: meta_data.fhirgate.hospitals: unknown hospital "harbour"; did you mean "harbor"?`}},
		"var missing":      {map[string]string{"routes/harbor.yaml": replace(goodRoute, "practice:", "praxis:")}, []string{`routes/harbor.yaml:8:7: vars: the rules of vendor hapi need "practice"`}},
		"var that is no segment": {map[string]string{
			"transforms/hapi.yaml": replace(goodVendor, "request:", "url: \"{base_url}/r4/{practice}\"\nrequest:"),
			"routes/harbor.yaml":   replace(goodRoute, `practice: "9"`, `practice: ".."`),
		}, []string{`routes/harbor.yaml:8:7: vars: cannot make the url of vendor hapi: the path has a dot segment with the vars practice`}},
		"var of the url missing": {map[string]string{
			"transforms/hapi.yaml": replace(goodVendor, "request:", "url: \"{base_url}/r4/{tenant}\"\nrequest:"),
		}, []string{`routes/harbor.yaml:8:7: vars: the rules of vendor hapi need "tenant"`}},
		"search in a URL": {map[string]string{
			"transforms/hapi.yaml": replace(goodVendor, "[{param.add: {name: practice, value: {var: practice}}}]", "[{search.get: {}}]"),
		}, []string{`routes/harbor.yaml:6:11: upstream.search_in_url: must be true: the rule "practice" of vendor hapi writes search parameters, which may name patients, into URLs`}},
		"search in a URL, allowed": {map[string]string{
			"transforms/hapi.yaml": replace(goodVendor, "[{param.add: {name: practice, value: {var: practice}}}]", "[{search.get: {}}]"),
			"routes/harbor.yaml":   replace(goodRoute, `fhir"}`, `fhir", search_in_url: true}`),
		}, nil},
		"search in a URL, of another hospital": {map[string]string{
			"transforms/hapi.yaml": replace(replace(goodVendor, "[{param.add: {name: practice, value: {var: practice}}}]", "[{search.get: {}}]"), "type: Encounter", "hospital: lakeside"),
			"routes/lakeside.yaml": replace(replace(goodRoute, "id: harbor", "id: lakeside"), `fhir"}`, `fhir", search_in_url: true}`),
		}, nil},
		"rules of the hospital": {map[string]string{
			"routes/harbor.yaml": goodRoute + "rules:\n  response:\n    - {name: own, effect: reversible, do: [{trim: {path: identifier.value}}]}\n    - {name: practice, do: [{total.drop: {}}]}\n",
		}, []string{
			`routes/harbor.yaml:11:27: rules.response.0.effect: must be lossy: an operation of the rule cannot be undone`,
			`routes/harbor.yaml:12:14: rules.response.1.name: another rule has this name`,
		}},
		"every hospital": {map[string]string{"policies/trial.json": replace(goodPlan, `["harbor"]`, `["*"]`)}, nil},
		"all at once": {map[string]string{
			"routes/harbor.yaml":  replace(goodRoute, "vendor: hapi", "vendor: zzzzzzz"),
			"policies/trial.json": replace(goodPlan, `["harbor"]`, `["zzzzzzz"]`),
		}, []string{
			`policies/trial.json:5:18: meta_data.fhirgate.hospitals: unknown hospital "zzzzzzz"; allowed are harbor`,
			`routes/harbor.yaml:4:9: vendor: unknown vendor "zzzzzzz"; allowed are hapi`,
		}},
		"beside files that are wrong by themselves": {map[string]string{
			"routes/harbor.yaml":   replace(goodRoute, "environment: sandbox", "environment: sandpit"),
			"routes/lakeside.yaml": replace(replace(goodRoute, "id: harbor", "id: lakeside"), "practice:", "praxis:"),
			"policies/trial.json":  replace(goodPlan, `["harbor"]`, `["harbor", "harbour"]`),
			"policies/other.json":  "{",
		}, []string{
			`policies/other.json:1:1: the file ends before a bracket is closed`,
			`policies/trial.json:5:18: meta_data.fhirgate.hospitals: unknown hospital "harbour"; did you mean "harbor"?`,
			`routes/harbor.yaml:5:14: environment: must be production or sandbox: a key of one never works in the other`,
			`routes/lakeside.yaml:8:7: vars: the rules of vendor hapi need "practice"`,
		}},
		"of files that are wrong by themselves": {map[string]string{
			"routes/harbor.yaml":  replace(replace(goodRoute, "vendor: hapi", "vendor: happy"), "read]}", "vred]}") + "rules: {request: [{name: own, do: []}]}\n",
			"policies/trial.json": replace(replace(goodPlan, `["harbor"]`, `["harbour", "", 7, [8]]`), `"rate": 10`, `"rate": -10`),
		}, []string{
			`policies/trial.json:2:59: rate: must be a whole number of cost units, 0 for no limit`,
			`policies/trial.json:5:18: meta_data.fhirgate.hospitals: unknown hospital "harbour"; did you mean "harbor"?`,
			`policies/trial.json:5:18: meta_data.fhirgate.hospitals: unknown hospital "7"; allowed are harbor`,
			`policies/trial.json:5:30: meta_data.fhirgate.hospitals.1: must not be empty`,
			`policies/trial.json:5:37: meta_data.fhirgate.hospitals.3: must be a string`,
			`routes/harbor.yaml:4:9: vendor: unknown vendor "happy"; did you mean "hapi"?`,
			`routes/harbor.yaml:7:45: interactions.Encounter.0: unknown interaction "vred"; did you mean "vread"?`,
			`routes/harbor.yaml:9:35: rules.request.0.do: holds no operation`,
		}},
		"a hospital whose id is not its file's": {map[string]string{
			"routes/harbor.yaml":  replace(goodRoute, "id: harbor", "id: bay"),
			"policies/trial.json": replace(goodPlan, `["harbor"]`, `["harbor", "bay"]`),
		}, []string{`routes/harbor.yaml:2:5: id: must equal the file name, "harbor"`}},
		"a vendor whose file is wrong": {map[string]string{
			"transforms/hapi.yaml": replace(goodVendor, "version: 1", "version: 2"),
			"routes/harbor.yaml":   replace(goodRoute, "vars:", "deny: [{type: Patient, where: \"name:\"}]\nvars:") + "rules: {request: [{name: own, do: []}]}\n",
		}, []string{
			`routes/harbor.yaml:8:8: deny.0: a constraint has no modifier and no chain: its parameter is a plain name`,
			`routes/harbor.yaml:10:35: rules.request.0.do: holds no operation`,
			`transforms/hapi.yaml:1:10: version: must be 1`,
		}},
		"a hospital of a rule": {map[string]string{
			"transforms/hapi.yaml": replace(goodVendor, "type: Encounter", "type: Encounter, hospital: [harbor, harbour]") + "    unless: {hospital: lakesid}\n",
			"routes/lakeside.yaml": replace(goodRoute, "id: harbor", "id: lakeside") + "rules: {response: [{name: own, when: {hospital: lakeside}, unless: {hospital: elsewhere}, do: [{total.drop: {}}]}]}\n",
		}, []string{
			`routes/lakeside.yaml:9:79: rules.response.0.unless.hospital: unknown hospital "elsewhere"; allowed are harbor, lakeside`,
			`transforms/hapi.yaml:5:39: request.0.when.hospital: unknown hospital "harbour"; did you mean "harbor"?`,
			`transforms/hapi.yaml:7:24: request.0.unless.hospital: unknown hospital "lakesid"; did you mean "lakeside"?`,
		}},
		"a hospital of a rule whose file is wrong": {map[string]string{
			"transforms/hapi.yaml": replace(goodVendor, "type: Encounter", "hospital: lakeside"),
			"routes/lakeside.yaml": "version: 1\nid: lakeside\nname: [\n",
		}, []string{`routes/lakeside.yaml:3:1: the file ends before a bracket is closed`}},
		"what a client needs": {map[string]string{
			"routes/harbor.yaml":   replace(replace(goodRoute, `fhir"}`, `fhir", ca_file: none.pem}`), "vendor: hapi", "vendor: hapy"),
			"routes/lakeside.yaml": replace(replace(goodRoute, "id: harbor", "id: lakeside"), `fhir"}`, `fhir", client_cert: {cert_file: none.pem, key_file: none.key}}`),
		}, []string{
			`routes/harbor.yaml:4:9: vendor: unknown vendor "hapy"; did you mean "hapi"?`,
			`routes/harbor.yaml:6:59: upstream.ca_file: cannot be read`,
			`routes/lakeside.yaml:6:63: upstream.client_cert: the certificate and its key cannot be read, or do not belong together`,
		}},
		"no route": {map[string]string{"routes/harbor.yaml": ""}, []string{"routes: there is no such folder"}},
		"no plan":  {map[string]string{"policies/trial.json": ""}, []string{"policies: there is no such folder"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readFiles(installation(tc.changes), folders)
			if tc.want == nil {
				require.NoError(t, err)
				return
			}
			var problems strict.Problems
			require.True(t, errors.As(err, &problems), "%v", err)
			var got []string
			for _, p := range problems {
				got = append(got, p.Error())
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestTheVendorMakesTheBase(t *testing.T) {
	files, err := readFiles(installation(map[string]string{
		"transforms/hapi.yaml": replaceOnce(t, goodVendor, "request:", "url: \"{base_url}/r4/{practice}\"\nrequest:"),
		"routes/harbor.yaml":   replaceOnce(t, goodRoute, `practice: "9"`, "practice: a/b 1"),
	}), folders)
	require.NoError(t, err)
	require.Equal(t, "https://ehr.example/fhir/r4/a%2Fb%201", files.Routes[0].Upstream.BaseURL)
}

// TestAHospitalsOwnRules joins a route's rules to its vendor's, and keeps them
// from other hospitals.
func TestAHospitalsOwnRules(t *testing.T) {
	own := goodRoute + "rules:\n  request:\n    - {name: own, do: [{param.set: {name: own, value: \"1\"}}]}\n"
	files, err := readFiles(installation(map[string]string{
		"routes/harbor.yaml":   own,
		"routes/lakeside.yaml": replaceOnce(t, goodRoute, "id: harbor", "id: lakeside"),
		"routes/plain.yaml":    replaceOnce(t, replaceOnce(t, own, "id: harbor", "id: plain"), "vendor: hapi\n", ""),
	}), folders)
	require.NoError(t, err)
	require.Equal(t, []string{"own", "practice"}, files.rules["harbor"].Rules())
	require.Equal(t, []string{"practice"}, files.rules["lakeside"].Rules())
	require.Equal(t, []string{"own"}, files.rules["plain"].Rules())
}

func TestTheVendorsLimits(t *testing.T) {
	limited := replaceOnce(t, goodVendor, "request:", "limits: {bare_429: until-minute, quota_text: over quota}\nrequest:")
	for name, tc := range map[string]struct{ route, quota string }{
		"the vendor's":   {goodRoute, "over quota"},
		"the hospital's": {replaceOnce(t, goodRoute, `fhir"}`, `fhir", budget: {quota_text: no more}}`), "no more"},
	} {
		files, err := readFiles(installation(map[string]string{"transforms/hapi.yaml": limited, "routes/harbor.yaml": tc.route}), folders)
		require.NoError(t, err, name)
		require.Equal(t, routes.UntilMinute, files.Routes[0].Upstream.Budget.Bare429)
		require.Equal(t, tc.quota, files.Routes[0].Upstream.Budget.QuotaText, name)
	}
}
