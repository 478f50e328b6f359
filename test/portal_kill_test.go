package test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

// point is a call of the admin API at which a portal is killed, in the midst of
// what a page does.
type point struct {
	name   string
	method string
	path   string
	after  int // calls like it that pass
	// begin makes what is needed, and returns the form that is sent and what must
	// be so afterwards.
	begin func(a *apart) (by *plainBrowser, path string, form url.Values, then func(at moment, page visit) string)
}

// allMoments are those at which a portal is killed.
var allMoments = []moment{before, unanswered, answered}

const (
	atKeys   = `^/admin/keys$`
	atKey    = `^/admin/keys/[^/]+$`
	atRotate = `/rotate$`
	atSecret = `/secrets/`
)

func killPoints() []point {
	return []point{
		{"an API key is made", "POST", atKeys, 0, making("key")},
		{"a client with a secret is made", "POST", atKeys, 0, making("client")},
		{"a client with its own keys is made", "POST", atKeys, 0, making("signer")},
		{"a key is rotated with a grace", "POST", atRotate, 0, rotating("24h")},
		{"a key is rotated without a grace", "POST", atRotate, 0, rotating("none")},
		{"the old secret ends without a grace", "DELETE", atSecret, 0, rotating("none")},
		{"a key is revoked", "DELETE", atKey, 0, revoking},
		{"an access ends, its first key", "DELETE", atKey, 0, ending},
		{"an access ends, its second key", "DELETE", atKey, 1, ending},
		{"the portal's own key is made", "POST", atKeys, 0, tryingWithout},
		{"the portal's own key is rotated", "POST", atRotate, 0, tryingAgain},
	}
}

// making makes a credential.
func making(kind string) func(a *apart) (*plainBrowser, string, url.Values, func(moment, visit) string) {
	return func(a *apart) (*plainBrowser, string, url.Values, func(moment, visit) string) {
		form := a.dev.issueForm(a.app, a.request, kind)
		if kind == "signer" {
			set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{a.signing.Public()}})
			require.NoError(a.t, err)
			form.Set("jwks", string(set))
		}
		return a.dev, a.app + "/keys/new", form, func(at moment, page visit) string {
			made := a.newestOf(a.app)
			switch {
			case page.status == http.StatusOK: // somebody has seen it
				require.Equal(a.t, store.CredentialActive, made.State)
			case at != answered:
				require.Equal(a.t, store.CredentialFailed, made.State)
			default:
				require.Contains(a.t, []store.CredentialState{store.CredentialActive, store.CredentialFailed}, made.State)
			}
			if kind == "signer" {
				want := map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[made.State == store.CredentialActive]
				s := &signer{&client{gateway: a.gateway, t: a.t, keyID: made.KeyID}, a.signing}
				require.Equal(a.t, want, a.tokens(s.assertion(a.t, a.url+"/oauth/token")))
			}
			return string(made.State)
		}
	}
}

// rotating rotates a key whose secret is known.
func rotating(grace string) func(a *apart) (*plainBrowser, string, url.Values, func(moment, visit) string) {
	return func(a *apart) (*plainBrowser, string, url.Values, func(moment, visit) string) {
		made := a.issue(a.dev, a.app, a.request, "key")
		path := "/credentials/" + made.id + "/rotate"
		return a.dev, path, a.dev.rotateForm(made.id, grace), func(_ moment, page visit) string {
			c := a.credential(made.id)
			require.Equal(a.t, store.CredentialActive, c.State)
			old := hinted(c, made.secret)
			seen := page.secret()
			if c.Note == "" { // it has come through
				require.Equal(a.t, grace == "none", old == nil, "with a grace, the old secret works on for it")
				require.True(a.t, old == nil || !old.Until.IsZero())
				if seen != "" {
					require.NotNil(a.t, hinted(c, seen))
				}
				return "rotated"
			}
			require.Contains(a.t, c.Note, "broken off")
			require.Len(a.t, c.Hints, 1)
			require.NotNil(a.t, old)
			require.True(a.t, old.Until.IsZero(), "the old secret works on without an end")
			require.Empty(a.t, seen)
			return "taken back"
		}
	}
}

func revoking(a *apart) (*plainBrowser, string, url.Values, func(moment, visit) string) {
	made := a.issue(a.dev, a.app, a.request, "key")
	return a.dev, "/credentials/" + made.id + "/revoke", formOf("reason", "leaked"), func(moment, visit) string {
		require.Equal(a.t, store.CredentialRevoked, a.credential(made.id).State)
		require.Equal(a.t, http.StatusUnauthorized, a.calls(made.secret))
		return "revoked"
	}
}

func ending(a *apart) (*plainBrowser, string, url.Values, func(moment, visit) string) {
	request := a.newRequest()
	first, second := a.issue(a.dev, a.app, request, "key"), a.issue(a.dev, a.app, request, "key")
	return a.admin, "/console/requests/" + request + "/end", formOf("end_reason", "the study is over"), func(moment, visit) string {
		for _, made := range []issued{first, second} {
			require.Equal(a.t, store.CredentialRevoked, a.credential(made.id).State)
			require.Equal(a.t, http.StatusUnauthorized, a.calls(made.secret))
		}
		return "both revoked"
	}
}

// trial is the form that tries a call, for which the portal needs its own key.
func trial() url.Values {
	return formOf("hospital", "harbor", "interaction", "search-type", "type", "Patient", "parameters", "_count=1")
}

func trying(a *apart) (*plainBrowser, string, url.Values, func(moment, visit) string) {
	a.portal.kill() // it holds the secret of its key in memory only
	a.portal.run()
	return a.dev, "/try", trial(), func(moment, visit) string {
		page, err := a.dev.send(http.MethodPost, "/try", trial())
		require.NoError(a.t, err)
		require.True(a.t, strings.Contains(page.body, "200 OK"), "%s", page)
		return "tried again"
	}
}

