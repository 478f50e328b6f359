package facade

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/routes"
	"fhirgate/sandbox"
)

// harborAnswers makes harbor answer every FHIR request by handler until the
// test ends; its token endpoint works as ever.
func (b *bench) harborAnswers(handler http.Handler) {
	b.t.Helper()
	b.hospitals.Harbor.Fail(func(r *http.Request) http.Handler {
		if strings.Contains(r.URL.Path, "token") {
			return nil
		}
		return handler
	})
	b.t.Cleanup(func() { b.hospitals.Harbor.Fail(nil) })
}

// answering returns a handler of one fixed answer; header are name, value pairs.
func answering(status int, body string, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

const fhirJSON = "application/fhir+json"

// large is what a hospital answers of a Bundle beyond the part that is held
// back; its end is missing.
func large() string {
	return `{"resourceType":"Bundle","type":"searchset","entry":[` +
		strings.Repeat(`{"resource":{"resourceType":"Patient","id":"1","name":[{"family":"`+strings.Repeat("x", 1000)+`"}]}},`, 2*holdBack/1000) +
		`{"resource":{"resourceType":"Patient","id":"2"}}]`
}

// TestFaultsBeforeTheAnswer holds what a hospital can do wrong before the part
// that is held back is full: the caller gets a status and an OperationOutcome.
func TestFaultsBeforeTheAnswer(t *testing.T) {
	b := newBench(t, nil)
	const mib = 1 << 20
	stalled := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", fhirJSON)
		_, _ = io.WriteString(w, `{"resourceType":`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	// How often a read is tried where that may help; else once.
	repeated := map[string]int{
		"resets before": 3, "HTML 503": 3, "HTML 504": 3, "503, outcome": 3, "429, zero": 3, "429, in the past": 3,
		"redirect loop": 6, "401": 2, "401 with an outcome": 2,
	}
	var table []string
	outcome := `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"lock-error","diagnostics":"see BASE/Patient/7"}]}`
	for name, tc := range map[string]struct {
		hospital http.Handler
		status   int
		code     string
		retry    string // Retry-After; "" = none
	}{
		"hangs":                      {sandbox.Hang(), 504, "timeout", ""},
		"slow":                       {sandbox.Slow(3*time.Second, sandbox.GarbageJSON()), 504, "timeout", ""},
		"stalls":                     {stalled, 502, "transient", ""},
		"resets before":              {sandbox.ResetBefore(), 502, "transient", ""},
		"resets within":              {sandbox.ResetMidBody(1000, 500), 502, "transient", ""},
		"resets within a large one":  {sandbox.ResetMidBody(3*mib, mib/2), 502, "transient", ""},
		"half":                       {sandbox.HalfBody(1000), 502, "transient", ""},
		"half of a large one":        {sandbox.HalfBody(mib), 502, "transient", ""},
		"less than declared":         {sandbox.WrongLength(1000, 500), 502, "transient", ""},
		"nothing of what's declared": {sandbox.WrongLength(1000, 0), 502, "transient", ""},
		"half JSON as a whole":       {sandbox.GarbageJSON(), 502, "structure", ""},
		"more than JSON":             {answering(200, `{"resourceType":"Patient"}{}`, "Content-Type", fhirJSON), 502, "structure", ""},
		"HTML with 200":              {sandbox.HTMLError(200), 502, "structure", ""},
		"text that is no JSON":       {answering(200, "OK", "Content-Type", fhirJSON), 502, "structure", ""},
		"JSON as HTML":               {answering(200, `{"resourceType":"Patient"}`, "Content-Type", "text/html"), 502, "structure", ""},
		"nothing with 200":           {answering(200, "", "Content-Type", fhirJSON), 502, "structure", ""},
		"a coding nobody asked for":  {answering(200, "\x0b\x02\x80{}\x03", "Content-Type", fhirJSON, "Content-Encoding", "br"), 502, "structure", ""},
		"broken gzip":                {answering(200, "\x1f\x8bcanary", "Content-Type", fhirJSON, "Content-Encoding", "gzip"), 502, "transient", ""},
		"gzip bomb":                  {gzipBomb(), 502, "structure", ""},
		"endless body":               {endless(), 502, "structure", ""},
		"redirect loop":              {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }), 502, "security", ""},
		"redirect":                   {answering(302, "", "Location", "https://elsewhere.example/fhir/Patient/1", "Etag", `W/"1"`), 502, "security", ""},
		"switching protocols":        {answering(101, "", "Upgrade", "canary", "Connection", "Upgrade"), 502, "structure", ""},
		"status 999":                 {answering(999, "canary"), 502, "structure", ""},
		"HTML 404":                   {sandbox.HTMLError(404), 404, "not-found", ""},
		"HTML 500":                   {sandbox.HTMLError(500), 502, "exception", ""},
		"HTML 503":                   {sandbox.HTMLError(503), 503, "transient", "30"},
		"HTML 504":                   {sandbox.HTMLError(504), 504, "timeout", ""},
		"plain 400":                  {answering(400, "bad: canary", "Content-Type", "text/plain"), 400, "processing", ""},
		"empty 403":                  {answering(403, "", "WWW-Authenticate", `Bearer realm="canary"`), 403, "forbidden", ""},
		"401":                        {answering(401, "", "WWW-Authenticate", `Bearer realm="canary"`), 502, "transient", ""},
		"401 with an outcome":        {answering(401, outcome, "Content-Type", fhirJSON), 502, "transient", ""},
		"407":                        {answering(407, "", "Proxy-Authenticate", "Basic"), 502, "transient", ""},
		"410":                        {answering(410, ""), 410, "deleted", ""},
		"409":                        {answering(409, ""), 409, "conflict", ""},
		"412":                        {answering(412, ""), 412, "conflict", ""},
		"413":                        {answering(413, ""), 413, "too-long", ""},
		"415":                        {answering(415, ""), 415, "not-supported", ""},
		"422 in half JSON":           {answering(422, outcome[:len(outcome)-2], "Content-Type", fhirJSON), 422, "processing", ""},
		"outcome":                    {answering(423, outcome, "Content-Type", fhirJSON), 423, "lock-error", ""},
		"429, seconds":               {sandbox.Refuse(429, "7"), 429, "throttled", "7"},
		"429, nothing":               {sandbox.Refuse(429, ""), 429, "throttled", "30"},
		"429, zero":                  {sandbox.Refuse(429, "0"), 429, "throttled", "1"},
		"429, garbage":               {sandbox.Refuse(429, "canary"), 429, "throttled", "30"},
		"429, an age":                {sandbox.Refuse(429, "99999999999999"), 429, "throttled", "86400"},
		"429, in the past":           {sandbox.Refuse(429, "Mon, 02 Jan 2006 15:04:05 GMT"), 429, "throttled", "1"},
		"429, no FHIR":               {answering(429, "slow down", "Retry-After", "12"), 429, "throttled", "12"},
		"503, outcome":               {sandbox.Refuse(503, ""), 503, "transient", "30"},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.harborAnswers(tc.hospital)
			b.hospitals.Harbor.ResetCalls()
			a := b.call("GET", "/fhir/harbor/Patient/100001?_tag=canary", "")
			require.Equal(t, tc.status, a.StatusCode, "%s", a.body)
			require.NoError(t, a.err)
			code, _ := a.outcome(t)
			require.Equal(t, tc.code, code)
			require.Equal(t, "application/fhir+json; charset=utf-8", a.Header.Get("Content-Type"))
			require.Equal(t, tc.retry, a.Header.Get("Retry-After"))
			for _, name := range []string{"Location", "Etag", "WWW-Authenticate", "Proxy-Authenticate", "Upgrade"} {
				require.Empty(t, a.Header.Get(name), name)
			}
			require.NotContains(t, string(a.body), "canary")
			want, calls := max(repeated[name], 1), b.hospitalCalls()
			require.Contains(t, []int{want, want + 1}, calls, "once more is net/http's, on a connection that died unused")
			table = append(table, fmt.Sprintf("| %s | %d `%s` | %s | %d |", name, tc.status, tc.code, orNone(tc.retry), want))
		})
	}
	b.t = t
	require.NotContains(t, b.log.String(), "canary")

	table = append(table, b.unreachable()...)

	b.harborAnswers(sandbox.ResetBefore())
	b.hospitals.Harbor.ResetCalls()
	require.Equal(t, 502, b.call("POST", "/fhir/harbor/Patient", `{"resourceType":"Patient"}`).StatusCode)
	require.Equal(t, 1, b.hospitalCalls(), "a create must never be sent twice")
	writtenDown(t, table)
}

