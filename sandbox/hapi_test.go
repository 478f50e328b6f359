package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

const fhirJSON = "application/fhir+json"

func TestHAPILifeOfAResource(t *testing.T) {
	h := hapiHospital(t)
	const body = `{ "resourceType":"Observation", "zeta":1, "status":"final","code":{"text":"x"}, "valueQuantity":{"value":1.0}, "alpha":[1e2,98.60] }`
	created := call(t, http.MethodPost, h.BaseURL()+"/Observation", body, "Content-Type", fhirJSON)
	require.Equal(t, 201, created.status, string(created.body))
	id := created.get("id").Str
	versioned := h.BaseURL() + "/Observation/" + id + "/_history/1"
	require.Equal(t, versioned, created.header.Get("Location"))
	require.Equal(t, `W/"1"`, created.header.Get("ETag"))
	require.NotEmpty(t, created.header.Get("Last-Modified"))
	require.Equal(t, strings.Replace(body, `"Observation",`, `"Observation","id":"`+id+`","meta":{"versionId":"1","lastUpdated":"2026-11-22T12:00:00.000+00:00"},`, 1), string(created.body))

	target := h.BaseURL() + "/Observation/" + id
	read := call(t, http.MethodGet, target, "")
	require.Equal(t, created.body, read.body)
	require.Equal(t, versioned, read.header.Get("Content-Location"))
	require.Equal(t, 304, call(t, http.MethodGet, target, "", "If-None-Match", `W/"1"`).status)
	require.Equal(t, 304, call(t, http.MethodGet, target, "", "If-Modified-Since", read.header.Get("Last-Modified")).status)

	same := call(t, http.MethodPut, target, string(read.body), "Content-Type", fhirJSON)
	require.Equal(t, 200, same.status)
	require.Equal(t, `W/"1"`, same.header.Get("ETag"), "an update that changes nothing makes no version")
	changed := strings.Replace(string(read.body), "final", "amended", 1)
	require.Equal(t, 409, call(t, http.MethodPut, target, changed, "Content-Type", fhirJSON, "If-Match", `W/"9"`).status)
	updated := call(t, http.MethodPut, target, changed, "Content-Type", fhirJSON, "If-Match", `W/"1"`, "Prefer", "return=minimal")
	require.Equal(t, 200, updated.status)
	require.Empty(t, updated.body)
	require.Equal(t, `W/"2"`, updated.header.Get("ETag"))
	patched := call(t, http.MethodPatch, target, `[{"op":"replace","path":"/status","value":"corrected"}]`, "Content-Type", "application/json-patch+json")
	require.Equal(t, 200, patched.status, string(patched.body))
	require.Contains(t, string(patched.body), "[1e2,98.60]", "a patch keeps the digits of what it does not touch")

	require.Equal(t, "final", call(t, http.MethodGet, target+"/_history/1", "").get("status").Str)
	require.Equal(t, 404, call(t, http.MethodGet, target+"/_history/9", "").status)
	history := call(t, http.MethodGet, target+"/_history", "")
	require.Equal(t, `["PATCH","PUT","POST"]`, history.get("entry.#.request.method").Raw)
	require.Equal(t, "history", history.get("type").Str)

	removed := call(t, http.MethodDelete, target, "")
	require.Equal(t, 200, removed.status)
	require.Equal(t, "OperationOutcome", removed.get("resourceType").Str)
	require.Equal(t, 410, call(t, http.MethodGet, target, "").status)
	require.Equal(t, 200, call(t, http.MethodDelete, target, "").status)
	require.Equal(t, 404, call(t, http.MethodGet, target+"0", "").status)
	require.Equal(t, "DELETE", call(t, http.MethodGet, h.BaseURL()+"/_history?_count=1", "").get("entry.0.request.method").Str)
	require.Equal(t, "DELETE", call(t, http.MethodGet, h.BaseURL()+"/Observation/_history?_count=1", "").get("entry.0.request.method").Str)
	_, exists := h.Resource("Observation", id)
	require.False(t, exists)
}

