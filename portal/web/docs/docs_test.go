package docs

import (
	"context"
	"errors"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/internal/logbuffer"
	"fhirgate/portal/openapi"
	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
	"fhirgate/portal/tryit"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// gateway is what the pages know of one, and its public endpoint.
type gateway struct {
	hospitals []adminapi.Hospital
	err       error
	calls     []string
	answers   map[string]string // by request URI
}

func (g *gateway) Hospitals(context.Context) ([]adminapi.Hospital, error) {
	return slices.Clone(g.hospitals), g.err
}

func (g *gateway) Plans(context.Context) ([]adminapi.Plan, error) {
	trial := adminapi.Plan{ID: "trial", Active: true}
	for _, h := range g.hospitals {
		trial.Hospitals = append(trial.Hospitals, h.ID)
	}
	return []adminapi.Plan{trial}, g.err
}

func (g *gateway) Capabilities(context.Context, string) ([]byte, error) {
	return []byte(`{"resourceType":"CapabilityStatement","rest":[{"mode":"server","resource":[{"type":"Patient","interaction":[{"code":"read"}]}]}]}`), nil
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.calls = append(g.calls, r.Method+" "+r.RequestURI)
	w.Header().Set("X-Request-Id", "R42")
	if body := g.answers[r.RequestURI]; body != "" {
		_, _ = io.WriteString(w, body)
		return
	}
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, `{"resourceType":"OperationOutcome","text":"<script>alert(1)</script>"}`)
}

// site is the pages as they are served.
type site struct {
	t       *testing.T
	store   *store.Store
	gateway *gateway
	server  *httptest.Server
	log     logbuffer.Buffer
	client  *http.Client
	user    store.User
}

const publicURL = "https://gateway.example"

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, store: storetest.Open(t, storetest.SQLite), gateway: &gateway{hospitals: []adminapi.Hospital{
		{ID: "harbor", Name: "Harbor Clinic", Vendor: "hapi", Environment: "sandbox", TimeZone: "America/Chicago", Interactions: map[string][]string{
			"Patient": {"read", "search-type"}, "DocumentReference": {"create", "conditional-create"},
		}},
		{ID: "lakeside", Name: "Lakeside Hospital", Vendor: "epic", Environment: "sandbox", TimeZone: "America/Chicago"},
		{ID: "st-mary", Name: "St. Mary’s Hospital", Vendor: "oracle", Environment: "production", TimeZone: "America/New_York"},
	}}}
	endpoint := httptest.NewServer(s.gateway)
	t.Cleanup(endpoint.Close)
	key := tryit.NewOwnKey(tryit.KeyOptions{Gateway: s.gateway, Plan: "trial", Make: func(context.Context, []string) (string, time.Time, error) {
		return "fg_own", time.Time{}, nil
	}})
	try, err := tryit.New(tryit.Options{Keys: key, GatewayURL: endpoint.URL, PublicURL: publicURL})
	require.NoError(t, err)
	log := slog.New(slog.NewJSONHandler(&s.log, nil))
	pages := New(Options{
		Store: s.store, Gateway: s.gateway, Try: try, PublicURL: publicURL, Log: log,
		Source: openapi.NewSource(openapi.Options{Gateway: s.gateway, PublicURL: publicURL}),
	})
	templates, err := ui.NewTemplates(page.Templates(), Templates())
	require.NoError(t, err)
	s.user, err = s.store.CreateUser(t.Context(), store.System, store.User{Email: "ada@pacs.example", Name: "Ada", Role: store.RoleDeveloper})
	require.NoError(t, err)
	kit := &page.Kit{Store: s.store, Sessions: page.NewSessions(s.store.Sessions(), false), Templates: templates, Log: log}
	s.server = httptest.NewServer(kit.Handler(append(pages.Routes(), page.Route{Method: "GET", Path: "/sign-in", Access: page.Public, Handle: func(r *page.Request) error {
		return r.SignIn(s.user, true)
	}})))
	t.Cleanup(s.server.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	s.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	status, _ := s.get("/sign-in")
	require.Equal(t, http.StatusOK, status)
	return s
}

func (s *site) get(path string) (int, string) {
	s.t.Helper()
	answer, err := s.client.Get(s.server.URL + path)
	return s.read(answer, err)
}

func (s *site) post(path string, values ...string) (int, string) {
	s.t.Helper()
	answer, err := s.client.PostForm(s.server.URL+path, page.NewForm(values...).Values)
	return s.read(answer, err)
}