// unreachable reads from hospitals to which no connection comes about, and
// returns their rows of the table. Harbor is itself again afterwards.
func (b *bench) unreachable() []string {
	b.t.Helper()
	expired := httptest.NewUnstartedServer(answering(200, "{}"))
	certificate, roots := selfSigned(b.t, time.Now().Add(-time.Hour), "127.0.0.1")
	expired.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	expired.StartTLS()
	defer expired.Close()
	foreign := httptest.NewUnstartedServer(answering(200, "{}"))
	other, otherRoots := selfSigned(b.t, time.Now().Add(time.Hour), "other.example")
	foreign.TLS = &tls.Config{Certificates: []tls.Certificate{other}}
	foreign.StartTLS()
	defer foreign.Close()
	unknown := httptest.NewTLSServer(answering(200, "{}"))
	defer unknown.Close()

	harbor := b.routes[slices.IndexFunc(b.routes, func(r *routes.Route) bool { return r.ID == "harbor" })]
	before := harbor.Upstream
	defer func() { harbor.Upstream = before; b.trust = nil; b.configure() }()
	var rows []string
	for name, tc := range map[string]struct {
		base  string
		trust *x509.CertPool
	}{
		"connection refused":  {"http://127.0.0.1:1/fhir", nil},
		"name not found":      {"http://hospital.invalid/fhir", nil},
		"expired certificate": {expired.URL + "/fhir", roots},
		"wrong host name":     {foreign.URL + "/fhir", otherRoots},
		"unknown authority":   {unknown.URL + "/fhir", nil},
	} {
		b.trust = tc.trust
		harbor.Upstream = routes.Upstream{BaseURL: tc.base}
		b.configure()
		a := b.call("GET", "/fhir/harbor/Patient/100001", "")
		require.Equal(b.t, 502, a.StatusCode, "%s: %s", name, a.body)
		code, _ := a.outcome(b.t)
		require.Equal(b.t, "transient", code, name)
		rows = append(rows, fmt.Sprintf("| %s | 502 `transient` | – | 0 |", name))
	}
	return rows
}

