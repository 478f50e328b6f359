package facade

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// Credentials of consumers whose records are narrowed to harbor, one a way in.
var narrowedWays = map[string]Way{"narrowed-key": WayKey, "narrowed.client.token": WayToken, "narrowed.provider.token": WayProvider}

func narrowedBench(t *testing.T) *bench {
	b := newBench(t, nil)
	for credential, way := range narrowedWays {
		b.consumers.add(credential, Consumer{Way: way, Hospitals: []string{"harbor"}})
	}
	return b
}

// A hospital that a record is narrowed away from cannot be told from one that
// does not exist: the answer is the same to the byte, whatever is asked of it.
func TestANarrowedRecordReachesNoOtherHospital(t *testing.T) {
	b := narrowedBench(t)
	for credential := range narrowedWays {
		for _, tc := range []struct{ method, path, body string }{
			{"GET", "/Patient/100001", ""},
			{"HEAD", "/Patient/100001", ""},
			{"GET", "/Patient?name=x", ""},
			{"GET", "/Patient/", ""},
			{"GET", "/Patient/100001/$everything", ""},
			{"GET", "/metadata", ""},
			{"GET", "/.well-known/smart-configuration", ""},
			{"POST", "/Patient", `{"resourceType":"Patient"}`},
			{"PUT", "/Patient/100001", `{"resourceType":"Patient","id":"100001"}`},
			{"DELETE", "/Patient/100001", ""},
			{"POST", "", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/100001"}}]}`},
		} {
			t.Run(credential+" "+tc.method+" "+tc.path, func(t *testing.T) {
				b.t = t
				b.resetCalls()
				ask := func(hospital string) answer {
					return b.call(tc.method, "/fhir/"+hospital+tc.path, tc.body, "Authorization", "Bearer "+credential, "X-Request-Id", "same")
				}
				outside, none := ask("lakeside"), ask("lakesido")
				require.Equal(t, http.StatusNotFound, outside.StatusCode, "%s", outside.body)
				require.Equal(t, string(none.body), string(outside.body))
				none.Header.Del("Date")
				outside.Header.Del("Date")
				require.Equal(t, none.Header, outside.Header)
				require.Zero(t, b.hospitalCalls())
			})
		}
		b.t = t
		require.Equal(t, 200, b.call("GET", "/fhir/harbor/Patient/100001", "", "Authorization", "Bearer "+credential).StatusCode)
		require.Equal(t, 200, b.call("GET", "/fhir/harbor/metadata", "", "Authorization", "Bearer "+credential).StatusCode)
	}
}

// A record can only take away from what its plan reaches.
func TestARecordReachesNoMoreThanItsPlan(t *testing.T) {
	b := newBench(t, nil)
	for name, tc := range map[string]struct {
		plan      string
		hospitals []string
		reaches   string
	}{
		"no narrowing":                    {"all", nil, "reaches harbor, lakeside, st-mary."},
		"an empty list is no narrowing":   {"all", []string{}, "reaches harbor, lakeside, st-mary."},
		"two of three":                    {"all", []string{"st-mary", "harbor"}, "reaches harbor, st-mary."},
		"one that has gone":               {"all", []string{"harbor", "gone"}, "reaches harbor."},
		"only such as have gone":          {"all", []string{"gone"}, "reaches no hospital."},
		"none of the plan's":              {"harbor-only", []string{"lakeside"}, "reaches no hospital."},
		"more than the plan's":            {"harbor-only", []string{"lakeside", "harbor"}, "reaches harbor."},
		"of another environment":          {"production", []string{"harbor"}, "reaches no hospital."},
		"the plan's word for all is none": {"all", []string{"*"}, "reaches no hospital."},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.consumers.add("narrowed", Consumer{PlanID: tc.plan, Hospitals: tc.hospitals})
			a := b.call("GET", "/fhir/metadata", "", "Authorization", "Bearer narrowed")
			require.Equal(t, http.StatusOK, a.StatusCode)
			require.Contains(t, gjson.GetBytes(a.body, "rest.0.documentation").Str, tc.reaches)
			for _, id := range []string{"harbor", "lakeside", "st-mary"} {
				want := http.StatusNotFound
				if strings.Contains(tc.reaches, id) {
					want = http.StatusOK
				}
				require.Equal(t, want, b.call("GET", "/fhir/"+id+"/metadata", "", "Authorization", "Bearer narrowed").StatusCode, id)
			}
		})
	}
}

// A link that was given out before a record was narrowed opens nothing after it,
// and does not tell whether it was ever good.
func TestASealedLinkOfAHospitalThatWasTakenAway(t *testing.T) {
	b := newBench(t, nil)
	b.harborAnswers(answering(200, b.fill(`{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"HARBOR?_getpages=1"}]}`), "Content-Type", fhirJSON))
	b.consumers.add("narrowed", Consumer{})
	call := func(target string) answer {
		return b.call("GET", target, "", "Authorization", "Bearer narrowed", "X-Request-Id", "same")
	}
	link := gjson.GetBytes(call("/fhir/harbor/Patient?name=x").body, "link.0.url").Str
	require.Contains(t, link, "/_sealed/")
	require.Equal(t, http.StatusOK, call(link).StatusCode)

	b.consumers.add("narrowed", Consumer{Hospitals: []string{"lakeside"}})
	a := call(link)
	require.Equal(t, http.StatusNotFound, a.StatusCode, "%s", a.body)
	require.Equal(t, string(call("/fhir/none/Patient/1").body), string(a.body))
	require.Equal(t, http.StatusForbidden, call(strings.Replace(link, "/harbor/", "/lakeside/", 1)).StatusCode, "the link is harbor's")
}

// A certificate alone is narrowed as every other way in.
func TestACertificateIsNarrowed(t *testing.T) {
	b := newBench(t, nil)
	certificate := &x509.Certificate{Raw: []byte("of a test")}
	sum := sha256.Sum256(certificate.Raw)
	b.consumers.add(hex.EncodeToString(sum[:]), Consumer{Way: WayCertificate, Hospitals: []string{"harbor"}})
	for path, status := range map[string]int{
		"/fhir/harbor/Patient/100001":                         http.StatusOK,
		"/fhir/harbor/.well-known/smart-configuration":        http.StatusOK,
		"/fhir/lakeside/metadata":                             http.StatusNotFound,
		"/fhir/lakeside/.well-known/smart-configuration":      http.StatusNotFound,
		"/fhir/st-mary/Patient/100001":                        http.StatusNotFound,
		"/fhir/st-mary/Patient/100001?_lastUpdated=gt2026-01": http.StatusNotFound,
	} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}, VerifiedChains: [][]*x509.Certificate{{certificate}}}
		w := httptest.NewRecorder()
		b.facade.ServeHTTP(w, r)
		require.Equal(t, status, w.Code, "%s: %s", path, w.Body)
	}
}
