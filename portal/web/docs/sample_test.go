package docs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
)

// hospital speaks as much FHIR and OAuth as the samples need, and is strict about
// it.
type hospital struct {
	*httptest.Server
	key *ecdsa.PrivateKey

	mu     sync.Mutex
	asked  []string // what searches asked
	tokens []string // how tokens were asked for
	errors []string
	report map[string]any
	once   string // If-None-Exist of it
}

const (
	testKey    = "fg_key"
	testClient = "key_client"
	testSecret = "fgs_secret"
	testToken  = "access-token"
	identifier = "https://hospital.example/mrn|200 & 1"
)

func newHospital(t *testing.T) *hospital {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	h := &hospital{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/token", h.token)
	mux.HandleFunc("GET /fhir/harbor/Patient", h.patients)
	mux.HandleFunc("GET /fhir/harbor/Patient/p1", h.patient)
	mux.HandleFunc("GET /fhir/harbor/Location", h.list("Location", "status=active", `{"resourceType":"Location","id":"l1"}`, `{"resourceType":"Location","id":"l2"}`))
	mux.HandleFunc("GET /fhir/harbor/Encounter", h.list("Encounter", "patient=p1", `{"resourceType":"OperationOutcome"}`, `{"resourceType":"Encounter","id":"e1"}`))
	mux.HandleFunc("GET /fhir/harbor/Appointment", h.appointments)
	mux.HandleFunc("POST /fhir/harbor/DocumentReference", h.create)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if given := r.Header.Get("Authorization"); strings.HasPrefix(r.URL.Path, "/fhir/") && given != "Bearer "+testKey && given != "Bearer "+testToken {
			h.fail(w, http.StatusUnauthorized, "Authorization is "+given)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hospital) fail(w http.ResponseWriter, status int, text string) {
	h.mu.Lock()
	h.errors = append(h.errors, text)
	h.mu.Unlock()
	http.Error(w, text, status)
}

func (h *hospital) answer(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/fhir+json")
	_, _ = io.WriteString(w, body)
}

func (h *hospital) searched(r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, strings.TrimPrefix(r.URL.Path, "/fhir/harbor/")+"?"+r.URL.Query().Encode())
}

func bundleOf(next string, resources ...string) string {
	var entries, links []string
	for _, r := range resources {
		entries = append(entries, `{"resource":`+r+`}`)
	}
	if next != "" {
		links = []string{fmt.Sprintf(`{"relation":"next","url":%q}`, next)}
	}
	return `{"resourceType":"Bundle","type":"searchset","link":[` + strings.Join(links, ",") + `],"entry":[` + strings.Join(entries, ",") + `]}`
}

func (h *hospital) list(typ, query string, resources ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.searched(r)
		if r.URL.Query().Encode() != query {
			h.fail(w, http.StatusBadRequest, typ+" is asked by "+r.URL.RawQuery)
			return
		}
		h.answer(w, bundleOf("", resources...))
	}
}

func (h *hospital) patients(w http.ResponseWriter, r *http.Request) {
	h.searched(r)
	if r.URL.Query().Get("identifier") == identifier {
		h.answer(w, bundleOf("", onePatient))
		return
	}
	h.answer(w, bundleOf("", `{"resourceType":"OperationOutcome"}`))
}

const onePatient = `{"resourceType":"Patient","id":"p1","name":[{"family":"Lindqvist"}],"birthDate":"1970-01-01","gender":"female"}`

func (h *hospital) patient(w http.ResponseWriter, _ *http.Request) { h.answer(w, onePatient) }

// appointments come in two pages.
func (h *hospital) appointments(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("page") == "2" {
		h.answer(w, bundleOf("", `{"resourceType":"Appointment","id":"a2","status":"booked","start":"2026-11-22T09:00:00Z"}`))
		return
	}
	h.searched(r)
	h.answer(w, bundleOf(h.URL+"/fhir/harbor/Appointment?page=2", `{"resourceType":"Appointment","id":"a1","status":"arrived","start":"2026-11-22T08:00:00Z"}`))
}