func (s *site) read(answer *http.Response, err error) (int, string) {
	s.t.Helper()
	require.NoError(s.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(s.t, err)
	return answer.StatusCode, string(body)
}

func (s *site) by() store.By { return store.By{UserID: s.user.ID, Name: s.user.Email} }

// app makes an app of a team of the user, or of somebody else's.
func (s *site) app(name string, own bool) store.App {
	s.t.Helper()
	ctx, by := s.t.Context(), s.by()
	if !own {
		other, err := s.store.CreateUser(ctx, store.System, store.User{Email: name + "@other.example", Role: store.RoleDeveloper})
		require.NoError(s.t, err)
		by = store.By{UserID: other.ID}
	}
	team, err := s.store.CreateTeam(ctx, by, "team of "+name)
	require.NoError(s.t, err)
	app, err := s.store.CreateApp(ctx, by, store.App{TeamID: team.ID, Name: name})
	require.NoError(s.t, err)
	return app
}

// approve gives an app access to hospitals.
func (s *site) approve(app store.App, hospitals ...string) store.AccessRequest {
	s.t.Helper()
	request, err := s.store.CreateRequest(s.t.Context(), s.by(), store.AccessRequest{AppID: app.ID, Plan: "screening-day", Hospitals: hospitals, Purpose: "reports"})
	require.NoError(s.t, err)
	admin, err := s.store.CreateUser(s.t.Context(), store.System, store.User{Email: "admin@" + app.ID + ".example", Role: store.RoleAdmin})
	require.NoError(s.t, err)
	require.NoError(s.t, s.store.Approve(s.t.Context(), store.By{UserID: admin.ID}, request.ID, "fine", time.Time{}))
	return request
}

func (s *site) credential(app store.App, name, kind, request string, hints []store.SecretHint, hospitals ...string) store.Credential {
	s.t.Helper()
	c, err := s.store.BeginCredential(s.t.Context(), s.by(), store.Credential{
		AppID: app.ID, RequestID: request, KeyID: "key_" + name, Name: name, Kind: kind, Plan: "screening-day", Hospitals: hospitals, Origin: store.OriginPortal,
	})
	require.NoError(s.t, err)
	done, err := s.store.FinishCredential(s.t.Context(), c.ID, time.Time{}, hints)
	require.NoError(s.t, err)
	require.True(s.t, done)
	return c
}

func TestPagesAreForThoseWhoAreSignedIn(t *testing.T) {
	s := newSite(t)
	pages := New(Options{})
	require.NotNil(t, pages.o.Log)
	for _, route := range pages.Routes() {
		require.Equal(t, page.Developer, route.Access, route.Path)
	}
	s.client.Jar = nil
	status, _ := s.get("/openapi.json")
	require.Equal(t, http.StatusSeeOther, status)
}

func TestPagesRender(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]string{
		"/docs": publicURL + "/fhir/{hospital}", "/docs/reference": `data-document="/openapi.json"`, "/docs/errors": `id="404-not-found"`,
		"/docs/quick-start": "today=$(TZ=&#39;America/Chicago&#39; date", "/try": `name="hospital" value="harbor"`,
	} {
		status, body := s.get(path)
		require.Equal(t, http.StatusOK, status, path)
		require.Contains(t, body, want, path)
		require.NotRegexp(t, ` (style|on\w+)=|<script>|<style`, body, "%s: the policy forbids it", path)
	}
}

func TestTheReferencesAssets(t *testing.T) {
	s := newSite(t)
	_, body := s.get("/docs/reference")
	for _, kind := range []string{"js", "css"} {
		found := regexp.MustCompile(`/docs/assets/reference\.` + kind + `\?v=\w+`).FindString(body)
		answer, err := s.client.Get(s.server.URL + found)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusOK, answer.StatusCode)
		require.Contains(t, answer.Header.Get("Cache-Control"), "immutable")
	}
	status, _ := s.get("/docs/assets/..%2fdocs.go")
	require.Equal(t, http.StatusNotFound, status)
}

