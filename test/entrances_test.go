package test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// defaultTykSecret is the admin secret that Tyk comes with.
const defaultTykSecret = "352d20ee67be67f6340b4c0605b044b7"

// raw sends a request byte by byte as written and returns the answer.
func raw(t *testing.T, g *gateway, request string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Write([]byte(request))
	require.NoError(t, err)
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(t, err)
	defer response.Body.Close()
	var body strings.Builder
	_, err = bufio.NewReader(response.Body).WriteTo(&body)
	require.NoError(t, err)
	response.Request, err = http.NewRequest("GET", g.url, nil)
	require.NoError(t, err)
	return answer{response, t, []byte(body.String())}
}

// TestHiddenEntrances tries the ways into Tyk that a plain Tyk leaves open, and
// spellings of paths that a server might clean. With a good key none of them
// leads to a hospital, and every refusal is FHIR.
func TestHiddenEntrances(t *testing.T) {
	bothStores(t, func(t *testing.T, redis *redisServer) {
		g := startGateway(t, options{redis: redis})
		c := g.newClient(t, "e2e")
		install := gjson.Parse(g.read("data/install.json"))
		keyed, rest := install.Get("fhir_api_id").Str, install.Get("root_api_id").Str
		require.NotEmpty(t, keyed)
		require.NotEmpty(t, rest)
		g.Harbor.ResetCalls()

		for _, tc := range []struct {
			method, path string
			status       int
			code         string
		}{
			{"GET", "/", 404, "not-found"},
			{"GET", "/nothing/here", 404, "not-found"},
			{"GET", "/fhir", 404, "not-found"},
			{"GET", "/fhir/", 404, "not-found"},
			{"GET", "/fhirx/harbor/Patient/100000", 404, "not-found"},
			{"GET", "/FHIR/harbor/Patient/100000", 404, "not-found"},
			{"GET", "/" + keyed, 404, "not-found"},
			{"GET", "/" + keyed + "/", 404, "not-found"},
			{"GET", "/" + keyed + "/harbor/Patient/100000", 404, "not-found"},
			{"GET", "/" + keyed + "/fhir/harbor/Patient/100000", 404, "not-found"},
			{"GET", "/" + rest + "/", 404, "not-found"},
			{"GET", "/" + rest + "/fhir/harbor/Patient/100000", 404, "not-found"},
			{"GET", "/tyk/keys", 404, "not-found"},
			{"POST", "/tyk/keys/create", 404, "not-found"},
			{"GET", "/tyk/apis", 404, "not-found"},
			{"GET", "/tyk/reload/", 404, "not-found"},
			{"GET", "/tyk/rate-limits/", 404, "not-found"},
			{"GET", "/fhir/tyk/rate-limits/", 404, "not-found"},
			{"GET", "/fhir/harbor/tyk/rate-limits/", 404, "not-found"},
			{"GET", "/fhir/oauth/token/", 404, "not-found"},
			{"POST", "/fhir/harbor/oauth/authorize/", 404, "not-found"},
			{"GET", "/hello", 404, "not-found"},
			{"GET", "/tyk-alive", 404, "not-found"},
			{"GET", "/metrics", 404, "not-found"},
			{"GET", "/admin/keys", 404, "not-found"},
			{"GET", "/debug/pprof/", 404, "not-found"},
			{"GET", "//fhir/harbor/Patient/100000", 404, "not-found"},
			{"GET", "/x/../fhir/harbor/Patient/100000", 404, "not-found"},
			{"GET", "/fhir//harbor/Patient/100000", 400, "invalid"},
			{"GET", "/fhir/harbor//Patient/100000", 400, "invalid"},
			{"GET", "/fhir/harbor/./Patient/100000", 400, "invalid"},
			{"GET", "/fhir/harbor/Observation/../Patient/100000", 400, "invalid"},
			{"GET", "/fhir/harbor/../lakeside/Patient/100000", 400, "invalid"},
			{"GET", "/fhir/harbor/Patient%2F100000", 400, "invalid"},
			{"GET", "/fhir/harbor/%2e%2e/Patient/100000", 400, "invalid"},
			{"GET", "/fhir/harbor/Patient%5c100000", 400, "invalid"},
			{"GET", "/fhir/harbor;v=1/Patient/100000", 400, "invalid"},
			{"GET", "/fhir/harbor/Patient/100000;v=1", 400, "invalid"},
			{"GET", "/fhir/harbor/Patient/1%00", 400, "invalid"},
			{"GET", "/fhir/harbor/Patient/a%20b", 400, "value"},
			{"GET", "/fhir/nowhere/Patient/100000", 404, "not-found"},
			{"GET", "/fhir/harbor/Patients/100000", 404, "not-found"},
			{"GET", "/fhir/harbor/Account/1", 403, "not-supported"},
			{"BREW", "/fhir/harbor/Patient/100000", 405, "not-supported"},
			{"TRACE", "/fhir/harbor/Patient/100000", 405, "not-supported"},
			{"OPTIONS", "/fhir/harbor/Patient/100000", 405, "not-supported"},
			{"PROPFIND", "/fhir/harbor/Patient", 405, "not-supported"},
			{"get", "/fhir/harbor/Patient/100000", 405, "not-supported"},
			{"POST", "/fhir/harbor/Patient/100000", 405, "not-supported"},
		} {
			t.Run(tc.method+" "+tc.path, func(t *testing.T) {
				a := raw(t, g, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\nx-tyk-authorization: %s\r\nConnection: close\r\n\r\n",
					tc.method, tc.path, c.key, defaultTykSecret))
				a.refused(tc.status, tc.code)
				id := gjson.GetBytes(a.body, `issue.0.extension.#(url=="urn:fhirgate:request-id").valueString`).Str
				require.Equal(t, a.Header.Get("X-Request-Id"), id)
				if tc.status == http.StatusMethodNotAllowed {
					require.NotEmpty(t, a.Header.Get("Allow"))
				}
				require.Empty(t, a.Header.Get("Server"))
				said := strings.ReplaceAll(fmt.Sprint(a.Header, string(a.body)), id, "")
				require.NotContains(t, strings.ToLower(said), "tyk")
			})
		}
		require.Empty(t, g.Harbor.Calls(), "nothing of all this reached the hospital")
		c.get(somewhere).ok(http.StatusOK)
	})
}