// selfSigned returns a certificate for a host that is its own authority.
func selfSigned(t *testing.T, until time.Time, host string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: until.Add(-48 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{host},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// gzipBomb answers 64 MiB that come as 64 KiB.
func gzipBomb() http.Handler {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(make([]byte, 64<<20))
	_ = w.Close()
	return answering(200, packed.String(), "Content-Type", fhirJSON, "Content-Encoding", "gzip")
}

// endless answers white space until nobody listens.
func endless() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", fhirJSON)
		for r.Context().Err() == nil {
			_, _ = w.Write(bytes.Repeat([]byte(" "), 64<<10))
		}
	})
}

// faultsFile is the table of faults as people read it.
const faultsFile = "../docs/faults.md"

// writtenDown compares the table with the page that is made from it, or writes
// the page where UPDATE is set.
func writtenDown(t *testing.T, table []string) {
	t.Helper()
	slices.Sort(table)
	page := faultsHead + strings.Join(table, "\n") + "\n"
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(faultsFile, []byte(page), 0o644))
	}
	written, err := os.ReadFile(faultsFile)
	require.NoError(t, err)
	require.Equal(t, string(written), page, "docs/faults.md is made by UPDATE=1 go test ./facade -run Faults")
}

const faultsHead = "# What a caller gets when a hospital fails\n\n" +
	"Made from the test `TestFaultsBeforeTheAnswer` (UPDATE=1 go test ./facade -run Faults): do not edit.\n\n" +
	"Each row is a read of a Patient. The caller always gets an OperationOutcome with the request id, and never\n" +
	"anything that the hospital sent. A create, update, patch or delete is sent once in every row, and again only when\n" +
	"no connection could be made. What goes wrong after the first 1 MiB of an answer breaks the caller's connection off.\n\n" +
	"| the hospital | the caller gets | Retry-After | calls the hospital sees |\n|---|---|---|---|\n"