func TestTheDocument(t *testing.T) {
	s := newSite(t)
	answer, err := s.client.Get(s.server.URL + "/openapi.json?download")
	status, body := s.read(answer, err)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"/{hospital}/Patient/{id}"`)
	require.Contains(t, answer.Header.Get("Content-Type"), "openapi+json")
	require.Contains(t, answer.Header.Get("Content-Disposition"), "attachment")
	r, err := http.NewRequest(http.MethodGet, s.server.URL+"/openapi.json", nil)
	require.NoError(t, err)
	r.Header.Set("If-None-Match", answer.Header.Get("ETag"))
	answer, err = s.client.Do(r)
	status, _ = s.read(answer, err)
	require.Equal(t, http.StatusNotModified, status)
}

// Whatever the reader's app, credential and hospital are stands in the programs;
// what is somebody else's does not exist.
func TestQuickStartIsFilledIn(t *testing.T) {
	s := newSite(t)
	app, second, foreign := s.app("viewer", true), s.app("archive", true), s.app("foreign", false)
	request := s.approve(app, "st-mary", "lakeside")
	hints := []store.SecretHint{{Hash: "h", Hint: "abcd"}}
	key := s.credential(app, "key", "key", request.ID, hints, "st-mary")
	client := s.credential(app, "client", "client", request.ID, hints, "st-mary", "lakeside")
	signing := s.credential(app, "signing", "client", request.ID, nil, "st-mary", "lakeside")
	foreignKey := s.credential(foreign, "foreign", "key", s.approve(foreign, "harbor").ID, hints, "harbor")
	for name, tt := range map[string]struct {
		query string
		want  []string
		not   []string
	}{
		"the readiest app":  {"", []string{`value="` + app.ID + `" selected`, publicURL + "/fhir/"}, []string{"Simulated", "/fhir/harbor"}},
		"one without any":   {"app=" + second.ID, []string{`value="` + second.ID + `" selected`, "Simulated hospitals", "/fhir/harbor"}, []string{"st-mary"}},
		"a key":             {"app=" + app.ID + "&credential=" + key.ID, []string{publicURL + "/fhir/st-mary", "FHIRGATE_KEY", "America/New_York", "Location?status=active"}, []string{"/fhir/lakeside", "harbor", "Simulated"}},
		"a client":          {"credential=" + client.ID + "&lang=python", []string{`CLIENT = "key_client"`, `TOKEN_URL = "` + publicURL + `/oauth/token"`, "FHIRGATE_CLIENT_SECRET"}, nil},
		"one that signs":    {"credential=" + signing.ID + "&lang=go", []string{`clientID = "key_signing"`, "jose.NewSigner", "FHIRGATE_KEY_FILE"}, nil},
		"another hospital":  {"app=" + app.ID + "&credential=key&hospital=lakeside&lang=javascript", []string{publicURL + "/fhir/lakeside", "patient: patient.id"}, nil},
		"not one's own":     {"app=" + app.ID + "&hospital=harbor", []string{publicURL + "/fhir/"}, []string{"/fhir/harbor"}},
		"another task":      {"app=" + second.ID + "&task=report&lang=go", []string{"DocumentReference", `r.Header.Set("If-None-Exist"`, "go run report.go"}, nil},
		"without condition": {"app=" + app.ID + "&task=report&credential=jwt", []string{"takes no conditional create", "key_your_client_id", "curl cannot sign", "import { SignJWT", "FHIRGATE_TOKEN"}, []string{"If-None-Exist:"}},
		"nonsense":          {"app=" + app.ID + "&task=%3Cb%3E&lang=x&credential=%22&hospital=..", []string{"appointments.sh"}, []string{"<b>"}},
		"the app changed":   {"app=" + second.ID + "&credential=" + key.ID, []string{"/fhir/harbor", "Any API key"}, []string{"key_key"}},
		"a stranger's key":  {"app=" + app.ID + "&credential=" + foreignKey.ID, []string{publicURL + "/fhir/"}, []string{"key_foreign", foreignKey.ID + `"`}},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := s.get("/docs/quick-start?" + tt.query)
			require.Equal(t, http.StatusOK, status)
			body = html.UnescapeString(body)
			for _, want := range tt.want {
				require.True(t, strings.Contains(body, want), "the page lacks %s", want)
			}
			for _, not := range tt.not {
				require.False(t, strings.Contains(body, not), "the page has %s", not)
			}
		})
	}
	for name, query := range map[string]string{
		"a stranger's app": "app=" + foreign.ID, "an unknown app": "app=app_x", "a stranger's credential": "credential=" + foreignKey.ID, "an unknown credential": "credential=cred_x",
	} {
		t.Run(name, func(t *testing.T) {
			status, body := s.get("/docs/quick-start?" + query)
			require.Equal(t, http.StatusNotFound, status)
			require.NotContains(t, body, "foreign")
		})
	}
}