func TestHAPIConditionals(t *testing.T) {
	h := hapiHospital(t)
	const body = `{"resourceType":"Patient","identifier":[{"system":"urn:x","value":"1"}],"name":[{"family":"Condition"}]}`
	patients := h.BaseURL() + "/Patient"
	first := call(t, http.MethodPost, patients, body, "Content-Type", fhirJSON, "If-None-Exist", "identifier=urn:x|1")
	require.Equal(t, 201, first.status)
	again := call(t, http.MethodPost, patients, body, "Content-Type", fhirJSON, "If-None-Exist", "identifier=urn:x|1")
	require.Equal(t, 200, again.status)
	require.Equal(t, first.get("id").Str, again.get("id").Str)
	require.Equal(t, 412, call(t, http.MethodPost, patients, body, "Content-Type", fhirJSON, "If-None-Exist", "gender=female").status)
	require.Equal(t, 200, call(t, http.MethodPut, patients+"?identifier=urn:x|1", strings.Replace(body, "Condition", "Changed", 1), "Content-Type", fhirJSON).status)
	require.Equal(t, 201, call(t, http.MethodPut, patients+"?identifier=urn:x|2", strings.Replace(body, `"1"`, `"2"`, 1), "Content-Type", fhirJSON).status)
	require.Equal(t, 200, call(t, http.MethodDelete, patients+"?identifier=urn:x|1", "").status)
	require.Equal(t, 410, call(t, http.MethodGet, patients+"/"+first.get("id").Str, "").status)
	require.Equal(t, 412, call(t, http.MethodDelete, patients+"?gender=female", "").status)
	require.Equal(t, 400, call(t, http.MethodDelete, patients, "").status, "a delete of everything is refused")
}

func TestHAPIUpdateAsCreate(t *testing.T) {
	h := hapiHospital(t)
	put := func(id, body string) int {
		return call(t, http.MethodPut, h.BaseURL()+"/Patient/"+id, body, "Content-Type", fhirJSON).status
	}
	require.Equal(t, 201, put("pacs-1", `{"resourceType":"Patient","id":"pacs-1"}`))
	require.Equal(t, 400, put("77", `{"resourceType":"Patient","id":"77"}`), "numbers are the server's to give")
	require.Equal(t, 400, put("pacs-2", `{"resourceType":"Patient","id":"pacs-3"}`))
	require.Equal(t, 400, put("pacs-2", `{"resourceType":"Person","id":"pacs-2"}`))
	require.Equal(t, 400, put("pacs-2", `{"resourceType":`))
}

func TestHAPIPagingThroughAllPatients(t *testing.T) {
	h := hapiHospital(t)
	next, seen := h.BaseURL()+"/Patient?_count=20", map[string]bool{}
	for next != "" {
		got := call(t, http.MethodGet, next, "")
		require.EqualValues(t, 200, got.get("total").Int())
		for _, entry := range got.get("entry").Array() {
			require.Equal(t, h.BaseURL()+"/Patient/"+entry.Get("resource.id").Str, entry.Get("fullUrl").Str)
			seen[entry.Get("resource.id").Str] = true
		}
		next = got.get(`link.#(relation=="next").url`).Str
		if next != "" {
			require.True(t, strings.HasPrefix(next, h.BaseURL()+"?_getpages="), next)
			require.Contains(t, next, "&_bundletype=searchset")
		}
	}
	require.Len(t, seen, 200)
	first := call(t, http.MethodGet, h.BaseURL()+"/_history", "")
	next = first.get(`link.#(relation=="next").url`).Str
	require.Equal(t, "history", call(t, http.MethodGet, next, "").get("type").Str)
	h.ExpirePages()
	require.Equal(t, 410, call(t, http.MethodGet, next, "").status)
}