func orNone(s string) string {
	if s == "" {
		return "–"
	}
	return s + " s"
}

// TestFaultsWithinTheAnswer holds what a hospital can do wrong when a part of its
// answer is out: the connection breaks, and nobody takes half for the whole.
func TestFaultsWithinTheAnswer(t *testing.T) {
	b := newBench(t, nil)
	const mib = 1 << 20
	whole := large() + "}"
	for name, hospital := range map[string]http.Handler{
		"resets":             sandbox.ResetMidBody(4*mib, 3*mib),
		"half":               sandbox.HalfBody(6 * mib),
		"less than declared": sandbox.WrongLength(4*mib, 3*mib),
		"JSON without end":   answering(200, large(), "Content-Type", fhirJSON),
		"JSON that breaks":   answering(200, large()+",}", "Content-Type", fhirJSON),
		"data after JSON":    answering(200, whole+"{}", "Content-Type", fhirJSON),
		"stalls": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, large())
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}),
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.harborAnswers(hospital)
			b.hospitals.Harbor.ResetCalls()
			a := b.call("GET", "/fhir/harbor/Patient?_count=1000", "")
			require.Equal(t, 200, a.StatusCode)
			require.ErrorIs(t, a.err, io.ErrUnexpectedEOF)
			require.Greater(t, len(a.body), holdBack/2)
			require.Equal(t, 1, b.hospitalCalls())
			require.Eventually(t, func() bool { return strings.Contains(b.log.String(), `"aborted":true`) }, time.Second, 10*time.Millisecond)
		})
	}
	b.t = t
	b.harborAnswers(answering(200, whole, "Content-Type", fhirJSON))
	a := b.call("GET", "/fhir/harbor/Patient", "")
	require.NoError(t, a.err)
	require.Equal(t, whole, string(a.body), "without a fault it comes whole")
}

// A connection of HTTP/1.0 ends every answer in the same way, so that half of
// one could not be told from the whole.
func TestAnOldClientGetsNoAnswerThatItCannotCheck(t *testing.T) {
	b := newBench(t, nil)
	b.harborAnswers(answering(200, large()+"}", "Content-Type", fhirJSON))
	status, _ := b.raw("GET /fhir/harbor/Patient HTTP/1.0\r\nAuthorization: Bearer alice\r\n\r\n")
	require.Equal(t, 505, status)
	b.harborAnswers(answering(200, `{"resourceType":"Bundle"}`, "Content-Type", fhirJSON))
	status, body := b.raw("GET /fhir/harbor/Patient HTTP/1.0\r\nAuthorization: Bearer alice\r\n\r\n")
	require.Equal(t, 200, status)
	require.Equal(t, `{"resourceType":"Bundle"}`, body)
}

