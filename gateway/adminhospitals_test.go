package gateway

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys"
	"fhirgate/observe"
	"fhirgate/routes"
	"fhirgate/upstream"
	"fhirgate/upstream/budget"
	"fhirgate/upstream/jwks"
	"fhirgate/upstream/tokens"
)

// ward is a hospital of a test: its FHIR server and token endpoint.
type ward struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc] // of everything but the token endpoint; nil = 200
	token  atomic.Pointer[http.HandlerFunc]
	calls  atomic.Int64 // of its FHIR server
}

func newWard(t *testing.T) *ward {
	w := &ward{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		handle := w.answer.Load()
		if r.URL.Path == "/token" {
			handle = w.token.Load()
		} else {
			w.calls.Add(1)
		}
		switch {
		case handle != nil:
			(*handle)(rw, r)
		case r.URL.Path == "/token":
			_, _ = io.WriteString(rw, `{"access_token":"token-of-the-ward","token_type":"Bearer","expires_in":3600}`)
		default:
			_, _ = io.WriteString(rw, `{"resourceType":"CapabilityStatement"}`)
		}
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *ward) says(answer, token http.HandlerFunc) {
	w.answer.Store(nil)
	w.token.Store(nil)
	if answer != nil {
		w.answer.Store(&answer)
	}
	if token != nil {
		w.token.Store(&token)
	}
}

const wardSecret = "s3cret-of-the-client"

// hospitalBench is an admin API in front of two hospitals: the ward, with all
// that there is to tell of, and bay, with nothing.
type hospitalBench struct {
	*adminBench
	ward   *ward
	files  fstest.MapFS
	api    *admin
	reload *reloader
	client *adminapi.Client
}

func newHospitalBench(t *testing.T) *hospitalBench {
	t.Setenv("CLIENT_SECRET", wardSecret)
	b := &hospitalBench{adminBench: newAdminBench(t), ward: newWard(t)}
	b.files = fstest.MapFS{
		"routes/bay.yaml":        {Data: []byte(routeFile)},
		"routes/ward.yaml":       {Data: []byte(strings.ReplaceAll(wardFile, "WARD", b.ward.URL))},
		"policies/day.json":      {Data: []byte(planFile)},
		"policies/night.json":    {Data: []byte(nightFile)},
		"transforms/unused.yaml": {Data: []byte(vendorFile)},
	}
	client := redis.NewClient(&redis.Options{Addr: b.store.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	shared := &shared{redis: client, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	shared.encryption = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: bytes.Repeat([]byte("k"), 32), KeyID: "k"}}}
	var err error
	shared.tokens, err = tokens.New(client, shared.encryption)
	require.NoError(t, err)
	t.Cleanup(shared.tokens.Close)
	shared.rings, err = jwks.Open(jwks.Options{Redis: client, SealKeys: shared.encryption, Log: shared.log})
	require.NoError(t, err)

	b.reload = &reloader{
		fsys: b.files, folders: Folders{Routes: "routes", Transforms: "transforms", Policies: "policies"}, shared: shared,
		publicURL: "https://fhir.example/", linkKeys: filepath.Join(t.TempDir(), "link-keys"), metrics: observe.NewMetrics("test"), log: shared.log,
		portal:   noPortal,
		policies: func(context.Context, *Files) error { return nil },
	}
	read, err := readFiles(b.files, b.reload.folders)
	require.NoError(t, err)
	snapshot, err := read.Snapshot(b.reload.publicURL, nil, shared)
	require.NoError(t, err)
	b.reload.facade = facade.New(snapshot, facade.Options{})
	b.reload.note(nil)
	b.api = &admin{
		secret: adminTestSecret, keeper: keys.NewKeeper(noTyk{}, client), snapshot: b.reload.facade.Snapshot, reload: b.reload.reload,
		metrics: http.NotFoundHandler(), rings: shared.rings, public: b.reload.publicURL, version: "1.2.3", lastReload: b.reload.lastReload,
		capabilities: b.reload.facade.ServeCapabilities,
	}
	b.server = httptest.NewServer(b.api.handler())
	t.Cleanup(b.server.Close)
	b.client = adminapi.NewClient(b.server.URL, adminTestSecret)
	return b
}

const wardFile = `version: 1
id: ward
name: The ward
vendor: unused
environment: production
time_zone: Europe/Berlin
accept: [token]
upstream:
  base_url: "WARD/fhir"
  private_network: true
  auth: {kind: client_secret_post, token_url: "WARD/token", client_id: gateway, client_secret: {env: CLIENT_SECRET}}
  budget: {requests: 100, per: 1h, concurrency: 7}
  resilience: {retries: 0}
interactions: {Patient: [read, search-type], system: [batch]}
operations: {Patient: ["$everything"]}
deny: [{type: Observation, where: "_security=R"}, {type: Flag}]
rules:
  request: [{name: own, when: {type: Patient, interaction: search-type}, do: [{param.cap: {name: _count, max: 5}}]}]
`

const nightFile = `{"id": "night", "name": "Night", "active": true, "rate": 10, "per": 60, "quota_max": 99, "quota_renewal_rate": 3600,
  "access_rights": {"fhir": {"api_id": "fhir", "api_name": "fhir", "versions": ["Default"]}},
  "meta_data": {"fhirgate": {"hospitals": ["*"], "environments": ["production", "sandbox"], "scopes": ["system/*.rs"], "burst": 20, "requires": ["purpose"]}}}`

func TestHospitalsByTheAdminAPI(t *testing.T) {
	b := newHospitalBench(t)
	all, err := b.client.Hospitals(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, adminapi.Hospital{
		ID: "bay", Environment: "sandbox", TimeZone: "UTC", Interactions: map[string][]string{"Patient": {"read"}},
		Breaker: "closed", Auth: "none",
	}, all[0])
	require.Equal(t, adminapi.Hospital{
		ID: "ward", Name: "The ward", Vendor: "unused", Environment: "production", TimeZone: "Europe/Berlin", Accept: []string{"token"},
		Interactions: map[string][]string{"Patient": {"read", "search-type"}, "system": {"batch"}},
		Operations:   map[string][]string{"Patient": {"$everything"}},
		VendorRules:  1, OwnRules: 1, DenyRules: 2, Breaker: "closed", Auth: "client_secret_post",
		Budget: &adminapi.Budget{Requests: 100, Per: adminapi.Duration(time.Hour), Left: 100, Concurrency: 7},
	}, all[1])
	require.Zero(t, b.ward.calls.Load(), "nobody is asked")

	before := time.Now()
	check, err := b.client.CheckHospital(t.Context(), "ward")
	require.NoError(t, err)
	require.True(t, check.Reachable, "%+v", check)
	require.Equal(t, 200, check.Status)
	require.Empty(t, check.Problem)
	shown, err := b.client.Hospital(t.Context(), "ward")
	require.NoError(t, err)
	require.True(t, shown.LastAnswer.After(before))
	require.True(t, shown.LastFailure.IsZero())
	require.Equal(t, 99, shown.Budget.Left, "a check counts as any call")
	require.WithinDuration(t, before, shown.Token.Obtained, time.Minute)
	require.WithinDuration(t, before.Add(time.Hour), shown.Token.Expires, time.Minute)
	status, text := b.call(t, "GET", "/admin/hospitals", "")
	require.Equal(t, 200, status)
	for _, secret := range []string{"token-of-the-ward", wardSecret} {
		require.NotContains(t, text, secret)
	}

	b.ward.says(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/fhir+json")
		_, _ = io.WriteString(w, `{"resourceType":"CapabilityStatement","rest":[{"mode":"server","resource":[{"type":"Patient"},{"type":"Claim"}]}]}`)
	}, nil)
	statement, err := b.client.Capabilities(t.Context(), "ward")
	require.NoError(t, err)
	require.Contains(t, string(statement), `"type":"Patient"`)
	require.NotContains(t, string(statement), "Claim", "the route does not list it")
	_, err = b.client.Capabilities(t.Context(), "word")
	require.True(t, adminapi.Refused(err, http.StatusNotFound))
	b.ward.says(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, nil)
	_, err = b.client.Capabilities(t.Context(), "ward")
	require.True(t, adminapi.Refused(err, http.StatusBadGateway), "%v", err)
	status, _ = b.call(t, "GET", "/admin/hospitals/ward/metadata", "", "Bearer wrong")
	require.Equal(t, 401, status)

	_, err = b.client.Hospital(t.Context(), "word")
	require.True(t, adminapi.Refused(err, http.StatusNotFound))
	_, err = b.client.CheckHospital(t.Context(), "word")
	require.True(t, adminapi.Refused(err, http.StatusNotFound))
	b.store.SetError("store is away")
	status, _ = b.call(t, "GET", "/admin/hospitals", "")
	require.Equal(t, 503, status)
}

