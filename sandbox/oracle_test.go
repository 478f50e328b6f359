package sandbox

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// todayInChicago is the day of the tests' clock as a range of instants.
const todayInChicago = "date=ge2026-11-22T06:00:00Z&date=lt2026-11-23T06:00:00Z"

func TestOracleSearchRules(t *testing.T) {
	h, token := oracleHospital(t, nil)
	rooms := strings.Join(h.IDs("Location"), ",")
	cases := map[string]struct {
		query  string
		status int
	}{
		"a day by location":            {"Appointment?location=" + rooms + "&" + todayInChicago, 200},
		"a day by practitioner":        {"Appointment?practitioner=" + h.IDs("Practitioner")[0] + "&" + todayInChicago, 200},
		"by id without a date":         {"Appointment?_id=" + h.IDs("Appointment")[0], 200},
		"no anchor":                    {"Appointment?" + todayInChicago, 400},
		"no date":                      {"Appointment?location=" + rooms, 400},
		"date without time":            {"Appointment?location=" + rooms + "&date=ge2026-11-22", 400},
		"date without prefix":          {"Appointment?location=" + rooms + "&date=2026-11-22T06:00:00Z", 400},
		"two lower bounds":             {"Appointment?location=" + rooms + "&date=ge2026-11-22T06:00:00Z&date=gt2026-11-23T06:00:00Z", 400},
		"three dates":                  {"Appointment?location=" + rooms + "&" + todayInChicago + "&date=ge2026-11-22T06:00:00Z", 400},
		"a repeated parameter":         {"Appointment?location=1&location=2&" + todayInChicago, 400},
		"an unknown parameter":         {"Patient?name=a&colour=red", 400},
		"encounters without an anchor": {"Encounter?date=ge2026-11-22T06:00:00Z", 400},
		"encounters of a patient":      {"Encounter?patient=" + h.IDs("Patient")[0], 200},
		"patients without anything":    {"Patient?_count=20", 400},
		"date and period":              {"DocumentReference?patient=1&date=ge2026-11-22T06:00:00Z&period=ge2026-11-22T06:00:00Z", 400},
		"unknown type":                 {"Person?name=a", 404},
		"history":                      {"Patient/1/_history", 404},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			got := call(t, http.MethodGet, h.BaseURL()+"/"+test.query, "", "Authorization", token)
			require.Equal(t, test.status, got.status, string(got.body))
			if test.status == http.StatusOK {
				require.False(t, got.get("total").Exists())
				require.NotEmpty(t, got.get("entry").Array())
			}
		})
	}
	plain := call(t, http.MethodGet, h.BaseURL()+"/Appointment?"+todayInChicago, "", "Authorization", token)
	require.Equal(t, "text/plain", plain.header.Get("Content-Type"))
	require.Equal(t, 401, call(t, http.MethodGet, h.BaseURL()+"/Patient/1", "").status)
	require.Equal(t, 404, call(t, http.MethodGet, h.BaseURL()+"/Person/1", "", "Authorization", token).status)
	require.Equal(t, 405, call(t, http.MethodDelete, h.BaseURL()+"/Patient/1", "", "Authorization", token).status)
}

func TestOracleDayList(t *testing.T) {
	h, token := oracleHospital(t, nil)
	day := h.BaseURL() + "/Appointment?_count=100&" + todayInChicago + "&location="
	all := call(t, http.MethodGet, day+strings.Join(h.IDs("Location"), ","), "", "Authorization", token)
	require.Len(t, all.get("entry").Array(), appointmentsToday)
	one := call(t, http.MethodGet, day+h.IDs("Location")[0], "", "Authorization", token)
	require.Len(t, one.get("entry").Array(), appointmentsToday/locationCount)
}

func TestOraclePaging(t *testing.T) {
	h, token := oracleHospital(t, nil)
	next, seen := h.BaseURL()+"/Observation?_count=50&patient="+h.IDs("Patient")[0], map[string]bool{}
	var last answer
	for next != "" {
		last = call(t, http.MethodGet, next, "", "Authorization", token)
		require.Equal(t, 200, last.status, string(last.body))
		for _, id := range last.get("entry.#.resource.id").Array() {
			seen[id.Str] = true
		}
		next = last.get(`link.#(relation=="next").url`).Str
		if next != "" {
			require.Contains(t, next, "?-pageContext=")
			require.Contains(t, next, "&-pageDirection=NEXT")
		}
	}
	require.Len(t, seen, manyObservations)
	previous := last.get(`link.#(relation=="previous").url`).Str
	require.Equal(t, 200, call(t, http.MethodGet, previous, "", "Authorization", token).status)
	h.ExpirePages()
	require.Equal(t, 400, call(t, http.MethodGet, previous, "", "Authorization", token).status)
}

func TestOracleRefusesToFindThousandsOfPatients(t *testing.T) {
	h, token := oracleHospital(t, func(o *Options) { o.Patients = 1_001 })
	got := call(t, http.MethodGet, h.BaseURL()+"/Patient?birthdate=ge1900", "", "Authorization", token)
	require.Equal(t, 422, got.status, string(got.body))
	require.Equal(t, 200, call(t, http.MethodGet, h.BaseURL()+"/Patient?family=Bauer", "", "Authorization", token).status)
}

