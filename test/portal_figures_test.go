package test

import (
	"cmp"
	"compress/gzip"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"golang.org/x/net/html"

	"fhirgate/portal/store"
)

// maxTransferred bounds a page with all that it loads, in bytes.
const maxTransferred = 150_000

// rounds is how often each page is asked for.
const rounds = 20

// figurePages are the pages that are measured, by the role that opens them. Ids
// are of the biggest team and app. The page of the API reference, which holds a
// viewer of 500 KB, and logins, which take their time by intent (argon2id), are
// left out.
func figurePages() map[string][]string {
	team, app, credential, request := seedID("team", 0), seedID("app", 0), seedID("cred", 0), seedID("req", 0)
	year := time.Now().UTC().AddDate(0, 0, -364).Format(time.DateOnly)
	month := time.Now().UTC().AddDate(0, -1, 0).Format(time.DateOnly)
	developer := []string{
		"/", "/apps", "/apps/" + app, "/apps/" + app + "?page=4", "/apps/" + app + "/usage", "/apps/" + app + "/usage?days=365", "/apps/" + app + "/errors",
		"/credentials/" + credential, "/usage", "/usage?days=365", "/usage?days=365&app=" + app, "/usage?days=365&hospital=harbor", "/teams", "/teams/" + team,
		"/docs", "/docs/quick-start", "/docs/quick-start?app=" + app, "/docs/errors", "/try", "/account",
	}
	return map[string][]string{
		"nobody": {"/login", "/signup", "/forgot-password", "/nothing"},
		"viewer": developer,
		"owner": append(slices.Clone(developer), "/apps/new", "/apps/"+app+"/edit", "/apps/"+app+"/request", "/apps/"+app+"/keys/new?request="+request,
			"/credentials/"+credential+"/edit", "/credentials/"+credential+"/rotate", "/teams/new", "/account/second-factor"),
		"administrator": {
			"/", "/console", "/console/requests", "/console/requests?state=approved", "/console/requests?search=screening&page=3", "/console/requests/" + request,
			"/console/consumers", "/console/consumers?page=200", "/console/consumers?search=worklist", "/console/consumers?search=team+17&state=active&plan=e2e", "/console/consumers?hospital=harbor",
			"/console/consumers/" + credential, "/console/plans", "/console/plans/e2e", "/console/hospitals", "/console/hospitals/harbor", "/console/reload",
			"/console/users", "/console/users?search=dev4", "/console/users/" + seedID("user", 0), "/console/users/invite", "/console/invitations", "/console/teams", "/console/teams/" + team,
			"/console/announcements", "/console/usage", "/console/usage?from=" + year, "/console/usage?hospital=harbor&from=" + year, "/console/audit", "/console/audit?page=2000", "/console/audit?search=worklist&page=9", "/console/audit?search=worklist&page=140", "/console/audit?search=nowhere", "/console/audit?search=" + seedID("key", 10),
			"/console/audit?name=user.login", "/console/audit?name=user.login&page=1000", "/console/audit?user=dev4@pacs.example", "/console/audit?user=dev4@pacs.example&search=agreement",
			"/console/audit?from=" + month + "&to=" + month, "/console/audit?from=" + year + "&search=agreement", "/console/audit/verify",
		},
	}
}

// TestPortalFigures prints what the portal's pages weigh and how long they take,
// and sees to their weight. With FIGURES=full (make figures) there are 10,000 keys
// and a year of usage, else fewer. In both there are 100,000 acts. Times are for people to judge.
func TestPortalFigures(t *testing.T) {
	much := amount{keys: 1000, days: 60}
	if os.Getenv("FIGURES") == "full" {
		much = amount{keys: 10_000, days: 365}
	}
	onBothDatabases(t, func(t *testing.T, postgres bool) { measurePortal(t, postgres, much) })
}