// What was seen of a hospital survives a reload, as its client does.
func TestWhatWasSeenSurvivesAReload(t *testing.T) {
	b := newHospitalBench(t)
	b.ward.says(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, nil)
	check, err := b.client.CheckHospital(t.Context(), "ward")
	require.NoError(t, err)
	require.Equal(t, 500, check.Status)
	before, err := b.client.Hospital(t.Context(), "ward")
	require.NoError(t, err)
	require.Equal(t, "exception", before.FailureIssue)
	b.files["routes/ward.yaml"].Data = bytes.Replace(b.files["routes/ward.yaml"].Data, []byte("name: The ward"), []byte("name: Another name"), 1)
	_, err = b.client.Reload(t.Context())
	require.NoError(t, err)
	after, err := b.client.Hospital(t.Context(), "ward")
	require.NoError(t, err)
	require.Equal(t, "Another name", after.Name)
	require.Equal(t, before.LastFailure, after.LastFailure)
	require.Equal(t, before.FailureIssue, after.FailureIssue)
}

func TestHowAHospitalIsShown(t *testing.T) {
	end := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	certificate := func(change func(*x509.Certificate)) *x509.Certificate {
		c := &x509.Certificate{NotAfter: end, DNSNames: []string{"fhir.example", "other.example"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}}
		change(c)
		return c
	}
	for name, tc := range map[string]struct {
		state upstream.State
		want  adminapi.Hospital
	}{
		"nothing is known":       {},
		"a token that has ended": {state: upstream.State{Token: &tokens.State{}}},
		"our certificate, by its common name": {
			upstream.State{OwnCertificate: certificate(func(c *x509.Certificate) { c.Subject.CommonName = "gateway" })},
			adminapi.Hospital{Certificates: []adminapi.Certificate{{Role: "client", Subject: "gateway", NotAfter: end}}},
		},
		"the hospital's, by its host": {
			upstream.State{ServerCertificate: certificate(func(*x509.Certificate) {})},
			adminapi.Hospital{Certificates: []adminapi.Certificate{{Role: "server", Subject: "fhir.example", NotAfter: end}}},
		},
		"by its address": {
			upstream.State{ServerCertificate: certificate(func(c *x509.Certificate) { c.DNSNames = nil })},
			adminapi.Hospital{Certificates: []adminapi.Certificate{{Role: "server", Subject: "192.0.2.1", NotAfter: end}}},
		},
		"a budget that others have overdrawn": {
			upstream.State{Budget: &budget.State{Limit: 5, Used: 7}},
			adminapi.Hospital{Budget: &adminapi.Budget{Requests: 5, Per: adminapi.Duration(time.Minute)}},
		},
		"a pause that the hospital asked for": {
			upstream.State{Budget: &budget.State{Limit: 5, ClosedUntil: end}},
			adminapi.Hospital{Budget: &adminapi.Budget{Requests: 5, Per: adminapi.Duration(time.Minute)}},
		},
		"calls at once alone are limited": {
			upstream.State{Budget: &budget.State{Concurrency: 3, InFlight: 2}},
			adminapi.Hospital{Budget: &adminapi.Budget{Per: adminapi.Duration(time.Minute), Concurrency: 3}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var shown adminapi.Hospital
			fillState(&shown, &facade.Hospital{Route: &routes.Route{}}, tc.state)
			require.Equal(t, tc.want, shown)
		})
	}
}