// TestAnswersWithoutABody holds the statuses and interactions whose answer may
// be empty.
func TestAnswersWithoutABody(t *testing.T) {
	b := newBench(t, nil)
	const patient = `{"resourceType":"Patient"}`
	for name, tc := range map[string]struct {
		method, path, body string
		hospital           http.Handler
		status             int
	}{
		"create, as Oracle":       {"POST", "Patient", patient, answering(201, "", "Content-Type", "text/html", "Location", "BASE/Patient/5/_history/1"), 201},
		"create, a line":          {"POST", "Patient", patient, answering(201, "\r\n", "Content-Type", "text/plain", "Location", "Patient/5/_history/1"), 201},
		"create, a page":          {"POST", "Patient", patient, answering(201, "<html>created</html>", "Content-Type", "text/html", "Location", "/other/Patient/5/_history/1"), 201},
		"create, another host":    {"POST", "Patient", patient, answering(201, "", "Location", "https://internal.example:9/x/Patient/5/_history/1"), 201},
		"update":                  {"PUT", "Patient/5", `{"resourceType":"Patient","id":"5"}`, answering(200, "", "Location", "BASE/Patient/5/_history/1"), 200},
		"delete":                  {"DELETE", "Patient/5", "", answering(204, "", "Location", "BASE/Patient/5/_history/1"), 204},
		"not modified":            {"GET", "Patient/5", "", answering(304, "", "Location", "BASE/Patient/5/_history/1"), 304},
		"operation without a say": {"GET", "Patient/5/$everything", "", answering(200, "", "Location", "BASE/Patient/5/_history/1"), 200},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			hospital := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				recorded := &headerReplacer{ResponseWriter: w, base: b.hospitals.Harbor.BaseURL()}
				tc.hospital.ServeHTTP(recorded, r)
			})
			b.harborAnswers(hospital)
			a := b.call(tc.method, "/fhir/harbor/"+tc.path, tc.body)
			require.Equal(t, tc.status, a.StatusCode, "%s", a.body)
			require.Empty(t, a.body)
			require.Equal(t, b.server.URL+"/fhir/harbor/Patient/5/_history/1", a.Header.Get("Location"))
		})
	}
}

// headerReplacer puts the hospital's base into the headers of an answer.
type headerReplacer struct {
	http.ResponseWriter
	base string
}

func (w *headerReplacer) WriteHeader(status int) {
	for name, values := range w.Header() {
		for i := range values {
			w.Header()[name][i] = strings.ReplaceAll(values[i], "BASE", w.base)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func TestLargeAnswersStreamAsTheyAre(t *testing.T) {
	b := newBench(t, nil)
	entry := `{"fullUrl":"` + b.hospitals.Harbor.BaseURL() + `/Observation/1","resource":{"resourceType":"Observation","unknown":{"a":[1.0,1e5,-0.00,12345678901234567890.10]},"_status":null,"valueQuantity":{"value":1.0}}}`
	ours := strings.Replace(entry, b.hospitals.Harbor.BaseURL(), b.server.URL+"/fhir/harbor", 1)
	for name, n := range map[string]int{"small": 3, "large": 3 * holdBack / len(entry)} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			bundle := func(entry string) string {
				return "{ \"type\":\"searchset\",\n\"resourceType\":\"Bundle\",\"total\":1.0,\"entry\":[" + strings.TrimSuffix(strings.Repeat(entry+",", n), ",") + "]}\n"
			}
			b.harborAnswers(answering(200, bundle(entry), "Content-Type", fhirJSON))
			a := b.call("GET", "/fhir/harbor/Observation", "")
			require.Equal(t, 200, a.StatusCode)
			require.NoError(t, a.err)
			require.Equal(t, strings.TrimRight(bundle(ours), "\n"), strings.TrimRight(string(a.body), "\n"))

			head := b.call("HEAD", "/fhir/harbor/Observation", "")
			require.Equal(t, 200, head.StatusCode)
			require.Empty(t, head.body)
		})
	}
}

func TestSignedBundlesPassUnchanged(t *testing.T) {
	b := newBench(t, nil)
	base := b.hospitals.Harbor.BaseURL()
	for name, n := range map[string]int{"small": 3, "large": 2 * holdBack} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			padding := strings.Repeat("x", n)
			bundle := `{"resourceType":"Bundle","type":"document","link":[{"relation":"self","url":"` + base + `/Bundle/1"}],"entry":[{"fullUrl":"` + base + `/Composition/1","resource":{"resourceType":"Composition","title":"` + padding +
				`"}}],"signature":{"who":{"reference":"` + base + `/Practitioner/1"},"data":"aGVsbG8="}}`
			b.harborAnswers(answering(200, bundle, "Content-Type", fhirJSON))
			a := b.call("GET", "/fhir/harbor/Patient/5/$everything", "")
			require.Equal(t, 200, a.StatusCode)
			require.NoError(t, a.err)
			require.Equal(t, bundle, string(a.body))
		})
	}
}

