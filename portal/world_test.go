package portal

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/internal/envelope"
	"fhirgate/internal/logbuffer"
	"fhirgate/portal/config"
	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
	"fhirgate/portal/web/page"
)

// world is a portal as it is assembled for people, in front of a gateway that
// answers what it must.
type world struct {
	t       *testing.T
	portal  *Portal
	options Options
	log     *logbuffer.Buffer
	users   map[string]store.User // by role
	ids     map[string]string     // by what stands in the paths of routes
	tokens  map[string]string     // of sessions, by role
}

// newWorld opens a portal at a public URL.
func newWorld(t *testing.T, publicURL string) *world {
	t.Helper()
	gateway := httptest.NewServer(http.HandlerFunc(answerAsGateway))
	t.Cleanup(gateway.Close)
	w := &world{t: t, log: new(logbuffer.Buffer), users: make(map[string]store.User), tokens: make(map[string]string)}
	w.options = Options{
		Config:    config.Config{Database: filepath.Join(t.TempDir(), "portal.db"), PublicURL: publicURL, GatewayURL: gateway.URL, TryPlan: "trial"},
		Admin:     adminapi.NewClient(gateway.URL, "secret of the tests"),
		PublicURL: gateway.URL, ActsKey: []byte(strings.Repeat("k", 32)), SealKeys: envelope.NewSet(), Log: slog.New(slog.NewJSONHandler(w.log, nil)), Version: "test",
	}
	var err error
	w.portal, err = Open(t.Context(), w.options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.portal.Close()) })
	w.fill()
	return w
}