func TestTheRingOfAHospital(t *testing.T) {
	b := newHospitalBench(t)
	b.files["routes/ward.yaml"].Data = bytes.Replace(b.files["routes/ward.yaml"].Data,
		[]byte("kind: client_secret_post"), []byte("kind: smart-backend, key_ring: ours"), 1)
	b.files["routes/ward.yaml"].Data = bytes.Replace(b.files["routes/ward.yaml"].Data, []byte(", client_secret: {env: CLIENT_SECRET}"), nil, 1)
	_, err := b.client.Reload(t.Context())
	require.NoError(t, err)
	shown, err := b.client.Hospital(t.Context(), "ward")
	require.NoError(t, err)
	require.Equal(t, &adminapi.RingState{Name: "ours"}, shown.KeyRing, "there is none of this name")

	made, err := b.client.CreateRing(t.Context(), adminapi.NewRing{Name: "ours", Alg: jose.ES384})
	require.NoError(t, err)
	shown, err = b.client.Hospital(t.Context(), "ward")
	require.NoError(t, err)
	require.Equal(t, &adminapi.RingState{Name: "ours", KeyID: made.Keys[0].KID}, shown.KeyRing)
	rotating, err := b.client.RotateRing(t.Context(), "ours", adminapi.RingRotation{})
	require.NoError(t, err)
	all, err := b.client.Hospitals(t.Context())
	require.NoError(t, err)
	require.Equal(t, made.Keys[0].KID, all[1].KeyRing.KeyID)
	require.Equal(t, rotating.Keys[0].Stops, all[1].KeyRing.Expires)
	require.False(t, all[1].KeyRing.Expires.IsZero())
}