func measurePortal(t *testing.T, postgres bool, much amount) {
	p := startPortal(t, postgres, nil)
	administrator := p.surfer(true, "ada@pacs.example")
	surfers := map[string]*surfer{
		"nobody": newSurfer(p), "administrator": administrator,
		"owner": p.surfer(false, "owner@pacs.example"), "viewer": p.surfer(false, "viewer@pacs.example"),
	}
	var seeds seeder
	timed(t, fmt.Sprintf("making %d keys at the gateway", much.keys), func() {
		keys := p.makeKeys(much.keys)
		p.stopCleanly()
		seeds = p.openTables()
		timed(t, fmt.Sprintf("writing %d days of usage", much.days), func() {
			seeds.seed(p.openRecords(), p.actsKey(), keys, much.days, "owner@pacs.example", "viewer@pacs.example")
		})
	})
	if postgres { // does so by itself, a minute after that much was written
		seeds.exec("VACUUM ANALYZE")
	}
	var rows int64
	require.NoError(t, seeds.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM usage").Scan(&rows))
	timed(t, fmt.Sprintf("starting with %d rows of usage", rows), p.startAgain)

	var figures []*figure
	for role, paths := range figurePages() {
		for _, path := range paths {
			figures = append(figures, surfers[role].measure(role, path))
		}
	}
	for _, f := range figures {
		f.millis = p.spent(f)
	}
	slices.SortFunc(figures, func(a, b *figure) int { return cmp.Compare(b.median(), a.median()) })
	t.Log("\n" + table(figures))
	for _, f := range figures {
		require.Less(t, f.total, maxTransferred, "%s weighs too much with all that it loads", f.path)
	}
}

// openTables gives access to the tables of the portal, which must not run.
func (p *portal) openTables() seeder {
	p.t.Helper()
	driver, source := "sqlite", p.file("data/portal.db")
	if url := p.postgres(); url != "" {
		driver, source = "pgx", url
	}
	db, err := sql.Open(driver, source)
	require.NoError(p.t, err)
	db.SetMaxOpenConns(1)
	p.t.Cleanup(func() { _ = db.Close() })
	return seeder{p.t, db}
}

// openRecords opens the portal's store beside it.
func (p *portal) openRecords() *store.Store {
	p.t.Helper()
	records, err := store.Open(p.t.Context(), store.Options{
		SQLite: p.file("data/portal.db"), Postgres: p.postgres(), ActsKey: []byte(p.actsKey()),
	})
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = records.Close() })
	return records
}

// actsKey is the key of the trail of acts.
func (p *portal) actsKey() string { return strings.TrimSpace(p.read("data/portal-acts-key")) }

// postgres is the URL of the portal's database, "" with SQLite.
func (p *portal) postgres() string {
	for _, setting := range p.env {
		if url, found := strings.CutPrefix(setting, "PORTAL_TEST_DATABASE="); found {
			return url
		}
	}
	return ""
}

// spent returns how many milliseconds the portal says that each request of a page
// took, the least first. A line of the log comes after its answer.
func (p *portal) spent(f *figure) (millis []float64) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		millis = nil
		for line := range strings.Lines(p.process.err.String()) {
			if strings.Contains(line, `"msg":"page"`) && slices.Contains(f.requests, gjson.Get(line, "request_id").Str) {
				millis = append(millis, gjson.Get(line, "ms").Num)
			}
		}
		return len(millis) == len(f.requests)
	}, 5*time.Second, 100*time.Millisecond, "the log lacks requests to %s", f.path)
	slices.Sort(millis)
	return millis
}

// figure is what was measured of a page.
type figure struct {
	role, path        string
	html, sent, total int // bytes: of the page, of the page as sent, and with all that it loads
	client            time.Duration
	requests          []string  // ids
	millis            []float64 // what the portal says, the least first
}

func (f *figure) median() float64 { return f.millis[len(f.millis)/2] }

var seededID = regexp.MustCompile(`(team|app|cred|req|user)_[a-z2-7]{16}`)

func table(figures []*figure) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%-14s %-52s %9s %9s %9s %9s %9s %9s\n", "role", "page", "HTML", "sent", "in all", "median ms", "max ms", "client ms")
	for _, f := range figures {
		fmt.Fprintf(&out, "%-14s %-52s %9d %9d %9d %9.1f %9.1f %9.1f\n", f.role, seededID.ReplaceAllString(f.path, "{$1}"),
			f.html, f.sent, f.total, f.median(), f.millis[len(f.millis)-1], float64(f.client.Microseconds())/1000)
	}
	return out.String()
}

