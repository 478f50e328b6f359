package docs

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
)

// exampleGateway has a hospital of each of the simulated vendors.
func exampleGateway(s *site) {
	everything := map[string][]string{}
	for _, typ := range []string{"Patient", "Appointment", "Location", "DocumentReference"} {
		everything[typ] = []string{"read", "search-type"}
	}
	s.gateway.hospitals, s.gateway.answers = nil, map[string]string{}
	for id, vendor := range map[string]string{"h-epic": "epic", "h-oracle": "oracle", "h-hapi": "hapi", "h-other": "azure"} {
		s.gateway.hospitals = append(s.gateway.hospitals, adminapi.Hospital{ID: id, Name: id, Vendor: vendor, Environment: "sandbox", TimeZone: "America/Chicago", Interactions: everything})
		query := "_count=1"
		if known := simulatedPatients[vendor]; known != "" {
			query = "identifier=" + url.QueryEscape(known)
		}
		s.gateway.answers["/fhir/"+id+"/Patient?"+query] = bundleOf("", `{"resourceType":"OperationOutcome"}`, onePatient)
		s.gateway.answers["/fhir/"+id+"/Location?status=active"] = bundleOf("", `{"resourceType":"Location","id":"l1"}`)
	}
}

// filled reads the form of a page: what to do, type, id and parameters.
func filled(page string) string {
	first := func(pattern string) string {
		if found := regexp.MustCompile(pattern).FindStringSubmatch(page); found != nil {
			return strings.TrimSpace(html.UnescapeString(found[1]))
		}
		return ""
	}
	return strings.Join([]string{
		first(`name="interaction"[^>]* value="([^"]+)"[^>]* checked`), first(`<option value="([^"]*)" selected`),
		first(`<input[^>]* name="id"[^>]* value="([^"]*)"`), strings.ReplaceAll(first(`<textarea[^>]* name="parameters"[^>]*>([^<]*)<`), "\n", " "),
	}, "/")
}

func TestExamplesFillTheForm(t *testing.T) {
	s := newSite(t)
	exampleGateway(s)
	day := today("America/Chicago")
	for address, want := range map[string]string{
		"h-epic&example=appointments":   "search-type/Appointment//date=" + day + " patient=p1",
		"h-oracle&example=appointments": "search-type/Appointment//date=" + day + " location=l1",
		"h-hapi&example=appointments":   "search-type/Appointment//date=" + day,
		"h-other&example=appointments":  "search-type/Appointment//date=" + day,
		"h-epic&example=patients":       "search-type/Patient//family=Lindqvist birthdate=1970-01-01",
		"h-oracle&example=patients":     "search-type/Patient//family=Lindqvist",
		"h-other&example=patients":      "search-type/Patient//family=Lindqvist",
		"h-hapi&example=patient":        "read/Patient/p1/",
		"h-oracle&example=documents":    "search-type/DocumentReference//patient=p1",
		"h-epic&example=capabilities":   "capabilities///",
		"h-epic&example=unknown":        "search-type/Patient//identifier=" + simulatedPatients["epic"],
		"h-other":                       "search-type/Patient//_count=1",
	} {
		t.Run(address, func(t *testing.T) {
			status, body := s.get("/try?hospital=" + address)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, want, filled(body))
			for _, example := range []string{"appointments", "patients", "patient", "documents", "capabilities"} {
				require.Contains(t, body, "&amp;example="+example+`"`)
			}
		})
	}
}

// Where nothing is found, the search for it is left to be changed.
func TestAnExampleThatFindsNothing(t *testing.T) {
	s := newSite(t)
	exampleGateway(s)
	s.gateway.answers = nil
	status, body := s.get("/try?hospital=h-oracle&example=appointments")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "search-type/Location//status=active", filled(body))
	require.Contains(t, body, "needs a Location first")
}

// An example that a hospital cannot do is not offered.
func TestExamplesAreWhatTheHospitalOffers(t *testing.T) {
	s := newSite(t)
	s.gateway.hospitals = []adminapi.Hospital{{ID: "h", Name: "H", Vendor: "epic", Environment: "sandbox", Interactions: map[string][]string{"Appointment": {"search-type"}, "Patient": {"read"}}}}
	_, body := s.get("/try?hospital=h&example=appointments")
	require.Equal(t, []string{"example=capabilities"}, regexp.MustCompile(`example=\w+`).FindAllString(body, -1))
	require.Empty(t, s.gateway.calls)
}

// Who goes through examples too fast is told so; the gateway's absence as well.
func TestExamplesFailAsCallsDo(t *testing.T) {
	s := newSite(t)
	exampleGateway(s)
	for range 100 {
		status, body := s.get("/try?hospital=h-epic&example=patient")
		if status == http.StatusTooManyRequests {
			require.Contains(t, body, "Wait a few seconds")
			return
		}
		require.Equal(t, http.StatusOK, status)
	}
	require.Fail(t, "the reader is never told to wait")
}