func (h *hospital) create(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.once = r.Header.Get("If-None-Exist")
	err := json.NewDecoder(r.Body).Decode(&h.report)
	h.mu.Unlock()
	if err != nil || r.Header.Get("Content-Type") != "application/fhir+json" {
		h.fail(w, http.StatusBadRequest, fmt.Sprint("a report comes as ", r.Header.Get("Content-Type"), err))
		return
	}
	w.Header().Set("Content-Type", "application/fhir+json")
	w.Header().Set("Location", h.URL+"/fhir/harbor/DocumentReference/d1")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"resourceType":"DocumentReference","id":"d1"}`)
}

func (h *hospital) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "client_credentials" || r.URL.RawQuery != "" {
		h.fail(w, http.StatusBadRequest, "not a token request")
		return
	}
	id, secret, basic := r.BasicAuth()
	how := "secret"
	if !basic {
		how = "jwt"
		if err := h.assertion(r); err != nil {
			h.fail(w, http.StatusBadRequest, err.Error())
			return
		}
	} else if id != testClient || secret != testSecret {
		h.fail(w, http.StatusUnauthorized, "wrong client")
		return
	}
	h.mu.Lock()
	h.tokens = append(h.tokens, how+" "+r.PostForm.Get("scope"))
	h.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"access_token":"`+testToken+`","token_type":"Bearer","expires_in":300}`)
}

// assertion checks a client assertion as the gateway does.
func (h *hospital) assertion(r *http.Request) error {
	if r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return fmt.Errorf("wrong client_assertion_type")
	}
	parsed, err := jwt.ParseSigned(r.PostForm.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES384})
	if err != nil {
		return err
	}
	var claims jwt.Claims
	if err := parsed.Claims(h.key.Public(), &claims); err != nil {
		return err
	}
	if parsed.Headers[0].KeyID != "k1" || claims.ID == "" || claims.Expiry.Time().After(time.Now().Add(5*time.Minute)) {
		return fmt.Errorf("kid %q, jti %q, exp %s", parsed.Headers[0].KeyID, claims.ID, claims.Expiry.Time())
	}
	return claims.Validate(jwt.Expected{Issuer: testClient, Subject: testClient, AnyAudience: jwt.Audience{h.URL + "/oauth/token"}})
}

// folder holds what the programs find beside them.
func (h *hospital) folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	key, err := json.Marshal(jose.JSONWebKey{Key: h.key, KeyID: "k1", Algorithm: "ES384", Use: "sig"})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "private.json"), key, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "report.pdf"), []byte("%PDF-1.7"), 0o600))
	modules, err := filepath.Abs("../../../test/clients/node_modules")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
	return dir
}

// run runs a program and returns what it prints.
func run(t *testing.T, dir, language, text string, args ...string) (string, error) {
	t.Helper()
	name, command := map[string]string{
		langCurl: "program.sh", langJavaScript: "program.mjs", langGo: "main.go", langPython: "program.py",
	}[language], map[string][]string{
		langCurl: {"bash"}, langJavaScript: {"node"}, langGo: {"go", "run", "-trimpath"}, langPython: {"python3"},
	}[language]
	file := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, command[0], append(append(command[1:], file), args...)...)
	c.Env = append(os.Environ(), "FHIRGATE_KEY="+testKey, "FHIRGATE_CLIENT_SECRET="+testSecret, "FHIRGATE_TOKEN="+testToken, "FHIRGATE_KEY_FILE="+filepath.Join(dir, "private.json"))
	out, err := c.CombinedOutput()
	return string(out), err
}

// Every sample is a whole program that works.
func TestSamplesRun(t *testing.T) {
	for _, kind := range []string{kindKey, kindSecret, kindJWT} {
		for _, language := range []string{langCurl, langJavaScript, langGo, langPython} {
			t.Run(kind+"/"+language, func(t *testing.T) {
				t.Parallel()
				h := newHospital(t)
				dir := h.folder(t)
				p := program{Kind: kind, Base: h.URL + "/fhir/harbor", TokenURL: h.URL + "/oauth/token", ClientID: testClient, Zone: "Pacific/Kiritimati", By: "date", Once: true}
				if !runs(t, dir, language, p) {
					return
				}
				h.trySamples(t, dir, language, p)
			})
		}
	}
}