// answerAsGateway answers calls of the admin API: there is one hospital, one plan
// and every key.
func answerAsGateway(w http.ResponseWriter, r *http.Request) {
	hospital := adminapi.Hospital{ID: "harbor", Name: "Harbor", Environment: "sandbox", Breaker: "closed"}
	key := record.Key{ID: "key_aaaaaaaaaaaaaaaa", Name: "night", Plan: "trial", Kind: record.KindKey, Created: time.Now(), Secrets: []record.Secret{{Hash: "abc", Hint: "wxyz", Created: time.Now()}}}
	var answer any
	switch path := r.URL.Path; {
	case path == "/admin/hospitals":
		answer = []adminapi.Hospital{hospital}
	case path == "/admin/plans":
		answer = []adminapi.Plan{{ID: "trial", Name: "Trial", Active: true, Hospitals: []string{"harbor"}, Environments: []string{"sandbox"}, Rate: 100}}
	case strings.HasSuffix(path, "/errors"):
		answer = []adminapi.CallError{}
	case strings.HasSuffix(path, "/check"):
		answer = adminapi.Check{}
	case strings.HasPrefix(path, "/admin/hospitals/"):
		answer = hospital
	case path == "/admin/reload":
		answer = adminapi.Reloading{Taken: true}
	case strings.HasSuffix(path, "/limits"):
		answer = adminapi.Limits{}
	case r.Method == http.MethodPost && strings.HasPrefix(path, "/admin/keys"):
		answer = adminapi.IssuedKey{Key: &key, Secret: issuedSecret}
	case strings.HasPrefix(path, "/admin/keys/"):
		answer = key
	default:
		http.NotFound(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(answer) // the client may have gone
}

// issuedSecret is what the gateway hands out.
const issuedSecret = "fg_canary-of-a-secret"

func (w *world) by(role string) store.By {
	return store.By{UserID: w.users[role].ID, Name: w.users[role].Email, Address: netip.MustParseAddr("192.0.2.1")}
}

// roles are who there is, beside nobody.
var roles = []string{"pending", "disabled", "outsider", "viewer", "member", "owner", "bare admin", "admin", "requester"}

// fill makes a user of every role, and something behind every route.
func (w *world) fill() {
	w.t.Helper()
	ctx, s := w.t.Context(), w.portal.store
	for _, role := range append([]string{"target"}, roles...) {
		user := store.User{Email: strings.ReplaceAll(role, " ", "-") + "@pacs.example", Name: role + " person", PasswordHash: "none"}
		if strings.Contains(role, "admin") || role == "requester" {
			user.Role = store.RoleAdmin
		}
		made, err := s.CreateUser(ctx, store.System, user)
		require.NoError(w.t, err)
		if role == "admin" || role == "requester" || role == "pending" || role == "target" {
			require.NoError(w.t, s.SetTOTP(ctx, store.System, made.ID, []byte("sealed")))
			require.NoError(w.t, s.ConfirmTOTP(ctx, store.System, made.ID, nil))
		}
		w.users[role], err = s.User(ctx, made.ID)
		require.NoError(w.t, err)
	}
	team, err := s.CreateTeam(ctx, w.by("owner"), "Imaging")
	require.NoError(w.t, err)
	for _, role := range []string{"viewer", "member", "disabled", "pending"} {
		right := map[string]store.TeamRole{"viewer": store.TeamViewer, "member": store.TeamMember}[role]
		if right == "" {
			right = store.TeamOwner
		}
		storetest.Join(w.t, s, w.by("owner"), team.ID, w.users[role].ID, right)
	}
	storetest.Join(w.t, s, w.by("owner"), team.ID, w.users["target"].ID, store.TeamViewer)
	require.NoError(w.t, s.Disable(ctx, store.System, w.users["disabled"].ID))
	w.users["disabled"], err = s.User(ctx, w.users["disabled"].ID)
	require.NoError(w.t, err)
	for _, role := range roles {
		w.tokens[role] = w.session(role)
	}
	app, err := s.CreateApp(ctx, w.by("owner"), store.App{TeamID: team.ID, Name: "Worklist"})
	require.NoError(w.t, err)
	idle, err := s.CreateApp(ctx, w.by("owner"), store.App{TeamID: team.ID, Name: "Worklist of old"})
	require.NoError(w.t, err)
	ask := func(role string) store.AccessRequest {
		request, err := s.CreateRequest(ctx, w.by(role), store.AccessRequest{AppID: app.ID, Plan: "trial", Hospitals: []string{"harbor"}, Purpose: "Pull the day's appointments"})
		require.NoError(w.t, err)
		return request
	}
	approved := ask("owner")
	require.NoError(w.t, s.Approve(ctx, w.by("admin"), approved.ID, "well", time.Time{}))
	credential, err := s.BeginCredential(ctx, w.by("owner"), store.Credential{
		AppID: app.ID, RequestID: approved.ID, KeyID: "key_aaaaaaaaaaaaaaaa", Name: "night", Kind: "key", Plan: "trial", Hospitals: []string{"harbor"}, Origin: store.OriginPortal,
	})
	require.NoError(w.t, err)
	_, err = s.FinishCredential(ctx, credential.ID, time.Now().Add(10*24*time.Hour), []store.SecretHint{{Hash: "abc", Hint: "wxyz", Created: time.Now()}})
	require.NoError(w.t, err)
	invitation, token, err := s.Invite(ctx, w.by("admin"), store.Invitation{Email: "new@pacs.example", Role: store.RoleDeveloper, Expires: time.Now().Add(time.Hour)})
	require.NoError(w.t, err)
	into, _, err := s.InviteToTeam(ctx, w.by("owner"), store.Invitation{Email: w.users["outsider"].Email, TeamID: team.ID, Expires: time.Now().Add(time.Hour)})
	require.NoError(w.t, err)
	announcement, err := s.Announce(ctx, w.by("admin"), store.Announcement{Title: "Maintenance", Text: "Tonight", Level: store.LevelWarn, Ends: time.Now().Add(time.Hour)})
	require.NoError(w.t, err)
	require.NoError(w.t, s.PutUsage(ctx, []store.UsageRow{{KeyID: credential.KeyID, Day: store.DayOf(time.Now()), Hospital: "harbor", Interaction: "read", Status: 200, Calls: 1234}}))
	w.ids = map[string]string{
		"app": app.ID, "idle": idle.ID, "request": ask("requester").ID, "approved": approved.ID, "credential": credential.ID, "team": team.ID, "user": w.users["target"].ID,
		"invitation": invitation.ID, "into": into.ID, "announcement": announcement.ID, "token": token, "plan": "trial", "hospital": "harbor", "file": "reference.css", "$": "", "disabled": w.users["disabled"].ID,
	}
	w.ask("owner", http.MethodGet, "/openapi.json", nil) // the portal makes its own key now, and not as a trace of another request
}

// session begins a session of a role, as signing in does.
func (w *world) session(role string) string {
	w.t.Helper()
	sessions := page.NewSessions(w.portal.store.Sessions(), false)
	ctx, err := sessions.Load(w.t.Context(), "")
	require.NoError(w.t, err)
	sessions.Put(ctx, "user", w.users[role].ID)
	sessions.Put(ctx, "edition", w.users[role].Edition)
	sessions.Put(ctx, "stage", map[bool]string{true: "password", false: "full"}[role == "pending"])
	token, _, err := sessions.Commit(ctx)
	require.NoError(w.t, err)
	return token
}

// others are what some routes are about in place of what most are: what they do
// cannot be done to that.
var others = map[string][2]string{
	"/apps/{app}/archive":                             {"{app}", "{idle}"}, // has no key that works
	"/console/users/{user}/enable":                    {"{user}", "{disabled}"},
	"/console/requests/{request}/end":                 {"{request}", "{approved}"},
	"/teams/{team}/invitations/{invitation}/withdraw": {"{invitation}", "{into}"},
	"/invitations/{invitation}/join":                  {"{invitation}", "{into}"},
	"/invitations/{invitation}/decline":               {"{invitation}", "{into}"},
}

// path is the address of a route, with the ids of what there is.
func (w *world) path(route page.Route) string {
	other := others[route.Path]
	path := strings.Replace(route.Path, other[0], other[1], 1)
	for name, id := range w.ids {
		path = strings.ReplaceAll(path, "{"+name+"}", id)
	}
	require.NotContains(w.t, path, "{", "the world has nothing behind the route")
	return path
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

var titles = regexp.MustCompile(`(?s)<title>(.*?)</title>`)

// title is what a page is called, for messages.
func (a answer) title() string {
	if found := titles.FindStringSubmatch(a.body); found != nil {
		return found[1]
	}
	return ""
}

// ask makes a request as a role; "nobody" has no session. The header holds name,
// value, name, value, …
func (w *world) ask(role, method, path string, form url.Values, header ...string) answer {
	w.t.Helper()
	request := httptest.NewRequest(method, w.options.Config.PublicURL+path, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token := w.tokens[role]; token != "" {
		name := "fhirgate"
		if strings.HasPrefix(w.options.Config.PublicURL, "https://") {
			name = "__Host-fhirgate"
		}
		request.AddCookie(&http.Cookie{Name: name, Value: token})
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	recorder := httptest.NewRecorder()
	w.portal.handler.ServeHTTP(recorder, request)
	body, err := io.ReadAll(recorder.Result().Body)
	require.NoError(w.t, err)
	return answer{recorder.Code, recorder.Result().Header, string(body)}
}

// allRoutes are the routes of the portal.
func (w *world) allRoutes() []page.Route {
	w.t.Helper()
	routes, err := w.portal.routes(w.options)
	require.NoError(w.t, err)
	return routes
}

// trail is the whole trail of acts: what refused requests must leave as it is.
func (w *world) trail() string {
	w.t.Helper()
	var trail strings.Builder
	_, _, err := w.portal.store.ExportActs(w.t.Context(), &trail)
	require.NoError(w.t, err)
	return trail.String()
}

// again begins another session of a role.
func (w *world) again(role string) {
	w.t.Helper()
	user, err := w.portal.store.User(w.t.Context(), w.users[role].ID)
	require.NoError(w.t, err)
	w.users[role] = user
	w.tokens[role] = w.session(role)
}