func TestOracleData(t *testing.T) {
	h, token := oracleHospital(t, nil)
	ids := h.IDs("Patient")
	read := call(t, http.MethodGet, h.BaseURL()+"/Patient/"+ids[oracleMerged], "", "Authorization", token)
	require.Equal(t, `W/"1"`, read.header.Get("ETag"))
	require.NotEmpty(t, read.header.Get("Last-Modified"))
	require.Equal(t, "1", read.get("meta.versionId").Str)
	require.False(t, read.get("active").Bool())
	require.Equal(t, "replaced-by", read.get("link.0.type").Str)
	require.Equal(t, "Patient/"+ids[oracleMerged+1], read.get("link.0.other.reference").Str)
	nameless, _ := h.Resource("Patient", ids[oracleNameless])
	require.Equal(t, absentReason, gjson.GetBytes(nameless, "name.0.extension.0.url").Str)
	require.True(t, read.get("identifier.0.type.coding.0.userSelected").Bool())
	encounter, _ := h.Resource("Encounter", h.IDs("Encounter")[0])
	require.Equal(t, "Location", gjson.GetBytes(encounter, "contained.0.resourceType").Str)
	require.Equal(t, "#room", gjson.GetBytes(encounter, "location.0.location.reference").Str)
}

func TestOracleBinaryNeedsTheRightAccept(t *testing.T) {
	h, token := oracleHospital(t, nil)
	documents := call(t, http.MethodGet, h.BaseURL()+"/DocumentReference?patient="+h.IDs("Patient")[0], "", "Authorization", token)
	attachment := documents.get("entry.0.resource.content.0.attachment.url").Str
	require.True(t, strings.HasPrefix(attachment, h.BaseURL()+"/Binary/"), attachment)
	require.Equal(t, 406, call(t, http.MethodGet, attachment, "", "Authorization", token, "Accept", "application/fhir+json").status)
	got := call(t, http.MethodGet, attachment, "", "Authorization", token, "Accept", "application/pdf")
	require.Equal(t, 200, got.status)
	require.True(t, strings.HasPrefix(string(got.body), "%PDF"))
}

// oracleDocument is a document that the hospital takes, with replacements.
func oracleDocument(h *Hospital, change ...string) string {
	text := fmt.Sprintf(`{"resourceType":"DocumentReference","status":"current","docStatus":"final","type":{"coding":[{"system":"http://loinc.org","code":"18748-4"}]},`+
		`"subject":{"reference":"Patient/%s"},"date":"2026-11-22T12:00:00Z","content":[{"attachment":{"contentType":"application/pdf","data":"%s"}}],`+
		`"context":{"encounter":[{"reference":"Encounter/%s"}],"period":{"end":"2026-11-22T12:00:00Z"}}}`,
		h.IDs("Patient")[0], base64.StdEncoding.EncodeToString([]byte("%PDF-1.4")), h.IDs("Encounter")[0])
	return strings.NewReplacer(change...).Replace(text)
}

func TestOracleCreate(t *testing.T) {
	h, token := oracleHospital(t, nil)
	create := func(body string) answer {
		return call(t, http.MethodPost, h.BaseURL()+"/DocumentReference", body, "Authorization", token, "Content-Type", oracleType)
	}
	own := codeSet72 + oracleTenant + "/codeSet/72"
	refused := map[string]string{
		"preliminary":         oracleDocument(h, `"docStatus":"final"`, `"docStatus":"preliminary"`),
		"two codings":         oracleDocument(h, `"coding":[`, `"coding":[{"system":"`+own+`","code":"1"},`),
		"foreign coding":      oracleDocument(h, "http://loinc.org", "http://snomed.info/sct"),
		"two contents":        oracleDocument(h, `"content":[`, `"content":[{"attachment":{"contentType":"application/pdf","data":"QQ=="}},`),
		"no period end":       oracleDocument(h, `"end"`, `"start"`),
		"period without time": oracleDocument(h, `"end":"2026-11-22T12:00:00Z"`, `"end":"2026-11-22"`),
		"date without time":   oracleDocument(h, `"date":"2026-11-22T12:00:00Z"`, `"date":"2026-11-22"`),
		"plain text":          oracleDocument(h, "application/pdf", "text/plain"),
		"no data":             oracleDocument(h, `"data"`, `"hash"`),
		"unknown encounter":   oracleDocument(h, "Encounter/", "Encounter/0"),
	}
	for name, body := range refused {
		t.Run(name, func(t *testing.T) { require.Equal(t, 422, create(body).status) })
	}
	require.Equal(t, 400, create("{").status)
	require.Equal(t, 415, call(t, http.MethodPost, h.BaseURL()+"/DocumentReference", "<a/>", "Authorization", token, "Content-Type", "application/fhir+xml").status)
	for name, body := range map[string]string{"LOINC": oracleDocument(h), "own code": oracleDocument(h, "http://loinc.org", own)} {
		t.Run(name, func(t *testing.T) {
			created := create(body)
			require.Equal(t, 201, created.status, string(created.body))
			require.Empty(t, created.body)
			require.Equal(t, "text/html", created.header.Get("Content-Type"))
			require.Equal(t, `W/"1"`, created.header.Get("ETag"))
			require.True(t, strings.HasPrefix(created.header.Get("Location"), h.BaseURL()+"/DocumentReference/"))
		})
	}
}