// TestPlainRefusals are net/http's own: they come before any handler and are
// text, as docs/troubleshooting.md says.
func TestPlainRefusals(t *testing.T) {
	g := startGateway(t, options{})
	c := g.newClient(t, "e2e")
	key := "Authorization: Bearer " + c.key + "\r\n"
	for name, tc := range map[string]struct {
		request string
		status  int
	}{
		"no request line":  {"hello gateway, this is no request at all\r\n\r\n", 400},
		"no host":          {"GET " + somewhere + " HTTP/1.1\r\n" + key + "\r\n", 400},
		"broken header":    {"GET " + somewhere + " HTTP/1.1\r\nHost: g\r\n" + key + "a b: c\r\n\r\n", 400},
		"huge header":      {"GET " + somewhere + " HTTP/1.1\r\nHost: g\r\n" + key + "X-A: " + strings.Repeat("a", 200<<10) + "\r\n\r\n", 431},
		"many headers":     {"GET " + somewhere + " HTTP/1.1\r\nHost: g\r\n" + key + strings.Repeat("X-A: "+strings.Repeat("b", 1000)+"\r\n", 200) + "\r\n", 431},
		"two lengths":      {"POST /fhir/harbor/Patient HTTP/1.1\r\nHost: g\r\n" + key + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400},
		"unknown encoding": {"POST /fhir/harbor/Patient HTTP/1.1\r\nHost: g\r\n" + key + "Transfer-Encoding: gzip\r\n\r\n{}", 501},
	} {
		t.Run(name, func(t *testing.T) {
			a := raw(t, g, tc.request)
			require.Equal(t, tc.status, a.StatusCode)
			require.Contains(t, a.Header.Get("Content-Type"), "text/plain")
		})
	}
	long := raw(t, g, "GET "+somewhere+" HTTP/1.1\r\nHost: g\r\nConnection: close\r\nAuthorization: Bearer "+strings.Repeat("k", 40<<10)+"\r\n\r\n")
	long.refused(http.StatusUnauthorized, "login")
}

// TestForgedAddress calls with names and addresses that a client may write into
// headers: links are made from the configured public URL alone.
func TestForgedAddress(t *testing.T) {
	const public = "https://fhir.example:8443/gw"
	g := startGateway(t, options{settings: map[string]any{"public_url": public}})
	c := g.newClient(t, "e2e")
	forged := raw(t, g, "GET /fhir/harbor/Patient?_count=2 HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: gopher\r\n"+
		"Forwarded: host=evil.example\r\nX-Original-URL: /fhir/st-mary/Patient\r\nX-Rewrite-URL: /tyk/keys\r\nConnection: close\r\nAuthorization: Bearer "+c.key+"\r\n\r\n")
	bundle := forged.ok(http.StatusOK)
	require.NotContains(t, string(forged.body), "evil.example")
	require.NotContains(t, string(forged.body), g.Harbor.BaseURL())
	require.True(t, strings.HasPrefix(next(bundle), public+"/fhir/harbor/_sealed/"), next(bundle))
	require.True(t, strings.HasPrefix(bundle.Get("entry.0.fullUrl").Str, public+"/fhir/harbor/Patient/"))
}
