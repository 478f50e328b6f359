package tryit

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
)

type listed struct {
	hospitals []adminapi.Hospital
	plans     []adminapi.Plan
	err       error
	planErr   error
}

func (l *listed) Hospitals(context.Context) ([]adminapi.Hospital, error) { return l.hospitals, l.err }

func (l *listed) Plans(context.Context) ([]adminapi.Plan, error) { return l.plans, l.planErr }

// fixture is a Trier before a gateway that notes what it is asked.
type fixture struct {
	*listed
	*Trier
	key     *OwnKey
	now     time.Time
	made    int
	madeFor []string // the last one
	failure error    // of the next ones
	asked   []string // method, path and query, body
	answer  http.HandlerFunc
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), listed: &listed{hospitals: []adminapi.Hospital{
		{ID: "harbor", Name: "Harbor", Vendor: "hapi", TimeZone: "America/Chicago", Environment: "sandbox", Interactions: map[string][]string{
			"system": {"batch"}, "Patient": {"read", "search-type", "create"}, "Binary": {"read"}, "Slot": {"create"}, "Schedule": {"search-type"},
		}},
		{ID: "st-mary", Name: "St. Mary", Environment: "production", Interactions: map[string][]string{"Patient": {"read", "search-type"}}},
		{ID: "anchor", Name: "Anchor", Environment: "sandbox"},
		{ID: "beyond", Name: "Beyond", Environment: "sandbox"},
	}, plans: []adminapi.Plan{
		{ID: "study", Active: true, Hospitals: []string{"beyond"}},
		{ID: "trial", Active: true, Hospitals: []string{"anchor", "harbor", "st-mary"}},
	}}}
	f.answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"a":1.0}`) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.asked = append(f.asked, r.Method+" "+r.RequestURI+string(body))
		f.answer(w, r)
	}))
	t.Cleanup(server.Close)
	now := func() time.Time { return f.now }
	f.key = NewOwnKey(KeyOptions{Gateway: f.listed, Plan: "trial", Now: now, Make: func(_ context.Context, hospitals []string) (string, time.Time, error) {
		f.made++
		f.madeFor = hospitals
		return "fg_" + strings.Repeat("k", f.made), f.now.Add(time.Hour), f.failure
	}})
	var err error
	f.Trier, err = New(Options{Keys: f.key, GatewayURL: server.URL, PublicURL: "https://gateway.example", Now: now})
	require.NoError(t, err)
	return f
}

func TestHospitalsAreTheSimulatedOnes(t *testing.T) {
	f := newFixture(t)
	hospitals, err := f.Trier.Hospitals(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Hospital{
		{ID: "anchor", Name: "Anchor"},
		{ID: "harbor", Name: "Harbor", Vendor: "hapi", TimeZone: "America/Chicago", Types: []Type{
			{Name: "Binary", Read: true}, {Name: "Patient", Read: true, Search: true}, {Name: "Schedule", Search: true},
		}},
	}, hospitals)
}

func TestDo(t *testing.T) {
	for name, tt := range map[string]struct {
		call Call
		want string
	}{
		"capabilities": {Call{Hospital: "harbor", Interaction: Capabilities, Type: "../x", ID: "?"}, "/fhir/harbor/metadata"},
		"read":         {Call{Hospital: "harbor", Interaction: Read, Type: "Patient", ID: "e.1_a-B", Parameters: "x"}, "/fhir/harbor/Patient/e.1_a-B"},
		"all":          {Call{Hospital: "harbor", Interaction: Search, Type: "Patient", ID: "1"}, "/fhir/harbor/Patient"},
		"search": {
			Call{Hospital: "harbor", Interaction: Search, Type: "Patient", Parameters: "identifier=urn:x|1 2\r\n\n name:exact = O'Neil&_x=$(id)\n"},
			"/fhir/harbor/Patient?identifier=urn%3Ax%7C1+2&name%3Aexact=O%27Neil%26_x%3D%24%28id%29",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			answer, err := f.Do(t.Context(), "user_1", tt.call)
			require.NoError(t, err)
			require.Equal(t, []string{"GET " + tt.want}, f.asked)
			require.Equal(t, `curl -H "Authorization: Bearer $FHIRGATE_KEY" 'https://gateway.example`+tt.want+`'`, answer.Curl)
			require.Equal(t, "{\n  \"a\": 1.0\n}", answer.Body)
			require.Equal(t, 200, answer.Status)
		})
	}
}

// Nothing of this reaches the gateway.
func TestDoRefuses(t *testing.T) {
	read := func(typ, id string) Call { return Call{Hospital: "harbor", Interaction: Read, Type: typ, ID: id} }
	search := func(lines string) Call {
		return Call{Hospital: "harbor", Interaction: Search, Type: "Patient", Parameters: lines}
	}
	for name, tt := range map[string]struct {
		call  Call
		field string
	}{
		"nothing":                      {Call{}, "hospital"},
		"a production hospital":        {Call{Hospital: "st-mary", Interaction: Capabilities}, "hospital"},
		"one beyond the plan":          {Call{Hospital: "beyond", Interaction: Capabilities}, "hospital"},
		"an unknown hospital":          {Call{Hospital: "nowhere", Interaction: Capabilities}, "hospital"},
		"a way to another hospital":    {Call{Hospital: "harbor/../st-mary", Interaction: Capabilities}, "hospital"},
		"a URL for a hospital":         {Call{Hospital: "http://169.254.169.254", Interaction: Capabilities}, "hospital"},
		"a host for a hospital":        {Call{Hospital: "@evil.example", Interaction: Capabilities}, "hospital"},
		"another case":                 {Call{Hospital: "Harbor", Interaction: Capabilities}, "hospital"},
		"no interaction":               {Call{Hospital: "harbor"}, "interaction"},
		"a write":                      {Call{Hospital: "harbor", Interaction: "create", Type: "Patient"}, "interaction"},
		"a batch":                      {Call{Hospital: "harbor", Interaction: "batch"}, "interaction"},
		"a method":                     {Call{Hospital: "harbor", Interaction: "DELETE", Type: "Patient", ID: "1"}, "interaction"},
		"a type that is not there":     {read("Observation", "1"), "type"},
		"a type that is not read":      {read("Schedule", "1"), "type"},
		"a type that is not searched":  {Call{Hospital: "harbor", Interaction: Search, Type: "Binary"}, "type"},
		"a type that is only written":  {read("Slot", "1"), "type"},
		"the system for a type":        {read("system", "1"), "type"},
		"a path for a type":            {read("../st-mary/Patient", "1"), "type"},
		"no id":                        {read("Patient", ""), "id"},
		"an operation for an id":       {read("Patient", "$everything"), "id"},
		"a history for an id":          {read("Patient", "_history"), "id"},
		"a sealed link for an id":      {read("Patient", "_sealed"), "id"},
		"an id of dots":                {read("Patient", ".."), "id"},
		"one dot":                      {read("Patient", "."), "id"},
		"a path for an id":             {read("Patient", "1/_history"), "id"},
		"the way up for an id":         {read("Patient", "../../st-mary/Patient/1"), "id"},
		"an encoded way up for an id":  {read("Patient", "..%2F..%2Fst-mary"), "id"},
		"a query for an id":            {read("Patient", "1?_format=xml"), "id"},
		"a fragment for an id":         {read("Patient", "1#x"), "id"},
		"a line end for an id":         {read("Patient", "1\r\nX-Evil: 1"), "id"},
		"a line end after an id":       {read("Patient", "1\n"), "id"},
		"a backslash for an id":        {read("Patient", `..\..`), "id"},
		"a full-width dot for an id":   {read("Patient", "．．"), "id"},
		"a long id":                    {read("Patient", strings.Repeat("1", 129)), "id"},
		"a line without a value":       {search("identifier"), "parameters"},
		"a line without a name":        {search("=1"), "parameters"},
		"a name with an ampersand":     {search("a&b=1"), "parameters"},
		"a name with a line's end":     {search("a\rb=1"), "parameters"},
		"a value with control letters": {search("a=\x00"), "parameters"},
		"a value with half a letter":   {search("a=\xff"), "parameters"},
		"a long value":                 {search("a=" + strings.Repeat("1", maxValue+1)), "parameters"},
		"many parameters":              {search(strings.Repeat("a=1\n", maxParameters+1)), "parameters"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			_, err := f.Do(t.Context(), "user_1", tt.call)
			var mistake *Mistake
			require.ErrorAs(t, err, &mistake)
			require.Equal(t, tt.field, mistake.Field)
			require.NotEmpty(t, mistake.Text)
			require.Empty(t, f.asked)
			require.Zero(t, f.made)
		})
	}
}

func TestAnswersAreShown(t *testing.T) {
	f := newFixture(t)
	f.answer = func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "application/fhir+json", r.Header.Get("Accept"))
		w.Header().Set("X-Request-Id", "R1")
		w.Header().Set("RateLimit", `"rate";r=1;t=1`)
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("X-Secret", "x")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"resourceType":"OperationOutcome"}`)
	}
	answer, err := f.Do(t.Context(), "user_1", Call{Hospital: "harbor", Interaction: Capabilities})
	require.NoError(t, err)
	require.Equal(t, 404, answer.Status)
	require.Equal(t, "Not Found", answer.Text)
	require.Equal(t, []Header{{"Content-Type", "text/plain; charset=utf-8"}, {"X-Request-Id", "R1"}, {"RateLimit", `"rate";r=1;t=1`}}, answer.Headers)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	f := newFixture(t)
	f.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/fhir/st-mary/metadata")
		w.WriteHeader(http.StatusFound)
	}
	answer, err := f.Do(t.Context(), "user_1", Call{Hospital: "harbor", Interaction: Capabilities})
	require.NoError(t, err)
	require.Equal(t, 302, answer.Status)
	require.Len(t, f.asked, 1)
}

