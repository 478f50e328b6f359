package transforms

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"fhirgate/internal/strict"
)

const good = `version: 1
vendor: acme
request:
  - name: small pages
    when: {type: Patient, interaction: [search-type]}
    do:
      - param.cap: {name: _count, max: 100}
      - param.default: {name: site, value: {var: site}}
      - param.rename: {from: subject, to: patient}
      - param.requireAny: [patient, "name,birthdate"]
      - header.set: {name: Accept, value: text/plain}
`

const mapGender = "code.map: {path: gender, map: {M: male, F: female}, params: [gender]}"

const goodAnswers = `version: 1
vendor: acme
limits: {bare_429: until-minute, quota_text: used up}
sources: [https://acme.example/docs]
unknown: [bulk export]
response:
  - name: genders
    effect: reversible
    when: {type: Patient}
    do:
      - ` + mapGender + `
`

func TestAGoodFileIsRead(t *testing.T) {
	vendor, problems := Parse("transforms/acme.yaml", []byte(good))
	require.Empty(t, problems)
	require.Equal(t, "acme", vendor.Name)
	require.Equal(t, []string{"small pages"}, vendor.Rules())
}

// TestEachMistakeIsNamedWithItsPlace changes one thing of a good file at a time.
func TestEachMistakeIsNamedWithItsPlace(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, want string }{
		"version":            {"version: 1", "version: 2", "1:10: version: must be 1"},
		"vendor not file":    {"vendor: acme", "vendor: emca", `2:9: vendor: must equal the file name, "acme"`},
		"vendor form":        {"vendor: acme", "vendor: Acme!", "2:9: vendor: must be 1 to 63 of a-z, 0-9 and '-', starting and ending with a letter or digit"},
		"key":                {"request:", "respond: []\nrequest:", `3:1: unknown key "respond"; did you mean "response"?`},
		"limit":              {"request:", "limits: {bare_429: soon}\nrequest:", "3:20: limits.bare_429: must be until-minute"},
		"no rule":            {good[strings.Index(good, "request:"):], "", "1:1: request: holds no rule"},
		"no name":            {"name: small pages", "name: ''", "4:11: request.0.name: is missing"},
		"name of two lines":  {"name: small pages", `name: "a\nb"`, "4:11: request.0.name: must be one line of at most 120 bytes"},
		"name twice":         {"version: 1", "version: 1\n# two rules", "13:11: request.1.name: another rule has this name"},
		"type":               {"type: Patient", "type: patient", `5:18: request.0.when.type: "patient" is not a resource type of R4 (names are case-sensitive)`},
		"type empty":         {"type: Patient", "type: []", "5:18: request.0.when.type: is empty: leave it out to mean any"},
		"type null":          {"type: Patient", "type: ", "5:18: request.0.when.type: is empty: leave it out to mean any"},
		"type form":          {"type: Patient", "type: {a: b}", "5:18: request.0.when.type: must be a word or a list of words"},
		"interaction":        {"search-type", "search-typ", `5:40: request.0.when.interaction: unknown interaction "search-typ"; did you mean "search-type"?`},
		"condition":          {"when: {", "when: {method: GET, ", `5:12: request.0.when: unknown key "method"; allowed are header, hospital, interaction, param, type`},
		"operation":          {"param.cap", "param.cpa", `7:9: request.0.do.0: unknown key "param.cpa"; did you mean "param.cap"?`},
		"two in one":         {"- param.cap: {name: _count, max: 100}\n      - param.default", "- param.cap: {name: _count, max: 100}\n        param.default", "7:9: request.0.do.0: holds param.cap and param.default: give each operation an item of its own"},
		"none in one":        {"param.cap: {name: _count, max: 100}", "{}", "7:9: request.0.do.0: holds no operation"},
		"operation null":     {"param.cap: {name: _count, max: 100}", "param.cap:", "7:19: request.0.do.0.param.cap: says nothing"},
		"key of operation":   {"max: 100", "maximum: 100", `7:35: request.0.do.0.param.cap: unknown key "maximum"; allowed are max, name`},
		"max missing":        {", max: 100", "", "7:20: request.0.do.0.param.cap.max: must be a whole number of 1 or more"},
		"max zero":           {"max: 100", "max: 0", "7:40: request.0.do.0.param.cap.max: must be a whole number of 1 or more"},
		"max form":           {"max: 100", "max: -5", "7:40: request.0.do.0.param.cap.max: must be a whole number of 0 or more"},
		"name with modifier": {"name: _count", "name: '_count:x'", "7:27: request.0.do.0.param.cap.name: must be the name of a parameter without its modifier"},
		"value missing":      {", value: {var: site}", "", "8:24: request.0.do.1.param.default.value: must be a text or {var: name}, and not empty"},
		"value form":         {"{var: site}", "{env: site}", "8:44: request.0.do.1.param.default.value: must be a text or {var: name}"},
		"rename to itself":   {"to: patient", "to: subject", "9:43: request.0.do.2.param.rename.to: is the same as from"},
		"list for names":     {`[patient, "name,birthdate"]`, "patient", "10:27: request.0.do.3.param.requireAny: must be a list"},
		"no names":           {`[patient, "name,birthdate"]`, "[]", "10:27: request.0.do.3.param.requireAny: names no parameter"},
		"combination":        {`name,birthdate`, "name,,birthdate", "10:37: request.0.do.3.param.requireAny.1: must be the name of a parameter"},
		"reserved header":    {"name: Accept", "name: authorization", "11:28: request.0.do.4.header.set.name: Authorization is set by the gateway itself"},
		"header name":        {"name: Accept", "name: 'A ccept'", "11:28: request.0.do.4.header.set.name: must be the name of a header"},
		"unless nothing":     {"    do:\n", "    unless: {}\n    do:\n", "6:13: request.0.unless: holds no condition: the rule would never apply"},
		"unless null":        {"    do:\n", "    unless:\n    do:\n", "6:12: request.0.unless: holds no condition: the rule would never apply"},
		"unless a type":      {"    do:\n", "    unless: {type: patient}\n    do:\n", `6:20: request.0.unless.type: "patient" is not a resource type of R4`},
		"hospital":           {"type: Patient", "hospital: Harbor", "5:22: request.0.when.hospital: must be ids of routes"},
		"param of when":      {"type: Patient", "param: [a, 'b:c']", "5:19: request.0.when.param: must be the name of a parameter"},
		"param of when null": {"type: Patient", "param: ", "5:19: request.0.when.param: is empty: leave it out to mean any"},
		"header of when":     {"type: Patient", "header: 'a b'", "5:20: request.0.when.header: must be names of headers"},
		"exclude one":        {`param.requireAny: [patient, "name,birthdate"]`, "param.exclusive: [date]", "10:26: request.0.do.3.param.exclusive: must name two parameters or more"},
		"exclude none":       {`param.requireAny: [patient, "name,birthdate"]`, "param.exclusive: []", "10:26: request.0.do.3.param.exclusive: names no parameter"},
		"drop reserved":      {"header.set: {name: Accept, value: text/plain}", "header.drop: [Prefer, host]", "11:31: request.0.do.4.header.drop.1: Host is set by the gateway itself"},
		"drop no header":     {"header.set: {name: Accept, value: text/plain}", "header.drop: []", "11:22: request.0.do.4.header.drop: names no header"},
		"split without most": {"param.cap: {name: _count, max: 100}", "search.split: {param: a}", "7:23: request.0.do.0.search.split.at_most: must be a whole number of 1 or more"},
		"split of nothing":   {"param.cap: {name: _count, max: 100}", "search.split: {at_most: 1}", "7:23: request.0.do.0.search.split.param: must be the name of a parameter"},
		"split by nothing":   {"param.cap: {name: _count, max: 100}", "search.split: {param: a, values: '', at_most: 1}", "7:42: request.0.do.0.search.split.values: must be a text or {var: name}, and not empty"},
		"post with a key":    {"param.cap: {name: _count, max: 100}", "search.post: {type: Patient}", `7:23: request.0.do.0.search.post: unknown key "type"; allowed are`},
		"header value":       {"text/plain", `"a\nb"`, "11:43: request.0.do.4.header.set.value: cannot be the value of a header"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(good, tc.old, tc.new, 1)
			require.NotEqual(t, good, changed)
			if name == "name twice" {
				changed += changed[strings.Index(changed, "  - name:"):]
			}
			_, problems := Parse("transforms/acme.yaml", []byte(changed))
			require.NotEmpty(t, problems)
			require.Contains(t, problems.Error(), "transforms/acme.yaml:"+tc.want)
		})
	}
}