func TestHAPISearch(t *testing.T) {
	h := hapiHospital(t)
	room := h.IDs("Location")[0]
	cases := map[string]struct {
		query string
		total int64
	}{
		"today in the hospital's zone": {"Appointment?date=2026-11-22", appointmentsToday},
		"today as instants":            {"Appointment?" + todayInChicago, appointmentsToday},
		"today in one room":            {"Appointment?date=2026-11-22&location=" + room, appointmentsToday / locationCount},
		"by actor":                     {"Appointment?date=2026-11-22&actor=Location/" + room, appointmentsToday / locationCount},
		"a patient who is none":        {"Appointment?patient=Practitioner/" + h.IDs("Practitioner")[0], 0},
		"by status":                    {"Appointment?date=2026-11-22&status=arrived", encountersToday},
		"by two statuses":              {"Appointment?date=2026-11-22&status=arrived,cancelled", encountersToday + 1},
		"not by status":                {"Appointment?date=2026-11-22&status:not=arrived", appointmentsToday - encountersToday},
		"tomorrow":                     {"Appointment?date=gt2026-11-22", 6},
		"before today":                 {"Appointment?date=lt2026-11-22", 3},
		"encounters today":             {"Encounter?date=ge2026-11-22&date=lt2026-11-23", encountersToday},
		"encounters still open":        {"Encounter?status=in-progress", encountersToday - documentCount},
		"observations by category":     {"Observation?category=vital-signs&patient=" + h.IDs("Patient")[0], manyObservations},
		"observations by subject type": {"Observation?subject:Patient=" + h.IDs("Patient")[1], 3},
		"by code with system":          {"Observation?code=http://loinc.org|8310-5&patient=" + h.IDs("Patient")[1], 1},
		"by code of another system":    {"Observation?code=http://snomed.info/sct|8310-5", 0},
		"documents by type":            {"DocumentReference?type=18748-4", documentCount},
		"by id":                        {"Patient?_id=" + strings.Join(h.IDs("Patient")[:3], ","), 3},
		"by identifier":                {"Patient?identifier=https://hospital.example/mrn|200007", 1},
		"missing":                      {"Patient?birthdate:missing=true", 0},
		"count only":                   {"Patient?_summary=count", 200},
		"last updated":                 {"Patient?_lastUpdated=ge2026-11-22", 200},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			got := call(t, http.MethodGet, h.BaseURL()+"/"+test.query, "")
			require.Equal(t, 200, got.status, string(got.body))
			require.Equal(t, test.total, got.get("total").Int())
			typ, query, _ := strings.Cut(test.query, "?")
			posted := call(t, http.MethodPost, h.BaseURL()+"/"+typ+"/_search", query, "Content-Type", formType)
			require.Equal(t, test.total, posted.get("total").Int(), string(posted.body))
		})
	}
	unknown := call(t, http.MethodGet, h.BaseURL()+"/Patient?colour=red", "")
	require.Equal(t, 400, unknown.status)
	require.Contains(t, unknown.get("issue.0.diagnostics").Str, "Unknown search parameter")
	require.Equal(t, 400, call(t, http.MethodGet, h.BaseURL()+"/Patient?birthdate=soon", "").status)
	require.Equal(t, 404, call(t, http.MethodGet, h.BaseURL()+"/Nonsense/1", "").status)
	included := call(t, http.MethodGet, h.BaseURL()+"/Appointment?date=2026-11-22&_include=Appointment:patient&_include=Appointment:location", "")
	require.EqualValues(t, appointmentsToday, included.get("total").Int())
	require.Len(t, included.get(`entry.#(search.mode=="include")#`).Array(), 20+locationCount)
	sorted := call(t, http.MethodGet, h.BaseURL()+"/Appointment?_sort=-date&_count=1", "")
	require.True(t, strings.HasPrefix(sorted.get("entry.0.resource.start").Str, "2026-11-23"), string(sorted.body))
}

func TestHAPIOperations(t *testing.T) {
	h := hapiHospital(t)
	all := call(t, http.MethodGet, h.BaseURL()+"/Patient/"+h.IDs("Patient")[0]+"/$everything", "")
	require.Equal(t, 200, all.status)
	require.Equal(t, "Patient", all.get("entry.0.resource.resourceType").Str)
	require.Greater(t, all.get("total").Int(), int64(manyObservations))
	valid := call(t, http.MethodPost, h.BaseURL()+"/Patient/$validate", `{"resourceType":"Patient"}`, "Content-Type", fhirJSON)
	require.Equal(t, 200, valid.status)
	require.Equal(t, 400, call(t, http.MethodPost, h.BaseURL()+"/Patient/$validate", `{"resourceType":"Person"}`, "Content-Type", fhirJSON).status)
}