// surfer is somebody who asks for pages as a browser does, without one.
type surfer struct {
	t      *testing.T
	home   string
	client *http.Client
	loaded map[string]int // bytes by address of what pages load
}

func newSurfer(p *portal) *surfer {
	jar, err := cookiejar.New(nil)
	require.NoError(p.t, err)
	return &surfer{t: p.t, home: p.home, loaded: make(map[string]int), client: &http.Client{Jar: jar}}
}

// surfer makes an account by an invitation and stays signed in.
func (p *portal) surfer(admin bool, email string) *surfer {
	p.t.Helper()
	v := newSurfer(p)
	invite := []string{"portal", "invite", email}
	if admin {
		invite = []string{"portal", "invite", "--admin", email}
	}
	v.post(p.command(invite...), "name", "Ada Lovelace", "password", testPassword)
	if admin {
		shown := v.post(p.home+"/account/totp", "current", testPassword)
		secret := regexp.MustCompile(`<code class="mono">([A-Z2-7 ]+)</code>`).FindStringSubmatch(shown)
		require.NotNil(p.t, secret, shown)
		code, err := totp.GenerateCode(strings.ReplaceAll(secret[1], " ", ""), time.Now())
		require.NoError(p.t, err)
		v.post(p.home+"/account/totp/confirm", "code", code)
	}
	return v
}

func (v *surfer) post(address string, values ...string) string {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	answer, err := v.client.PostForm(address, form)
	require.NoError(v.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusOK, answer.StatusCode, "%s", body)
	return string(body)
}

// get returns an answer, its body as it was sent and as it is read.
func (v *surfer) get(address string) (answer *http.Response, sent int, body []byte) {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.home+address, nil)
	require.NoError(v.t, err)
	request.Header.Set("Accept-Encoding", "gzip") // set by us, it is not taken off by the client
	answer, err = v.client.Do(request)
	require.NoError(v.t, err)
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	require.NoError(v.t, err)
	sent = len(body)
	if answer.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(strings.NewReader(string(body)))
		require.NoError(v.t, err)
		body, err = io.ReadAll(unpacked)
		require.NoError(v.t, err)
	}
	return answer, sent, body
}

// measure asks for a page again and again, and for what it loads once.
func (v *surfer) measure(role, path string) *figure {
	v.t.Helper()
	f := &figure{role: role, path: path}
	var took []time.Duration
	for range rounds {
		began := time.Now()
		answer, sent, body := v.get(path)
		took = append(took, time.Since(began))
		require.Contains(v.t, []int{http.StatusOK, http.StatusNotFound}, answer.StatusCode, "%s as %s: %s", path, role, body)
		require.Equal(v.t, path == "/nothing", answer.StatusCode == http.StatusNotFound, "%s as %s", path, role)
		f.requests = append(f.requests, answer.Header.Get("X-Request-Id"))
		f.html, f.sent, f.total = len(body), sent, sent
		for _, address := range loads(v.t, body) {
			if _, known := v.loaded[address]; !known {
				loaded, size, _ := v.get(address)
				require.Equal(v.t, http.StatusOK, loaded.StatusCode, address)
				v.loaded[address] = size
			}
			f.total += v.loaded[address]
		}
	}
	slices.Sort(took)
	f.client = took[len(took)/2]
	return f
}

// loads returns the addresses of what a page loads: style sheets, icons, scripts,
// images, and the script for charts where there is one.
func loads(t *testing.T, page []byte) []string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(string(page)))
	require.NoError(t, err)
	var found []string
	charts, chart := "", false
	for node := range root.Descendants() {
		attributes := make(map[string]string)
		for _, a := range node.Attr {
			attributes[a.Key] = a.Val
		}
		address := ""
		switch {
		case node.Type != html.ElementNode:
		case node.Data == "link" && (attributes["rel"] == "stylesheet" || attributes["rel"] == "icon"):
			address = attributes["href"]
		case node.Data == "script" || node.Data == "img":
			address = attributes["src"]
		}
		if strings.HasPrefix(address, "/") {
			found = append(found, address)
		}
		charts = cmp.Or(charts, attributes["data-charts"])
		_, drawn := attributes["data-chart"]
		chart = chart || drawn
	}
	if chart {
		found = append(found, charts)
	}
	slices.Sort(found)
	return slices.Compact(found)
}
