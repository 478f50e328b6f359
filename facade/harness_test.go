package facade

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"fhirgate/internal/logbuffer"
	"fhirgate/observe"
	"fhirgate/policies"
	"fhirgate/policies/smart"
	"fhirgate/routes"
	"fhirgate/sandbox"
	"fhirgate/sandbox/demo"
	"fhirgate/upstream"
)

// bench is a facade in front of the three simulated hospitals, served by
// net/http alone: the engine adds nothing that these tests look at.
type bench struct {
	t         *testing.T
	hospitals *demo.Hospitals
	facade    *Facade
	consumers fakeConsumers
	server    *httptest.Server
	limiter   *fakeLimiter
	log       *logbuffer.Buffer
	routes    []*routes.Route
	denied    []smart.Filter // of every hospital
	trust     *x509.CertPool // of hospitals by https; nil = the system's
}

const (
	aliceKey = "alice"
	bobKey   = "bob"
)

// fakeConsumers knows two consumers of the plan "all", one whose key has expired,
// one of a plan that reaches harbor only, and those that a test adds.
type fakeConsumers map[string]*Consumer

// add makes credential stand for a consumer; without a plan it is of "all".
func (f fakeConsumers) add(credential string, consumer Consumer) {
	if consumer.PlanID == "" {
		consumer.PlanID = "all"
	}
	if consumer.KeyID == "" {
		consumer.KeyID = "key_" + credential
	}
	f[credential] = &consumer
}

func (f fakeConsumers) Token(_ context.Context, token string, _ netip.Addr) (*Consumer, error) {
	if consumer := f[token]; consumer != nil {
		return consumer, nil
	}
	return nil, ErrUnknownKey
}

func (f fakeConsumers) Certificate(_ context.Context, fingerprint string, _ netip.Addr) (*Consumer, error) {
	return f.Token(context.Background(), fingerprint, netip.Addr{})
}

func (f fakeConsumers) Key(_ context.Context, key string, _ netip.Addr) (*Consumer, error) {
	if consumer := f[key]; consumer != nil {
		return consumer, nil
	}
	switch key {
	case aliceKey, bobKey:
		return &Consumer{KeyID: "key_" + key, PlanID: "all", Way: WayKey}, nil
	case "late":
		return &Consumer{KeyID: "key_late", PlanID: "all", Expires: time.Now().Add(-time.Second)}, nil
	case "harbor-only":
		return &Consumer{KeyID: "key_harbor", PlanID: "harbor-only"}, nil
	case "production":
		return &Consumer{KeyID: "key_production", PlanID: "production"}, nil
	case "no-plan":
		return &Consumer{KeyID: "key_no_plan", PlanID: "gone"}, nil
	case "store-down":
		return nil, io.ErrUnexpectedEOF
	}
	return nil, ErrUnknownKey
}

type fakeLimiter struct {
	mu      sync.Mutex
	verdict Verdict
	err     error
	costs   []int
}

func (l *fakeLimiter) Take(_ context.Context, _ string, _ *policies.Plan, cost int) (Verdict, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.costs = append(l.costs, cost)
	return l.verdict, l.err
}

// newBench starts everything. change may alter a simulated hospital's options.
func newBench(t *testing.T, change func(*sandbox.Options)) *bench {
	t.Helper()
	hospitals, err := demo.Start(t.TempDir(), demo.Addresses{}, change)
	require.NoError(t, err)
	t.Cleanup(func() { _ = hospitals.Close() })
	b := &bench{t: t, hospitals: hospitals, consumers: fakeConsumers{}, limiter: &fakeLimiter{verdict: Verdict{Allowed: true}}, log: &logbuffer.Buffer{}}
	read := routes.Read(os.DirFS(hospitals.Routes), ".")
	require.NoError(t, read.Problems.Err())
	b.routes = read.Sorted()

	sealer, err := NewSealer(testKeys("k1"))
	require.NoError(t, err)
	handler := slog.NewJSONHandler(b.log, nil)
	b.facade = New(nil, Options{
		Consumers: b.consumers, Limiter: b.limiter, Sealer: sealer,
		Access: observe.NewAccessLog(handler), Metrics: observe.NewMetrics("test"), Log: slog.New(handler),
	})
	b.server = httptest.NewServer(b.facade)
	t.Cleanup(b.server.Close)
	b.configure()
	return b
}