func TestHAPITransaction(t *testing.T) {
	h := hapiHospital(t)
	const patient, report = "urn:uuid:0c1b2f0e-0000-4000-8000-000000000001", "urn:uuid:0c1b2f0e-0000-4000-8000-000000000002"
	body := func(last string) string {
		return `{"resourceType":"Bundle","type":"transaction","entry":[
			{"fullUrl":"` + report + `","resource":{"resourceType":"Observation","status":"final","identifier":[{"value":"` + patient + `"}],"subject":{"reference":"` + patient + `"}},"request":{"method":"POST","url":"Observation"}},
			{"fullUrl":"` + patient + `","resource":{"resourceType":"Patient","name":[{"family":"Tx"}]},"request":{"method":"POST","url":"Patient"}},
			{"request":{"method":"GET","url":"` + h.BaseURL() + `/Patient?family=Tx"}}` + last + `]}`
	}
	got := call(t, http.MethodPost, h.BaseURL(), body(""), "Content-Type", fhirJSON)
	require.Equal(t, 200, got.status, string(got.body))
	require.Equal(t, "transaction-response", got.get("type").Str)
	require.Equal(t, "201 Created", got.get("entry.0.response.status").Str)
	typ, id := "Patient", strings.Split(got.get("entry.1.response.location").Str, "/")[1]
	observation, ok := h.Resource("Observation", strings.Split(got.get("entry.0.response.location").Str, "/")[1])
	require.True(t, ok)
	require.Equal(t, typ+"/"+id, gjson.GetBytes(observation, "subject.reference").Str)
	require.Equal(t, patient, gjson.GetBytes(observation, "identifier.0.value").Str, "an identity stays")
	require.EqualValues(t, 1, got.get("entry.2.resource.total").Int())

	before := len(h.IDs("Patient"))
	failed := call(t, http.MethodPost, h.BaseURL(), body(`,{"request":{"method":"DELETE","url":"Patient/unknown"}},{"request":{"method":"PUT","url":"Patient/p1"},"resource":{"resourceType":"Person","id":"p1"}}`), "Content-Type", fhirJSON)
	require.Equal(t, 404, failed.status)
	failed = call(t, http.MethodPost, h.BaseURL(), body(`,{"request":{"method":"PUT","url":"Patient/p1"},"resource":{"resourceType":"Person","id":"p1"}}`), "Content-Type", fhirJSON)
	require.Equal(t, 400, failed.status)
	require.Len(t, h.IDs("Patient"), before, "all or nothing")
}

func TestHAPIBatch(t *testing.T) {
	h := hapiHospital(t)
	patch := base64.StdEncoding.EncodeToString([]byte(`[{"op":"replace","path":"/active","value":false}]`))
	id := h.IDs("Patient")[0]
	got := call(t, http.MethodPost, h.BaseURL(), `{"resourceType":"Bundle","type":"batch","entry":[
		{"request":{"method":"GET","url":"Patient/`+id+`"}},
		{"request":{"method":"GET","url":"Patient/unknown"}},
		{"request":{"method":"PATCH","url":"Patient/`+id+`"},"resource":{"resourceType":"Binary","contentType":"application/json-patch+json","data":"`+patch+`"}},
		{"request":{"method":"PUT","url":"Patient/b-1"},"resource":{"resourceType":"Patient","id":"b-1"}}]}`, "Content-Type", fhirJSON)
	require.Equal(t, 200, got.status, string(got.body))
	require.Equal(t, `["200 OK","404 Not Found","200 OK","201 Created"]`, got.get("entry.#.response.status").Raw)
	require.Equal(t, "OperationOutcome", got.get("entry.1.response.outcome.resourceType").Str)
	require.Equal(t, "Patient/b-1/_history/1", got.get("entry.3.response.location").Str)
	stored, _ := h.Resource("Patient", id)
	require.False(t, gjson.GetBytes(stored, "active").Bool())
	for _, bad := range []string{
		`{"resourceType":"Bundle","type":"collection"}`, `{"resourceType":"Patient"}`, `{`,
		`{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Nonsense/1"}}]}`,
	} {
		require.Equal(t, 400, call(t, http.MethodPost, h.BaseURL(), bad, "Content-Type", fhirJSON).status, bad)
	}
}