func TestOracleCorrection(t *testing.T) {
	h, token := oracleHospital(t, nil)
	location := call(t, http.MethodPost, h.BaseURL()+"/DocumentReference", oracleDocument(h), "Authorization", token, "Content-Type", oracleType).header.Get("Location")
	read := call(t, http.MethodGet, location, "", "Authorization", token)
	amended := strings.Replace(string(read.body), `"docStatus":"final"`, `"docStatus":"amended"`, 1)
	put := func(body, match string) int {
		header := []string{"Authorization", token, "Content-Type", oracleType}
		if match != "" {
			header = append(header, "If-Match", match)
		}
		return call(t, http.MethodPut, location, body, header...).status
	}
	require.Equal(t, 412, put(amended, ""))
	require.Equal(t, 409, put(amended, `W/"7"`))
	require.Equal(t, 422, put(string(read.body), `W/"1"`), "docStatus must say that it is a correction")
	require.Equal(t, 422, put(strings.Replace(amended, "Patient/"+h.IDs("Patient")[0], "Patient/"+h.IDs("Patient")[1], 1), `W/"1"`))
	require.Equal(t, 422, put(strings.Replace(amended, "Encounter/"+h.IDs("Encounter")[0], "Encounter/"+h.IDs("Encounter")[1], 1), `W/"1"`))
	require.Equal(t, 200, put(amended, `W/"1"`))
	require.Equal(t, 409, put(amended, `W/"1"`))
	again := call(t, http.MethodGet, location, "", "Authorization", token)
	require.Equal(t, `W/"2"`, again.header.Get("ETag"))
	require.Equal(t, "amended", again.get("docStatus").Str)

	seeded := h.BaseURL() + "/DocumentReference/" + h.IDs("DocumentReference")[0]
	body := strings.Replace(string(call(t, http.MethodGet, seeded, "", "Authorization", token).body), `"docStatus":"final"`, `"docStatus":"entered-in-error"`, 1)
	got := call(t, http.MethodPut, seeded, body, "Authorization", token, "Content-Type", oracleType, "If-Match", `W/"1"`)
	require.Equal(t, 200, got.status, "what was read can be sent back: %s", got.body)
}

func TestOraclePatch(t *testing.T) {
	h, token := oracleHospital(t, nil)
	target := h.BaseURL() + "/Appointment/" + h.IDs("Appointment")[0]
	patch := func(body, match, contentType string) answer {
		return call(t, http.MethodPatch, target, body, "Authorization", token, "Content-Type", contentType, "If-Match", match)
	}
	const arrived, media = `[{"op":"replace","path":"/status","value":"checked-in"}]`, "application/json-patch+json"
	require.Equal(t, 415, patch(arrived, `W/"1"`, "application/json").status)
	require.Equal(t, 400, patch("{", `W/"1"`, media).status)
	require.Equal(t, 422, patch(`[{"op":"remove","path":"/nothing"}]`, `W/"1"`, media).status)
	require.Equal(t, 422, patch(`[{"op":"replace","path":"/id","value":"other"}]`, `W/"1"`, media).status)
	require.Equal(t, 409, patch(arrived, `W/"2"`, media).status)
	got := patch(arrived, `W/"1"`, media)
	require.Equal(t, 200, got.status, string(got.body))
	require.Equal(t, `W/"2"`, got.header.Get("ETag"))
	stored, _ := h.Resource("Appointment", h.IDs("Appointment")[0])
	require.Equal(t, "checked-in", gjson.GetBytes(stored, "status").Str)
	require.Equal(t, 405, call(t, http.MethodPatch, h.BaseURL()+"/Patient/1", arrived, "Authorization", token).status)
}

func TestOracleScopesLimitTypes(t *testing.T) {
	h := started(t, NewOracle(Options{ClientSecret: "s3cret"}))
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs"}}.Encode()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("fhirgate:s3cret"))
	granted := call(t, http.MethodPost, h.TokenURL(), form, "Content-Type", formType, "Authorization", basic)
	token := "Bearer " + granted.get("access_token").Str
	require.Equal(t, 200, call(t, http.MethodGet, h.BaseURL()+"/Patient?name=a", "", "Authorization", token).status)
	refused := call(t, http.MethodGet, h.BaseURL()+"/Encounter?patient=1", "", "Authorization", token)
	require.Equal(t, 403, refused.status)
	require.Equal(t, "text/plain", refused.header.Get("Content-Type"))
}