func TestShow(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want string
		cut  bool
	}{
		"pretty":             {`{"b":1.00,"a":[]}`, "{\n  \"b\": 1.00,\n  \"a\": []\n}", false},
		"no JSON":            {"<b>", "<b>", false},
		"nothing":            {"", "", false},
		"no text":            {"\xff\x00", "�\x00", false},
		"long":               {strings.Repeat("x", maxShown+1), strings.Repeat("x", maxShown-1), true},
		"cut in a character": {strings.Repeat("x", maxShown-1) + "é", strings.Repeat("x", maxShown-1), true},
	} {
		t.Run(name, func(t *testing.T) {
			got, cut := show([]byte(tt.body))
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.cut, cut)
		})
	}
}

func TestEachUserHasAPace(t *testing.T) {
	f := newFixture(t)
	call := func(user string) error {
		_, err := f.Do(t.Context(), user, Call{Hospital: "harbor", Interaction: Capabilities})
		return err
	}
	for range callBurst {
		require.NoError(t, call("user_1"))
	}
	require.ErrorIs(t, call("user_1"), ErrTooFast)
	require.NoError(t, call("user_2"))
	f.now = f.now.Add(callEvery)
	require.NoError(t, call("user_1"))
	require.ErrorIs(t, call("user_1"), ErrTooFast)
	require.Len(t, f.asked, callBurst+2)
}