// zeros is an endless stream of one byte.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestHAPIBinaryOfAnySize(t *testing.T) {
	h := hapiHospital(t)
	for name, size := range map[string]int64{"empty": 0, "small": 10, "just in memory": maxBlobInMemory - 1, "just in a file": maxBlobInMemory, "large": 300 << 20} {
		t.Run(name, func(t *testing.T) {
			up := sha256.New()
			request, err := http.NewRequest(http.MethodPost, h.BaseURL()+"/Binary", io.TeeReader(io.LimitReader(zeros{}, size), up))
			require.NoError(t, err)
			request.Header.Set("Content-Type", "application/dicom")
			created, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			require.NoError(t, created.Body.Close())
			require.Equal(t, 201, created.StatusCode)
			target, _, _ := strings.Cut(created.Header.Get("Location"), "/_history")
			response, err := http.Get(target)
			require.NoError(t, err)
			defer response.Body.Close()
			down := sha256.New()
			n, err := io.Copy(down, response.Body)
			require.NoError(t, err)
			require.Equal(t, size, n)
			require.Equal(t, size, response.ContentLength)
			require.Equal(t, "application/dicom", response.Header.Get("Content-Type"))
			require.Equal(t, up.Sum(nil), down.Sum(nil))
			calls := h.Calls()
			if size > 0 {
				require.Equal(t, hex.EncodeToString(up.Sum(nil)), calls[len(calls)-2].BodySHA256)
				require.Equal(t, size, calls[len(calls)-2].BodyBytes)
			}
		})
	}
}

func TestHAPIBinaryAsResource(t *testing.T) {
	h := hapiHospital(t)
	data := base64.StdEncoding.EncodeToString([]byte("hello"))
	created := call(t, http.MethodPost, h.BaseURL()+"/Binary", `{"resourceType":"Binary","contentType":"text/plain","data":"`+data+`"}`, "Content-Type", fhirJSON)
	require.Equal(t, 201, created.status)
	target := h.BaseURL() + "/Binary/" + created.get("id").Str
	require.Equal(t, "hello", string(call(t, http.MethodGet, target, "").body))
	require.Equal(t, data, call(t, http.MethodGet, target, "", "Accept", fhirJSON).get("data").Str)
	require.Equal(t, 400, call(t, http.MethodPost, h.BaseURL()+"/Binary", `{"resourceType":"Binary","contentType":"text/plain","data":"!"}`, "Content-Type", fhirJSON).status)
	put := call(t, http.MethodPut, target, "other", "Content-Type", "text/plain")
	require.Equal(t, 200, put.status, string(put.body))
	require.Equal(t, "other", string(call(t, http.MethodGet, target, "").body))
	require.Equal(t, "hello", string(call(t, http.MethodGet, target+"/_history/1", "").body))
}

func TestPagingLinksOnAnotherHost(t *testing.T) {
	links := func(o *Options) { o.LinkBase = "http://127.0.0.1:0/pages" }
	oracle, oracleToken := oracleHospital(t, links)
	hapi := started(t, NewHAPI(Options{Open: true, LinkBase: "http://127.0.0.1:0"}))
	foreign := started(t, NewHAPI(Options{Open: true, LinkBase: "https://pages.example:444/deep/er"}))
	for name, test := range map[string]struct {
		h            *Hospital
		query, token string
	}{
		"oracle": {oracle, "/Patient?name=a", oracleToken},
		"hapi":   {hapi, "/Patient", ""},
	} {
		t.Run(name, func(t *testing.T) {
			first := call(t, http.MethodGet, test.h.BaseURL()+test.query, "", "Authorization", test.token)
			next := first.get(`link.#(relation=="next").url`).Str
			require.True(t, strings.HasPrefix(next, test.h.LinkBase()), next)
			require.False(t, strings.HasPrefix(next, test.h.BaseURL()), next)
			second := call(t, http.MethodGet, next, "", "Authorization", test.token)
			require.Equal(t, 200, second.status)
			require.NotEqual(t, first.get("entry.0.fullUrl").Str, second.get("entry.0.fullUrl").Str)
			require.True(t, strings.HasPrefix(second.get("entry.0.fullUrl").Str, test.h.BaseURL()))
		})
	}
	next := call(t, http.MethodGet, foreign.BaseURL()+"/Patient", "").get(`link.#(relation=="next").url`).Str
	require.True(t, strings.HasPrefix(next, "https://pages.example:444/deep/er?_getpages="), next)
	below := strings.TrimSuffix(foreign.BaseURL(), hapiBase) + strings.TrimPrefix(next, "https://pages.example:444")
	require.Equal(t, 200, call(t, http.MethodGet, below, "").status, "its path is served by the hospital too")
}