func testKeys(kids ...string) jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for _, kid := range kids {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: bytes.Repeat([]byte(kid[:1]), 32), KeyID: kid})
	}
	return set
}

// configure makes a snapshot of b.routes and puts it in force.
func (b *bench) configure() {
	b.t.Helper()
	var hospitals []*Hospital
	for _, route := range b.routes {
		auth := route.Upstream.Auth
		reveal := func(s interface{ Reveal() (string, error) }) string {
			value, err := s.Reveal()
			require.NoError(b.t, err)
			return value
		}
		h := &Hospital{Route: route, Denied: b.denied}
		client, err := upstream.New(upstream.Config{
			BaseURL: mustParse(b.t, route.Upstream.BaseURL),
			Auth: upstream.Auth{
				Kind: auth.Kind, TokenURL: auth.TokenURL, ClientID: reveal(auth.ClientID),
				ClientSecret: reveal(auth.ClientSecret), Key: reveal(auth.Key), Alg: auth.Alg, Scope: auth.Scope,
			},
			Timeouts:       upstream.Timeouts{FirstByte: time.Second, Idle: time.Second},
			PrivateNetwork: true,
			TLS:            &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: b.trust},
			Resilience:     upstream.Resilience{Breaker: upstream.Breaker{Calls: -1}}, // a test fails on purpose, again and again
		})
		require.NoError(b.t, err)
		h.Client = client
		hospitals = append(hospitals, h)
	}
	everywhere := []string{"sandbox"}
	all, err := smart.Parse([]string{"system/*.cruds", "user/*.cruds", "patient/*.cruds"})
	require.NoError(b.t, err)
	snapshot, err := NewSnapshot(b.server.URL, hospitals, []*policies.Plan{
		{ID: "all", Active: true, Hospitals: []string{"*"}, Environments: everywhere, Clinical: all},
		{ID: "harbor-only", Active: true, Hospitals: []string{"harbor"}, Environments: everywhere, Clinical: all},
		{ID: "production", Active: true, Hospitals: []string{"*"}, Environments: []string{"production"}, Clinical: all},
	})
	require.NoError(b.t, err)
	b.facade.Swap(snapshot)
}

// answer is what came back, read to its end.
type answer struct {
	*http.Response
	body []byte
	err  error // of reading the body
}

// outcome returns the issue code and diagnostics of an OperationOutcome.
func (a answer) outcome(t *testing.T) (code, diagnostics string) {
	t.Helper()
	var o struct {
		ResourceType string
		Issue        []struct{ Severity, Code, Diagnostics string }
	}
	require.NoError(t, json.Unmarshal(a.body, &o), "%s", a.body)
	require.Equal(t, "OperationOutcome", o.ResourceType)
	require.NotEmpty(t, o.Issue)
	require.NotEmpty(t, o.Issue[0].Severity)
	return o.Issue[0].Code, o.Issue[0].Diagnostics
}

// raw sends bytes as they are, and returns the status and the body.
func (b *bench) raw(request string) (int, string) {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
	require.NoError(b.t, err)
	defer conn.Close()
	require.NoError(b.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, request)
	require.NoError(b.t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(b.t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return resp.StatusCode, string(body)
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return buf.Bytes()
}

// call makes a request with alice's key; header are name, value pairs. target
// is a path or a whole URL.
func (b *bench) call(method, target, body string, header ...string) answer {
	b.t.Helper()
	if !strings.HasPrefix(target, "http") {
		target = b.server.URL + target
	}
	var sent io.Reader
	if body != "" {
		sent = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, target, sent)
	require.NoError(b.t, err)
	r.Header.Set("Authorization", "Bearer "+aliceKey)
	if body != "" {
		r.Header.Set("Content-Type", "application/fhir+json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	client := &http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	a := answer{Response: resp}
	a.body, a.err = io.ReadAll(resp.Body)
	return a
}

// lastBody returns the body of the last call that arrived at harbor. The
// simulator notes it when it has answered, which may be a moment after we were.
func (b *bench) lastBody() []byte {
	b.t.Helper()
	var body []byte
	require.Eventually(b.t, func() bool {
		calls := b.hospitals.Harbor.Calls()
		body = calls[len(calls)-1].Body
		return len(body) > 0
	}, 5*time.Second, time.Millisecond)
	return body
}
