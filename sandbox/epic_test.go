package sandbox

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEpicRefusals(t *testing.T) {
	h, token := epicHospital(t, nil)
	cases := map[string]struct {
		method, path string
		status       int
		contentType  string
		code         string // of Epic's
	}{
		"appointments without patient":     {"GET", "/Appointment?date=2026-11-22", 400, epicType, "59108"},
		"encounters without patient":       {"GET", "/Encounter?date=2026-11-22", 400, epicType, "59108"},
		"observations without category":    {"GET", "/Observation?patient=x", 400, epicType, "59159"},
		"patients without demographics":    {"GET", "/Patient?gender=female", 400, epicType, "4130"},
		"patients by family alone":         {"GET", "/Patient?family=Bauer", 400, epicType, "4130"},
		"unknown session":                  {"GET", "/Observation?sessionID=50-nothing", 400, epicType, "4113"},
		"unknown id":                       {"GET", "/Patient/eNothing3", 404, epicType, "4102"},
		"bad date":                         {"GET", "/Appointment?patient=x&date=tomorrow", 400, epicType, "59100"},
		"unknown type":                     {"GET", "/Person?patient=x", 404, "text/html", ""},
		"no type at all":                   {"GET", "/Nonsense/1", 404, "text/html", ""},
		"history":                          {"GET", "/Patient/x/_history", 404, "text/html", ""},
		"batch":                            {"POST", "", 404, "text/html", ""},
		"delete":                           {"DELETE", "/DocumentReference/x", 405, "text/html", ""},
		"patch":                            {"PATCH", "/Appointment/x", 405, "text/html", ""},
		"update":                           {"PUT", "/DocumentReference/x", 405, "text/html", ""},
		"create outside the granted scope": {"POST", "/Observation", 403, "", ""},
		"type outside the granted scope":   {"GET", "/Coverage?patient=x", 403, "", ""},
		"outside the base":                 {"GET", "/../elsewhere", 404, "text/html", ""},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			got := call(t, test.method, h.BaseURL()+test.path, "", "Authorization", token)
			require.Equal(t, test.status, got.status, string(got.body))
			require.Equal(t, test.contentType, got.header.Get("Content-Type"))
			require.Equal(t, test.code, got.get("issue.0.details.coding.0.code").Str)
			if test.code != "" {
				require.Equal(t, epicCodes, got.get("issue.0.details.coding.0.system").Str)
			}
			if test.status == http.StatusForbidden {
				require.Empty(t, got.body)
				require.Contains(t, got.header.Get("WWW-Authenticate"), "insufficient_scope")
			}
		})
	}
	anonymous := call(t, http.MethodGet, h.BaseURL()+"/Patient/x", "")
	require.Equal(t, 401, anonymous.status)
	require.Empty(t, anonymous.body)
	require.Contains(t, anonymous.header.Get("WWW-Authenticate"), "invalid_token")
}

func TestEpicPatients(t *testing.T) {
	h, token := epicHospital(t, nil)
	id := h.IDs("Patient")[0]
	require.Regexp(t, `^e[A-Za-z0-9.\-]{22}3$`, id)
	read := call(t, http.MethodGet, h.BaseURL()+"/Patient/"+id, "", "Authorization", token)
	require.Equal(t, 200, read.status)
	require.Equal(t, epicType, read.header.Get("Content-Type"))
	require.Empty(t, read.header.Get("ETag"))
	require.False(t, read.get("meta").Exists())
	internal := read.get(`identifier.#(type.text=="INTERNAL").value`).Str
	require.True(t, strings.HasPrefix(internal, "     Z"), internal)
	mrn := strings.TrimSpace(internal)
	for _, query := range []string{
		"_id=" + id, "identifier=INTERNAL|" + mrn, "identifier=" + url.QueryEscape(epicOID+"2.698084|"+mrn),
		"family=" + url.QueryEscape(read.get("name.0.family").Str) + "&birthdate=" + read.get("birthDate").Str,
	} {
		found := call(t, http.MethodGet, h.BaseURL()+"/Patient?"+query, "", "Authorization", token)
		require.Equal(t, id, found.get("entry.0.resource.id").Str, query)
		require.Equal(t, read.body, []byte(found.get("entry.0.resource").Raw), "a resource has the same bytes everywhere")
		posted := call(t, http.MethodPost, h.BaseURL()+"/Patient/_search", query, "Authorization", token, "Content-Type", formType)
		require.Equal(t, id, posted.get("entry.0.resource.id").Str, query)
	}
}

func TestEpicPaging(t *testing.T) {
	for name, links := range map[string]string{"same host": "", "other port and path": "http://127.0.0.1:0/pages/R4"} {
		t.Run(name, func(t *testing.T) {
			h, token := epicHospital(t, func(o *Options) { o.LinkBase = links })
			next := h.BaseURL() + "/Observation?category=vital-signs&_count=50&patient=" + h.IDs("Patient")[0]
			seen, pages := map[string]bool{}, 0
			for next != "" {
				got := call(t, http.MethodGet, next, "", "Authorization", token)
				require.Equal(t, 200, got.status, string(got.body))
				entries := got.get("entry").Array()
				last := entries[len(entries)-1]
				require.Equal(t, "outcome", last.Get("search.mode").Str)
				require.EqualValues(t, len(entries)-1, got.get("total").Int(), "total counts the page")
				for _, e := range entries[:len(entries)-1] {
					seen[e.Get("resource.id").Str] = true
				}
				next = got.get(`link.#(relation=="next").url`).Str
				if next != "" {
					require.True(t, strings.HasPrefix(next, h.LinkBase()+"/Observation?sessionID="), next)
				}
				pages++
			}
			require.Equal(t, 3, pages)
			require.Len(t, seen, manyObservations)
			if links != "" {
				require.NotContains(t, h.LinkBase(), ":0/")
				require.NotEqual(t, h.BaseURL(), h.LinkBase())
			}
		})
	}
}