// TestEachMistakeOfARuleForAnswersIsNamedWithItsPlace changes one thing of a
// good file at a time.
func TestEachMistakeOfARuleForAnswersIsNamedWithItsPlace(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, want string }{
		"no name":              {"name: genders", "name: ''", "7:11: response.0.name: is missing"},
		"no operation":         {"- " + mapGender, "[]", "11:7: response.0.do: holds no operation"},
		"no effect":            {"    effect: reversible\n", "", "7:5: response.0.effect: is missing: the rule is reversible"},
		"effect":               {"effect: reversible", "effect: harmless", "8:13: response.0.effect: must be reversible or lossy"},
		"no path, a condition": {"type: Patient}\n    do:\n      - " + mapGender, "where: {a: b}}\n    do:\n      - move: {to: c}", "11:15: response.0.do.0.move.from: is missing"},
		"success, an error":    {"effect: reversible\n    when: {type: Patient}\n    do:\n      - " + mapGender, "when: {status: 200}\n    do:\n      - status.set: 412", "8:20: response.0.when.status: must be errors, such as 409 or 4xx, for this operation"},
		"too good an effect":   {mapGender, "drop: [photo]", "8:13: response.0.effect: must be lossy: an operation of the rule cannot be undone"},
		"effect on nothing":    {mapGender, "total.drop: {}", "8:13: response.0.effect: has no place here: the rule changes no resource"},
		"effect on outcomes":   {"type: Patient", "type: OperationOutcome", "8:13: response.0.effect: has no place here: nobody updates an OperationOutcome"},
		"status":               {"type: Patient", "status: 4x", "9:20: response.0.when.status: must be statuses such as 404 or 4xx"},
		"status empty":         {"type: Patient", "status: []", "9:20: response.0.when.status: is empty: leave it out to mean any"},
		"body empty":           {"type: Patient", "body: ''", "9:18: response.0.when.body: is empty: leave it out to mean any"},
		"where":                {"type: Patient", "where: {a*: b}", `9:19: response.0.when.where: the path "a*" holds '*'`},
		"where empty":          {"type: Patient", "where: {a: []}", `9:19: response.0.when.where: the path "a" has no value`},
		"unless":               {"when: {type: Patient}", "unless: {}", "9:13: response.0.unless: holds no condition: the rule would never apply"},
		"reversible sometimes": {"type: Patient", "interaction: read", "7:5: response.0: a reversible rule must hold for every call on its types"},
		"reversible by chance": {"type: Patient", "where: {gender: M}", "7:5: response.0: a reversible rule must not change gender, which its own condition looks at"},
		"reversible by a mark": {"type: Patient", "where: {_gender.extension.url: x}", "7:5: response.0: a reversible rule must not change gender, which its own condition looks at"},
		"for requests":         {mapGender, "require: [gender]", "11:18: response.0.do.0.require: has a place in requests only"},
		"of requests":          {mapGender, "param.drop: [gender]", `11:9: response.0.do.0: unknown key "param.drop"; allowed are absent.drop, attachment.inline`},
		"error without status": {mapGender, "status.set: 404", "11:21: response.0.do.0.status.set: needs a status in when: it changes what an error means"},
		"no error":             {mapGender, "status.set: 200", "11:21: response.0.do.0.status.set: must be a status from 400 to 599"},
		"issue code":           {mapGender, "issue: {code: throtled, text: x}", `11:23: response.0.do.0.issue.code: unknown issue code "throtled"; did you mean "throttled"?`},
		"issue text":           {mapGender, "issue: {code: throttled}", "11:16: response.0.do.0.issue.text: is missing: it is what the caller reads"},
		"retry when":           {mapGender, "retryAfter: {until: day, after: 30s}", "11:21: response.0.do.0.retryAfter: must be one of until, after and milliseconds"},
		"retry until":          {mapGender, "retryAfter: {until: hour}", "11:29: response.0.do.0.retryAfter.until: must be minute or day"},
		"success path":         {mapGender, "success.if: {is: true, text: x}", "11:21: response.0.do.0.success.if.path: has an empty part"},
		"success value":        {mapGender, "success.if: {path: a, text: x}", "11:21: response.0.do.0.success.if.is: names no value"},
		"success status":       {mapGender, "success.if: {path: a, is: b, text: x, status: 200}", "11:55: response.0.do.0.success.if.status: must be a status from 400 to 599"},
		"success text":         {mapGender, "success.if: {path: a, is: b}", "11:21: response.0.do.0.success.if.text: is missing: it is what the caller reads"},
		"codes":                {mapGender, "outcome.drop: []", "11:23: response.0.do.0.outcome.drop: must be a list of codes in issue.details.coding"},
		"empty code":           {mapGender, "outcome.warn: ['']", "11:23: response.0.do.0.outcome.warn: must be a list of codes in issue.details.coding"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(goodAnswers, tc.old, tc.new, 1)
			require.NotEqual(t, goodAnswers, changed)
			_, problems := Parse("transforms/acme.yaml", []byte(changed))
			require.NotEmpty(t, problems)
			require.Contains(t, problems.Error(), "transforms/acme.yaml:"+tc.want)
		})
	}
}