func TestGzipOfTheHospitalIsUndone(t *testing.T) {
	b := newBench(t, nil)
	whole := large() + "}"
	b.harborAnswers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Contains(t, r.Header.Get("Accept-Encoding"), "gzip")
		w.Header().Set("Content-Type", fhirJSON)
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(gzipped(t, whole))
	}))
	a := b.call("GET", "/fhir/harbor/Patient", "", "Accept-Encoding", "br")
	require.Equal(t, 200, a.StatusCode)
	require.Empty(t, a.Header.Get("Content-Encoding"))
	require.Equal(t, whole, string(a.body))
}

func TestBinariesPassRaw(t *testing.T) {
	b := newBench(t, nil)
	pdf := "%PDF-1.7\n" + strings.Repeat(b.hospitals.Harbor.BaseURL()+"/Patient/1 ", 100_000)
	for name, length := range map[string]bool{"with its length": true, "chunked": false} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.harborAnswers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				require.Equal(t, "application/pdf", r.Header.Get("Accept"))
				w.Header().Set("Content-Type", "application/pdf")
				w.Header().Set("Set-Cookie", "a=b")
				if length {
					w.Header().Set("Content-Length", strconv.Itoa(len(pdf)))
				}
				_, _ = io.Copy(w, bytes.NewReader([]byte(pdf)))
			}))
			a := b.call("GET", "/fhir/harbor/Binary/1", "", "Accept", "application/pdf")
			require.Equal(t, 200, a.StatusCode)
			require.Equal(t, "application/pdf", a.Header.Get("Content-Type"))
			require.Equal(t, "nosniff", a.Header.Get("X-Content-Type-Options"))
			require.Empty(t, a.Header.Get("Set-Cookie"))
			require.Equal(t, pdf, string(a.body))
		})
	}
	b.t = t
	for name, hospital := range map[string]http.Handler{
		"resets":     sandbox.ResetMidBody(4<<20, 3<<20),
		"half":       sandbox.HalfBody(6 << 20),
		"too little": sandbox.WrongLength(4<<20, 3<<20),
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.harborAnswers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hospital.ServeHTTP(w, r) }))
			a := b.call("GET", "/fhir/harbor/Binary/1", "", "Accept", "application/pdf")
			require.Equal(t, 200, a.StatusCode)
			require.ErrorIs(t, a.err, io.ErrUnexpectedEOF)
		})
	}
	b.t = t
	b.harborAnswers(answering(200, "not a pdf", "Content-Type", "application/pdf", "Content-Encoding", "br"))
	require.Equal(t, 502, b.call("GET", "/fhir/harbor/Binary/1", "", "Accept", "application/pdf").StatusCode, "the caller could not undo the coding")
}

func TestALargeCapabilityStatementIsNarrowedToo(t *testing.T) {
	b := newBench(t, nil)
	statement := func(n int) string {
		return `{"resourceType":"CapabilityStatement","description":"` + strings.Repeat("x", n) + `","rest":[{"mode":"server","resource":[{"type":"Patient","interaction":[{"code":"read"}]},{"type":"Claim","interaction":[{"code":"read"}]}]}]}`
	}
	b.harborAnswers(answering(200, statement(2*holdBack), "Content-Type", fhirJSON))
	a := b.call("GET", "/fhir/harbor/metadata", "")
	require.Equal(t, 200, a.StatusCode)
	require.NotContains(t, string(a.body), "Claim")
	b.harborAnswers(answering(200, statement(maxCapabilities), "Content-Type", fhirJSON))
	require.Equal(t, 502, b.call("GET", "/fhir/harbor/metadata", "").StatusCode)
	b.harborAnswers(sandbox.HalfBody(4 * holdBack))
	require.Equal(t, 502, b.call("GET", "/fhir/harbor/metadata", "").StatusCode)
}