// With access and a credential an app is readier than with access alone, and then
// than with nothing; among equals the first counts.
func TestQuickStartTakesTheReadiestApp(t *testing.T) {
	s := newSite(t)
	chosen := func() string {
		_, body := s.get("/docs/quick-start")
		return regexp.MustCompile(`value="(app_\w+)" selected`).FindStringSubmatch(body)[1]
	}
	with, granted := s.app("c-with", true), s.app("b-granted", true)
	first := s.app("a-first", true)
	require.Equal(t, first.ID, chosen())
	s.approve(granted, "harbor")
	require.Equal(t, granted.ID, chosen())
	request := s.approve(with, "harbor")
	require.Equal(t, granted.ID, chosen())
	s.credential(with, "key", "key", request.ID, []store.SecretHint{{Hash: "h", Hint: "abcd"}}, "harbor")
	require.Equal(t, with.ID, chosen())
	require.NoError(t, s.store.ArchiveApp(t.Context(), s.by(), granted.ID))
	require.Equal(t, with.ID, chosen())
}

// What has come to its end counts for nothing, although the records still call the
// access approved and the key active.
func TestQuickStartPassesOverWhatIsOver(t *testing.T) {
	s := newSite(t)
	over, current := s.app("b-over", true), s.app("a-current", true)
	ended, err := s.store.CreateRequest(t.Context(), s.by(), store.AccessRequest{AppID: over.ID, Plan: "screening-day", Hospitals: []string{"st-mary"}, Purpose: "reports"})
	require.NoError(t, err)
	require.NoError(t, s.store.Approve(t.Context(), store.By{UserID: "user_boss"}, ended.ID, "fine", time.Now().Add(-time.Hour)))
	_, body := s.get("/docs/quick-start")
	require.Contains(t, body, `value="`+current.ID+`" selected`, "neither app has access")
	_, body = s.get("/docs/quick-start?app=" + over.ID)
	require.Contains(t, body, "Simulated hospitals")
	require.NotContains(t, body, "/fhir/st-mary")

	hints := []store.SecretHint{{Hash: "h", Hint: "abcd"}}
	expired := s.credential(over, "expired", "key", s.approve(over, "lakeside").ID, hints, "lakeside")
	require.NoError(t, s.store.Mirror(t.Context(), []store.Mirror{{
		KeyID: expired.KeyID, Name: expired.Name, Plan: expired.Plan, Hospitals: expired.Hospitals, Hints: hints, Expires: time.Now().Add(-time.Hour),
	}}))
	_, body = s.get("/docs/quick-start?credential=" + expired.ID)
	require.Contains(t, body, "No credential chosen")
	require.Contains(t, body, publicURL+"/fhir/lakeside", "there is access, still")
	require.NotContains(t, body, expired.ID)
}

func TestQuickStartOfNothing(t *testing.T) {
	s := newSite(t)
	s.gateway.hospitals = nil
	status, body := s.get("/docs/quick-start")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "No hospitals")
	require.Contains(t, body, "You have no app yet")
	_, body = s.get("/try")
	require.Contains(t, body, "No simulated hospitals")
	s.gateway.err = errors.Join(adminapi.ErrUnreachable)
	for _, path := range []string{"/docs/quick-start", "/try"} {
		status, _ = s.get(path)
		require.Equal(t, http.StatusServiceUnavailable, status)
	}
	for range 3 {
		status, _ = s.get("/openapi.json")
		require.Equal(t, http.StatusOK, status)
	}
	require.Equal(t, 1, strings.Count(s.log.String(), "the API reference lacks something"), "once, however often it is read")
}

func TestTryShowsTheAnswer(t *testing.T) {
	s := newSite(t)
	status, body := s.post("/try", "hospital", "harbor", "interaction", "read", "type", "Patient", "id", "1")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, []string{"GET /fhir/harbor/Patient/1"}, s.gateway.calls)
	require.NotContains(t, body, "<script>alert")
	require.NotContains(t, body, "fg_own")
	body = html.UnescapeString(body)
	for _, want := range []string{"404 Not Found", "R42", `curl -H "Authorization: Bearer $FHIRGATE_KEY" '` + publicURL + "/fhir/harbor/Patient/1'", `/docs/errors#404`, `"resourceType": "OperationOutcome"`} {
		require.Contains(t, body, want)
	}
}