func TestAHospitalIsChecked(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, `{"error":"invalid_client","hint":"canary"}`)
		}
	}
	for name, tc := range map[string]struct {
		answer, token http.HandlerFunc
		reachable     bool
		status        int
		problem       string
	}{
		"well":                 {nil, nil, true, 200, ""},
		"not found":            {status(404), nil, true, 404, "the hospital answered 404 when asked for its CapabilityStatement"},
		"failed":               {status(500), nil, true, 500, "the hospital answered 500"},
		"refuses the token":    {status(401), nil, false, 0, "the hospital refuses the gateway's access token, although it is fresh"},
		"refuses the client":   {nil, status(401), false, 0, "could not log in to the hospital: the token endpoint will go on refusing this: the token endpoint answered 401 with the error invalid_client"},
		"token endpoint fails": {nil, status(500), false, 0, "could not log in to the hospital"},
		"breaks off":           {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, false, 0, "could not be reached, or broke the connection off"},
		"breaks off later": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			_, _ = io.WriteString(w, "canary")
		}, nil, true, 200, "broke its answer off"},
		"redirects away": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/?canary", http.StatusFound)
		}, nil, false, 0, "redirects to a host that its route does not allow"},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 64<<10))
			}
		}, nil, true, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newHospitalBench(t)
			b.ward.says(tc.answer, tc.token)
			check, err := b.client.CheckHospital(t.Context(), "ward")
			require.NoError(t, err)
			require.Equal(t, tc.reachable, check.Reachable, "%+v", check)
			require.Equal(t, tc.status, check.Status)
			require.Contains(t, check.Problem, tc.problem)
			require.Equal(t, tc.problem == "", check.Problem == "", check.Problem)
			for _, never := range []string{wardSecret, "token-of", "http://", "https://", "?", "canary"} {
				require.NotContains(t, check.Problem, never)
			}
		})
	}
}