func TestEpicSessionsExpire(t *testing.T) {
	h, token := epicHospital(t, nil)
	first := call(t, http.MethodGet, h.BaseURL()+"/Observation?category=vital-signs&patient="+h.IDs("Patient")[0], "", "Authorization", token)
	next := first.get(`link.#(relation=="next").url`).Str
	require.Equal(t, 200, call(t, http.MethodGet, next, "", "Authorization", token).status)
	require.Equal(t, 400, call(t, http.MethodGet, strings.Replace(next, "Observation", "Encounter", 1), "", "Authorization", token).status)
	h.ExpirePages()
	require.Equal(t, "4113", call(t, http.MethodGet, next, "", "Authorization", token).get("issue.0.details.coding.0.code").Str)
}

func TestEpicOutcomeEntries(t *testing.T) {
	h, token := epicHospital(t, nil)
	got := call(t, http.MethodGet, h.BaseURL()+"/ServiceRequest?colour=red&patient="+h.IDs("Patient")[0], "", "Authorization", token)
	require.Equal(t, 200, got.status)
	require.EqualValues(t, 0, got.get("total").Int())
	require.Equal(t, `["4101","59103","4119"]`, got.get("entry.0.resource.issue.#.details.coding.0.code").Raw)
}

func TestEpicDocuments(t *testing.T) {
	h, token := epicHospital(t, nil)
	patient, encounter := h.IDs("Patient")[0], h.IDs("Encounter")[0]
	note := func(change ...string) string {
		text := fmt.Sprintf(`{"resourceType":"DocumentReference","status":"current","docStatus":"final","type":{"coding":[{"system":"http://loinc.org","code":"11488-4"}]},`+
			`"subject":{"reference":"Patient/%s"},"content":[{"attachment":{"contentType":"application/pdf","data":"%s"}}],"context":{"encounter":[{"reference":"Encounter/%s"}]},"x":1.0}`,
			patient, base64.StdEncoding.EncodeToString([]byte("%PDF-1.4")), encounter)
		return strings.NewReplacer(change...).Replace(text)
	}
	create := func(body string) answer {
		return call(t, http.MethodPost, h.BaseURL()+"/DocumentReference", body, "Authorization", token, "Content-Type", "application/fhir+json")
	}
	refused := map[string]string{
		"superseded":       note(`"status":"current"`, `"status":"superseded"`),
		"amended":          note(`"docStatus":"final"`, `"docStatus":"amended"`),
		"not LOINC":        note("http://loinc.org", "http://example.org"),
		"unknown patient":  note("Patient/", "Patient/e"),
		"no encounter":     note(`"encounter"`, `"related"`),
		"no base64":        note(`"data":"`, `"data":"!`),
		"empty data":       note(base64.StdEncoding.EncodeToString([]byte("%PDF-1.4")), ""),
		"other media type": note("application/pdf", "image/png"),
		"not JSON":         "{",
		"another type":     `{"resourceType":"Patient"}`,
	}
	for name, body := range refused {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, 400, create(body).status)
		})
	}
	before := len(h.IDs("DocumentReference"))
	created := create(note())
	require.Equal(t, 201, created.status, string(created.body))
	require.Empty(t, created.body)
	location := created.header.Get("Location")
	require.Regexp(t, `^DocumentReference/e.{22}3$`, location)
	stored, ok := h.Resource("DocumentReference", strings.TrimPrefix(location, "DocumentReference/"))
	require.True(t, ok)
	require.Equal(t, strings.Replace(note(), `"DocumentReference",`, `"DocumentReference","id":"`+strings.TrimPrefix(location, "DocumentReference/")+`",`, 1), string(stored))
	require.Equal(t, 201, create(note()).status)
	require.Len(t, h.IDs("DocumentReference"), before+2, "a note sent again is a duplicate")

	h, token = epicHospital(t, func(o *Options) { o.AcceptPDF = false })
	require.Equal(t, 400, create(note()).status, "the public interface takes plain text alone")
	require.Equal(t, 201, create(note("application/pdf", "text/plain")).status)
}

func TestEpicBinary(t *testing.T) {
	h, token := epicHospital(t, nil)
	id := h.IDs("DocumentReference")[0]
	document := call(t, http.MethodGet, h.BaseURL()+"/DocumentReference/"+id, "", "Authorization", token)
	relative := document.get("content.0.attachment.url").Str
	require.Regexp(t, `^Binary/f`, relative)
	raw := call(t, http.MethodGet, h.BaseURL()+"/"+relative, "", "Authorization", token, "Accept", "application/pdf")
	require.Equal(t, "application/pdf", raw.header.Get("Content-Type"))
	require.True(t, strings.HasPrefix(string(raw.body), "%PDF-1.4"))
	inJSON := call(t, http.MethodGet, h.BaseURL()+"/"+relative, "", "Authorization", token, "Accept", "application/fhir+json")
	require.Equal(t, base64.StdEncoding.EncodeToString(raw.body), inJSON.get("data").Str)
}