// An error names no value that the reader searched for.
func TestTheGatewayIsAway(t *testing.T) {
	search := Call{Hospital: "harbor", Interaction: Search, Type: "Patient", Parameters: "name=canary"}
	for name, change := range map[string]func(*fixture){
		"the admin API":    func(f *fixture) { f.err = errors.New("away") },
		"its address":      func(f *fixture) { f.o.GatewayURL = "http://127.0.0.1:1" },
		"breaks off":       func(f *fixture) { f.answer = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) } },
		"tells no plans":   func(f *fixture) { f.planErr = errors.New("away") },
		"gives no key":     func(f *fixture) { f.failure = errors.New("no key") },
		"half of a body":   func(f *fixture) { f.answer = half },
		"no URL to be had": func(f *fixture) { f.o.GatewayURL = "http://[" },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			change(f)
			_, err := f.Do(t.Context(), "user_1", search)
			require.ErrorIs(t, err, ErrAway)
			require.NotContains(t, err.Error(), "canary")
		})
	}
}

func half(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, "{")
}

func FuzzCallStaysBelowItsHospital(f *testing.F) {
	hospitals := []Hospital{{ID: "harbor", Types: []Type{{Name: "Patient", Read: true, Search: true}}}}
	f.Add("harbor", Read, "Patient", "1", "")
	f.Add("harbor", Search, "Patient", "", "name=x\n_id=1")
	f.Fuzz(func(t *testing.T, hospital, interaction, typ, id, parameters string) {
		path, err := Call{hospital, interaction, typ, id, parameters}.path(hospitals)
		if err != nil {
			return
		}
		r, err := http.NewRequest(http.MethodGet, "http://gateway.example/fhir"+path, nil)
		require.NoError(t, err)
		require.Equal(t, "gateway.example", r.URL.Host)
		require.Empty(t, r.URL.Fragment)
		require.Equal(t, r.URL.Path, r.URL.JoinPath().Path, "no segment of dots")
		require.True(t, strings.HasPrefix(r.URL.Path, "/fhir/harbor/"))
		require.NotContains(t, path, "'")
		require.NotContains(t, strings.TrimPrefix(r.URL.Path, "/fhir/harbor/Patient/"), "$")
	})
}