func TestAllMistakesOfAFileAreToldAtOnceAndEachOnce(t *testing.T) {
	_, problems := Parse("acme.yaml", []byte(`version: 2
vendor: acme
request:
  - name: a
    when: {type: patient, interaction: serch-type}
    do:
      - param.cpa: {name: _count}
      - param.drop: [a.b, c]
      - header.set: {name: Host, value: x}
`))
	require.EqualError(t, problems.Err(), strings.Join([]string{
		"acme.yaml:1:10: version: must be 1",
		`acme.yaml:5:18: request.0.when.type: "patient" is not a resource type of R4 (names are case-sensitive)`,
		`acme.yaml:5:40: request.0.when.interaction: ` + strict.Unknown("interaction", "serch-type", interactions),
		`acme.yaml:7:9: request.0.do.0: unknown key "param.cpa"; did you mean "param.cap"?`,
		"acme.yaml:8:22: request.0.do.1.param.drop.0: must be the name of a parameter without its modifier: letters, digits, '-' and '_'",
		"acme.yaml:9:28: request.0.do.2.header.set.name: Host is set by the gateway itself",
	}, "\n"))
}

func TestLoadReportsAllFilesAtOnce(t *testing.T) {
	fsys := fstest.MapFS{
		"transforms/a.yaml":      {Data: []byte("version: 1\nvendor: b\n")},
		"transforms/b.yaml":      {Data: []byte("version: 1\nvendor: b\ncolour: red\n")},
		"transforms/b_test.yaml": {Data: []byte("anything")},
	}
	_, err := Load(fsys, "transforms")
	require.ErrorContains(t, err, `transforms/a.yaml:2:9: vendor: must equal the file name, "a"`)
	require.ErrorContains(t, err, "transforms/a.yaml:1:1: request: holds no rule")
	require.ErrorContains(t, err, `transforms/b.yaml:3:1: unknown key "colour"`)
}