// tryingWithout begins without an own key.
func tryingWithout(a *apart) (*plainBrowser, string, url.Values, func(moment, visit) string) {
	for _, c := range a.credentials() {
		if c.AppID == "" && c.State == store.CredentialActive {
			a.admin.post(http.StatusSeeOther, "/console/consumers/"+c.ID+"/revoke", "reason", "another one")
		}
	}
	return trying(a)
}

// tryingAgain begins with an own key whose secret nobody knows any more.
func tryingAgain(a *apart) (*plainBrowser, string, url.Values, func(moment, visit) string) {
	_, err := a.dev.send(http.MethodPost, "/try", trial())
	require.NoError(a.t, err)
	return trying(a)
}

// TestPortalKilledBetweenTheStores kills a portal with -9 at every call by which it
// changes a key, before, during and after it. The next start brings its records
// and the gateway's keys together, as real calls with every secret tell.
func TestPortalKilledBetweenTheStores(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, postgres bool) {
		t.Parallel()
		startApart(t, postgres).killedAtAll(killPoints(), 12)
	})
}

// TestServeKilledBetweenTheStores kills a gateway together with its portal.
func TestServeKilledBetweenTheStores(t *testing.T) {
	t.Parallel()
	startTogether(t).killedAtAll(killPoints()[3:9], 8)
}

// killedAtAll kills the portal at all points, and some times at random.
func (a *apart) killedAtAll(points []point, random int) {
	var table strings.Builder
	defer func() { a.t.Logf("killed with -9, and started again:\n%s", table.String()) }()
	for _, p := range points {
		for _, at := range allMoments {
			outcome := a.killedAt(p, at)
			fmt.Fprintf(&table, "%-36s %-18s %s\n", p.name, at, outcome)
		}
	}
	fmt.Fprintln(&table, a.killedAtRandom(random, a.portalDies))
	out, err := a.portal.tells("portal", "acts", "verify")
	require.NoError(a.t, err, out)
	require.NoError(a.t, a.portal.stop())
}

// killedAt kills the portal at a moment of a point, starts it again, and tells
// what has become of what was under way.
func (a *apart) killedAt(p point, at moment) string {
	a.t.Helper()
	by, path, form, then := p.begin(a)
	sprung := a.meddler.set(p.method, p.path, p.after, at, a.portal.kill)
	page, err := by.send(http.MethodPost, path, form)
	select {
	case <-sprung:
	case <-time.After(20 * time.Second):
		require.FailNow(a.t, p.name+": there was no such call", "%v %v", page, err)
	}
	if err != nil {
		page = visit{}
	}
	a.portal.run()
	a.requireInStep(p.name + ", " + string(at))
	return then(at, page)
}

// portalDies kills the portal after a while and starts it again.
func (a *apart) portalDies() {
	time.Sleep(rand.N(25 * time.Millisecond))
	a.portal.kill()
	a.portal.run()
}

// killedAtRandom does things at random, while a process dies at any time, and
// tells how many were broken off.
func (a *apart) killedAtRandom(times int, dies func()) string {
	a.t.Helper()
	broken := 0
	for range times {
		path, form := a.anything()
		done := make(chan error, 1)
		go func() {
			_, err := a.dev.send(http.MethodPost, path, form)
			done <- err
		}()
		dies()
		if <-done != nil {
			broken++
		}
	}
	a.requireInStep("at random")
	return fmt.Sprintf("%d things at random, %d of them without an answer", times, broken)
}

// anything returns a form that makes, rotates or revokes a credential.
func (a *apart) anything() (path string, form url.Values) {
	a.t.Helper()
	var able []store.Credential
	for _, c := range a.credentials() {
		if c.AppID != "" && c.State == store.CredentialActive && len(c.Hints) > 0 {
			able = append(able, c)
		}
	}
	if len(able) == 0 || rand.IntN(3) == 0 {
		return a.app + "/keys/new", a.dev.issueForm(a.app, a.request, "key")
	}
	id := able[rand.IntN(len(able))].ID
	if rand.IntN(3) == 0 {
		return "/credentials/" + id + "/revoke", formOf("reason", "at random")
	}
	graces := []string{"none", "1h", "24h"}
	return "/credentials/" + id + "/rotate", a.dev.rotateForm(id, graces[rand.IntN(len(graces))])
}

// TestGatewayKilledUnderThePortal kills the gateway with -9, its store with it, in
// the midst of what the portal asks of it. The portal brings both together again
// when the gateway is back, without being started anew.
func TestGatewayKilledUnderThePortal(t *testing.T) {
	t.Parallel()
	a := startApart(t, false)
	for _, p := range killPoints() {
		if strings.HasPrefix(p.name, "the portal's own") || strings.HasPrefix(p.name, "an access") {
			continue
		}
		at := []moment{before, during}[rand.IntN(2)]
		by, path, form, _ := p.begin(a)
		sprung := a.meddler.set(p.method, p.path, p.after, at, a.crash)
		page, err := by.send(http.MethodPost, path, form)
		require.NoError(t, err)
		<-sprung
		a.restart()
		require.True(t, slices.Contains([]int{http.StatusOK, http.StatusSeeOther, http.StatusServiceUnavailable}, page.status), "%s", page)
		t.Logf("%-36s %-18s %d", p.name, at, page.status)
	}
	a.requireInStep("after the gateway's ends")
	t.Log(a.killedAtRandom(6, func() {
		time.Sleep(rand.N(15 * time.Millisecond))
		a.crash()
		a.restart()
	}))
	require.NoError(t, a.portal.stop())
}