// A check is a person's question why a hospital is down: it goes past an open
// breaker, counts in the budget, and leaves the cause to be seen.
func TestACheckGoesPastAnOpenBreaker(t *testing.T) {
	b := newHospitalBench(t)
	b.ward.says(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, nil)
	client := b.api.snapshot().Hospitals["ward"].Client
	for range 50 {
		if client.BreakerState() == "open" {
			break
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.ward.URL+"/fhir/metadata", nil)
		require.NoError(t, err)
		resp, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	before, err := b.client.Hospital(t.Context(), "ward")
	require.NoError(t, err)
	require.Equal(t, "open", before.Breaker)
	require.Equal(t, "transient", before.FailureIssue)
	require.Equal(t, "status 503", before.FailureCause)

	b.ward.says(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, nil)
	check, err := b.client.CheckHospital(t.Context(), "ward")
	require.NoError(t, err)
	require.Equal(t, 500, check.Status, "%+v", check)
	b.ward.Close()
	check, err = b.client.CheckHospital(t.Context(), "ward")
	require.NoError(t, err)
	require.False(t, check.Reachable)
	require.Contains(t, check.Problem, "connection refused")
	after, err := b.client.Hospital(t.Context(), "ward")
	require.NoError(t, err)
	require.Equal(t, "open", after.Breaker)
	require.Equal(t, "connection refused", after.FailureCause)
	require.Equal(t, before.Budget.Left-2, after.Budget.Left)
}

// However many check a hospital at the same time, it is called by one at a time.
func TestChecksAreShared(t *testing.T) {
	b := newHospitalBench(t)
	var atOnce, most atomic.Int64
	another := make(chan struct{}, 100)
	b.ward.says(func(http.ResponseWriter, *http.Request) {
		most.Store(max(most.Load(), atOnce.Add(1)))
		defer atOnce.Add(-1)
		another <- struct{}{}
		for range 2 {
			select {
			case <-another:
			case <-time.After(20 * time.Millisecond):
			}
		}
	}, nil)
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			check, err := b.client.CheckHospital(t.Context(), "ward")
			if err != nil || check.Status != 200 {
				t.Errorf("%+v %v", check, err)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 1, most.Load())
}

func TestPlansAndAbout(t *testing.T) {
	b := newHospitalBench(t)
	all, err := b.client.Plans(t.Context())
	require.NoError(t, err)
	require.Equal(t, []adminapi.Plan{
		{ID: "day", Active: true, Environments: []string{"sandbox"}, Hospitals: []string{"bay"}, Scopes: []string{"system/*.cruds"}, Rate: 10, Per: adminapi.Duration(time.Second), Burst: 10},
		{
			ID: "night", Name: "Night", Active: true, Environments: []string{"production", "sandbox"}, Hospitals: []string{"bay", "ward"}, Scopes: []string{"system/*.rs"},
			Rate: 10, Per: adminapi.Duration(time.Minute), Burst: 20, Quota: 99, QuotaPeriod: adminapi.Duration(time.Hour), Purpose: true,
		},
	}, all)
	about, err := b.client.About(t.Context())
	require.NoError(t, err)
	require.Equal(t, &adminapi.About{Version: "1.2.3", PublicURL: "https://fhir.example"}, about)

	b.files["policies/day.json"].Data = []byte(strings.Replace(planFile, `"active": true`, `"active": false`, 1))
	_, err = b.client.Reload(t.Context())
	require.NoError(t, err)
	status, text := b.call(t, "GET", "/admin/plans", "")
	require.Equal(t, 200, status)
	require.Contains(t, text, `"active":false,"environments":["sandbox"],"hospitals":[]`)
}

// How the last reload went is told whoever asked for it, and the start counts as one.
func TestTheLastReload(t *testing.T) {
	b := newHospitalBench(t)
	last, err := b.client.LastReload(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), last.At, time.Minute)
	require.Equal(t, adminapi.Reloading{At: last.At, Taken: true, Problems: []string{}, Hospitals: 2, Plans: 2}, *last)

	b.files["routes/cove.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(routeFile, "id: bay", "id: cove\nunknown: 1", 1))}
	b.files["routes/dock.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(routeFile, "id: bay", "id: dock\nvendor: none", 1))}
	require.Error(t, b.reload.reload(t.Context()))
	last, err = b.client.LastReload(t.Context())
	require.NoError(t, err)
	require.False(t, last.Taken)
	require.Equal(t, []int{2, 2}, []int{last.Hospitals, last.Plans}, "of those in force")
	require.NotEmpty(t, last.Problems)
	for _, problem := range last.Problems {
		require.Regexp(t, `^routes/[a-z]+\.yaml:\d+:\d+: .`, problem)
	}

	delete(b.files, "routes/dock.yaml")
	b.files["routes/cove.yaml"].Data = []byte(strings.Replace(routeFile, "id: bay", "id: cove", 1))
	_, err = b.client.Reload(t.Context())
	require.NoError(t, err)
	last, err = b.client.LastReload(t.Context())
	require.NoError(t, err)
	require.True(t, last.Taken)
	require.Equal(t, 3, last.Hospitals)
	require.Empty(t, last.Problems)
}