func TestNoVendorFileIsNoMistake(t *testing.T) {
	vendors, err := Load(fstest.MapFS{"transforms": {Mode: fs.ModeDir}}, "transforms")
	require.NoError(t, err)
	require.Empty(t, vendors)
	_, err = Load(fstest.MapFS{}, "transforms")
	require.EqualError(t, err, "transforms: there is no such folder")
}

func TestCheckVarsNamesWhatARouteLacks(t *testing.T) {
	const reads = `version: 1
vendor: acme
request:
  - name: site and client
    do:
      - param.set: {name: site, value: {var: site}}
      - header.set: {name: Client-Id, value: {var: client}}
      - param.add: {name: kind, value: 7}
      - param.add: {name: place, value: {var: site}}
`
	vendor, problems := Parse("acme.yaml", []byte(reads))
	require.Empty(t, problems)
	require.Empty(t, vendor.CheckVars("x", nil, map[string]string{"site": "a", "client": "b", "other": "c"}))
	require.Equal(t, []string{"client", "site"}, vendor.CheckVars("x", nil, map[string]string{"client": ""}))
	require.Empty(t, (*Vendor)(nil).CheckVars("x", nil, nil))
	typed, problems := Parse("acme.yaml", []byte(strings.Replace(reads, "    do:", "    when: {type: [Patient, Group]}\n    do:", 1)))
	require.Empty(t, problems)
	for typ, want := range map[string]int{"Group": 2, "Encounter": 0} {
		require.Len(t, typed.CheckVars("x", func(served string) bool { return served == typ }, nil), want, "a rule for a type that the route does not serve reads nothing")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(goodAnswers))
	f.Add([]byte("version: 1\nvendor: acme\nresponse:\n  - when: {where: {a: [b], 'c.#(d==\"e\")#': '*'}, status: [4xx]}\n    do: [{move: {from: a.b, to: a.c.d}}, {retryAfter: {after: 1s}}, {drop: }]\n"))
	f.Add([]byte("version: 1\nvendor: acme\nrequest:\n  - do: [{param.cap: }, {header.set: [1]}, 3]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		vendor, problems := Parse("acme.yaml", data)
		if len(problems) == 0 {
			require.Equal(t, "acme", vendor.Name)
			require.NotEmpty(t, vendor.Rules())
		}
	})
}