func TestTryRefuses(t *testing.T) {
	s := newSite(t)
	for name, tt := range map[string]struct {
		form []string
		want string
	}{
		"a production hospital": {[]string{"hospital", "st-mary", "interaction", "capabilities"}, "one of the simulated hospitals"},
		"a URL":                 {[]string{"hospital", "http://127.0.0.1/", "interaction", "capabilities"}, "one of the simulated hospitals"},
		"a way up":              {[]string{"hospital", "harbor", "interaction", "read", "type", "Patient", "id", "../../st-mary/metadata"}, "An id has letters"},
		"a write":               {[]string{"hospital", "harbor", "interaction", "create", "type", "Patient"}, "Choose what to do"},
		"another type":          {[]string{"hospital", "harbor", "interaction", "read", "type", "Observation", "id", "1"}, "Choose a type"},
		"no parameter":          {[]string{"hospital", "harbor", "interaction", "search-type", "type", "Patient", "parameters", "<i>"}, "one parameter a line"},
		"nothing":               {nil, "one of the simulated hospitals"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := s.post("/try?hospital=harbor&interaction=capabilities", tt.form...)
			require.Equal(t, http.StatusUnprocessableEntity, status)
			require.Contains(t, body, tt.want)
			require.NotContains(t, body, "<i>")
		})
	}
	status, _ := s.get("/try?hospital=harbor&interaction=read&type=Patient&id=1")
	require.Equal(t, http.StatusOK, status)
	answer, err := s.client.Post(s.server.URL+"/try", "application/fhir+json", strings.NewReader(`{"resourceType":"Patient"}`))
	status, _ = s.read(answer, err)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Empty(t, s.gateway.calls)
	require.NotContains(t, s.log.String(), "metadata")
}

func TestTryIsPaced(t *testing.T) {
	s := newSite(t)
	for range 100 {
		status, body := s.post("/try", "hospital", "harbor", "interaction", "capabilities")
		if status == http.StatusTooManyRequests {
			require.Contains(t, body, "Wait a few seconds")
			return
		}
		require.Equal(t, http.StatusOK, status)
	}
	require.Fail(t, "the reader is never told to wait")
}

// Each status and issue code that stands in the sources of a call's way is
// explained.
func TestEveryErrorIsExplained(t *testing.T) {
	explained := map[string]bool{}
	for _, i := range issues {
		require.NotEmpty(t, i.Cases, i.Code)
		for _, c := range i.Cases {
			require.NotEmpty(t, c.Text(), c.Status)
			require.False(t, explained[strconv.Itoa(c.Status)+" "+i.Code])
			explained[strconv.Itoa(c.Status)+" "+i.Code] = true
		}
	}
	codes := map[string]string{}
	outcome, err := os.ReadFile("../../../fhir/outcome.go")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`Issue(\w+)\s+IssueCode = "([a-z-]+)"`).FindAllStringSubmatch(string(outcome), -1) {
		codes[m[1]] = m[2]
	}
	statuses := map[string]int{}
	for status := 400; status < 600; status++ {
		statuses[strings.ReplaceAll(http.StatusText(status), " ", "")] = status
	}
	pair := regexp.MustCompile(`http\.Status(\w+), (?:fhir\.)?Issue(\w+)`)
	found := 0
	for _, folder := range []string{"facade", "fhir", "policies", "policies/smart", "transforms", "transforms/resource", "upstream", "upstream/budget", "upstream/tokens"} {
		files, err := filepath.Glob("../../../" + folder + "/*.go")
		require.NoError(t, err)
		require.NotEmpty(t, files, folder)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, "testanswer.go") {
				continue
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range pair.FindAllStringSubmatch(string(text), -1) {
				found++
				want := strconv.Itoa(statuses[m[1]]) + " " + codes[m[2]]
				require.True(t, explained[want], "%s answers %s, of which the page says nothing", filepath.Base(file), want)
			}
		}
	}
	require.Greater(t, found, 80)
}

func TestAnchorsOfErrors(t *testing.T) {
	s := newSite(t)
	_, body := s.get("/docs/errors")
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(body, -1) {
		require.False(t, seen[m[1]], "the id %s comes twice", m[1])
		seen[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(body, -1) {
		require.True(t, seen[m[1]] || m[1] == "main", "#%s leads nowhere", m[1])
	}
	for _, anchor := range []string{"404", "throttled", "502-transient"} {
		require.True(t, seen[anchor])
	}
}