// runs reports whether a sample can run here. What it needs beside what the
// project has may be missing; then its syntax is checked at least.
func runs(t *testing.T, dir, language string, p program) bool {
	t.Helper()
	if language != langPython || p.Kind != kindJWT || exec.Command("python3", "-c", "import joserfc").Run() == nil {
		return true
	}
	for _, task := range []string{taskAppointments, taskPatient, taskReport} {
		p.Task = task
		text, err := sample(language, p)
		require.NoError(t, err)
		file := filepath.Join(dir, task+".py")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		out, err := exec.Command("python3", "-m", "py_compile", file).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	return false
}

func (h *hospital) trySamples(t *testing.T, dir, language string, p program) {
	t.Helper()
	zone, err := time.LoadLocation(p.Zone)
	require.NoError(t, err)
	today := func() string { return "date=" + time.Now().In(zone).Format(time.DateOnly) }
	search := "Patient?identifier=" + "https%3A%2F%2Fhospital.example%2Fmrn%7C200+%26+1"
	for _, tt := range []struct {
		task, by string
		args     []string
		prints   []string
		asked    []string
	}{
		{taskAppointments, "date", nil, []string{"a1", "arrived", "a2", "booked"}, []string{"Appointment?" + today()}},
		{taskAppointments, "location", nil, []string{"a1", "a2"}, []string{"Location?status=active", "Appointment?" + today() + "&location=l1%2Cl2"}},
		{taskAppointments, "patient", []string{identifier}, []string{"a1", "a2"}, []string{search, "Appointment?" + today() + "&patient=p1"}},
		{taskPatient, "date", []string{identifier}, []string{"p1", "Lindqvist", "1970-01-01", "female"}, []string{search}},
		{taskReport, "date", []string{identifier, filepath.Join(dir, "report.pdf"), "R-1"}, []string{h.URL + "/fhir/harbor/DocumentReference/d1"}, []string{search, "Encounter?patient=p1"}},
	} {
		h.asked, h.tokens, h.errors = nil, nil, nil
		p.Task, p.By = tt.task, tt.by
		text, err := sample(language, p)
		require.NoError(t, err)
		for _, never := range []string{testSecret, testKey, testToken, "<no value>"} {
			require.NotContains(t, text, never)
		}
		out, err := run(t, dir, language, text, tt.args...)
		require.NoError(t, err, "%s\n%s\n%s\n%v", tt.task, text, out, h.errors)
		require.Empty(t, h.errors)
		for _, word := range tt.prints {
			require.Contains(t, out, word)
		}
		require.Equal(t, tt.asked, h.asked)
		if p.Kind != kindKey && !(language == langCurl && p.Kind == kindJWT) {
			require.Equal(t, []string{p.Kind + " " + p.Scope()}, h.tokens, "one token does for all calls")
		}
	}
	h.checkReport(t)
	p.Task, p.By = taskPatient, "date"
	text, err := sample(language, p)
	require.NoError(t, err)
	out, err := run(t, dir, language, text, "nobody")
	require.Error(t, err)
	require.Contains(t, out, "there is no patient with this identifier")
}

func (h *hospital) checkReport(t *testing.T) {
	t.Helper()
	require.Equal(t, "identifier=https://pacs.example/report|R-1", h.once)
	body, err := json.Marshal(h.report)
	require.NoError(t, err)
	for _, part := range []string{
		`"status":"current"`, `"docStatus":"final"`, `"reference":"Patient/p1"`, `"reference":"Encounter/e1"`, `"value":"R-1"`,
		base64.StdEncoding.EncodeToString([]byte("%PDF-1.7")), `"code":"18748-4"`,
	} {
		require.Contains(t, string(body), part)
	}
	for _, at := range []any{h.report["date"], h.report["context"].(map[string]any)["period"].(map[string]any)["end"]} {
		_, err := time.Parse(time.RFC3339, at.(string))
		require.NoError(t, err)
	}
}

// What the page fills in cannot leave its place in a program.
func TestSamplesQuote(t *testing.T) {
	p := program{Task: taskReport, Kind: kindSecret, Base: `x'"; $(id) \`, ClientID: `a"b'c`, TokenURL: "`id`"}
	for language, want := range map[string]string{
		langCurl: `base='x'\''"; $(id) \'`, langJavaScript: `const base = 'x\'"; $(id) \\';`, langGo: `base = "x'\"; $(id) \\"`, langPython: `BASE = "x'\"; $(id) \\"`,
	} {
		text, err := sample(language, p)
		require.NoError(t, err)
		require.Contains(t, text, want)
	}
}

// curl cannot sign: another program gets the token that its task needs.
func TestATokenForCurl(t *testing.T) {
	h := newHospital(t)
	p := program{Task: taskAppointments, By: "location", Kind: kindJWT, TokenURL: h.URL + "/oauth/token", ClientID: testClient, TokenOnly: true}
	text, err := sample(langJavaScript, p)
	require.NoError(t, err)
	out, err := run(t, h.folder(t), langJavaScript, text)
	require.NoError(t, err, out)
	require.Equal(t, testToken+"\n", out)
	require.Equal(t, []string{"jwt system/Appointment.rs system/Location.rs"}, h.tokens)
}
