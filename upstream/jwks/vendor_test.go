package jwks

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
)

// edge is an HTTP cache between the gateway and a vendor: it keeps a set for as
// long as Cache-Control allows.
type edge struct {
	origin http.Handler
	now    func() time.Time
	body   []byte
	until  time.Time
}

func (e *edge) get() ([]byte, error) {
	if e.body != nil && e.now().Before(e.until) {
		return e.body, nil
	}
	w := httptest.NewRecorder()
	e.origin.ServeHTTP(w, httptest.NewRequest(http.MethodGet, SetPath, nil))
	seconds, ok := strings.CutPrefix(w.Header().Get("Cache-Control"), "public, max-age=")
	age, err := strconv.Atoi(seconds)
	if w.Code != http.StatusOK || !ok || err != nil {
		return nil, fmt.Errorf("status %d, Cache-Control %q", w.Code, seconds)
	}
	e.body, e.until = w.Body.Bytes(), e.now().Add(time.Duration(age)*time.Second)
	return e.body, nil
}

// vendor checks assertions with the set that it fetched last, however old, and
// does not ask again for a kid that it does not know.
type vendor struct {
	name  string
	get   func() ([]byte, error)
	keep  func(fetched time.Time) time.Time // until when a set is kept
	set   jose.JSONWebKeySet
	until time.Time
}

func (v *vendor) check(assertion string, now time.Time) error {
	if !now.Before(v.until) {
		body, err := v.get()
		if err != nil {
			return err
		}
		v.set = jose.JSONWebKeySet{}
		if err := json.Unmarshal(body, &v.set); err != nil {
			return err
		}
		v.until = v.keep(now)
	}
	return verify(assertion, v.set)
}

func verify(assertion string, set jose.JSONWebKeySet) error {
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.RS256, jose.RS384})
	if err != nil {
		return err
	}
	for _, key := range set.Key(token.Headers[0].KeyID) {
		return token.Claims(key, &jwt.Claims{})
	}
	return errors.New("unknown kid")
}

func hours(n int) func(time.Time) time.Time {
	return func(t time.Time) time.Time { return t.Add(time.Duration(n) * time.Hour) }
}

// nightly keeps a set until two in the morning.
func nightly(t time.Time) time.Time {
	night := time.Date(t.Year(), t.Month(), t.Day(), 2, 0, 0, 0, t.Location())
	if !t.Before(night) {
		night = night.AddDate(0, 0, 1)
	}
	return night
}

// sign makes an assertion as upstream does.
func sign(signer *Signer, t *testing.T) (string, error) {
	key, err := signer.SigningKey(t.Context())
	if err != nil {
		return "", err
	}
	s, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	return jwt.Signed(s).Claims(jwt.Claims{Issuer: "fhirgate", Subject: "fhirgate"}).Serialize()
}

// fourDays makes a ring, rotates it after an hour and again after 40, and has
// all kinds of vendors check an assertion of each of two nodes at every minute.
// It returns how many were checked and which failed.
func fourDays(t *testing.T, after time.Duration) (checked int, failures []string) {
	l := newLab(t)
	nodes := []*Rings{l.node(), l.node()}
	_, err := nodes[0].Create(t.Context(), New{Name: "r", Alg: jose.ES256, After: after})
	require.NoError(t, err)
	newEdge := func(node int) func() ([]byte, error) {
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { require.NoError(t, nodes[node].Serve(w, r)) })
		return (&edge{origin: handler, now: l.clock.Now}).get
	}
	vendors := []*vendor{
		{name: "nightly", get: newEdge(0), keep: nightly},
		{name: "caches for an hour", get: newEdge(1), keep: hours(1)},
	}
	// Epic, which fetches at other times each: among them a minute before the
	// first rotation, a minute after it, and (29 hours later) a minute before
	// the second.
	for i, first := range []time.Duration{0, 59 * time.Minute, 61 * time.Minute, 7 * time.Hour, 10*time.Hour + 59*time.Minute, 28 * time.Hour} {
		v := &vendor{name: fmt.Sprint("Epic, from ", first), get: newEdge(i % 2), keep: hours(29)}
		v.until = begin.Add(first)
		body, err := v.get()
		require.NoError(t, err)
		v.set = parseKeySet(t, body) // from when the client was registered
		vendors = append(vendors, v)
	}
	signed := map[string]bool{}
	for minute := range 4 * 24 * 60 {
		switch minute {
		case 60, 40 * 60:
			_, err := nodes[minute/60%2].Rotate(t.Context(), "r", 0)
			require.NoError(t, err)
		}
		for i, node := range nodes {
			assertion, err := sign(node.Signer("r"), t)
			require.NoError(t, err, "minute %d", minute)
			for _, v := range vendors[i*4 : i*4+4] {
				checked++
				if err := v.check(assertion, l.clock.Now()); err != nil {
					failures = append(failures, fmt.Sprintf("minute %d, %s: %s", minute, v.name, err))
				}
			}
		}
		require.Equal(t, signing(t, nodes[0], "r"), signing(t, nodes[1], "r"), "minute %d", minute)
		signed[signing(t, nodes[0], "r")] = true
		l.clock.pass(time.Minute)
	}
	require.Len(t, signed, 3, "all three keys have signed")
	return checked, failures
}

// TestVendorsCaches is the bar for the schedule: no vendor ever refuses.
func TestVendorsCaches(t *testing.T) {
	t.Parallel()
	checked, failures := fourDays(t, 0)
	require.Empty(t, failures[:min(1, len(failures))], "%d of %d were refused", len(failures), checked)
	t.Logf("%d assertions checked, 0 refused", checked)
}

// TestVendorsCachesNeedTheTime proves that the one above can fail.
func TestVendorsCachesNeedTheTime(t *testing.T) {
	t.Parallel()
	checked, failures := fourDays(t, 28*time.Hour)
	require.NotEmpty(t, failures, "28 hours are too short for a cache of 29")
	t.Logf("%d assertions checked, %d refused, the first: %s", checked, len(failures), failures[0])
}

func parseKeySet(t *testing.T, data []byte) jose.JSONWebKeySet {
	t.Helper()
	data = []byte(strings.TrimSpace(string(data)))
	var set jose.JSONWebKeySet
	require.NoError(t, json.Unmarshal(data, &set))
	return set
}

// serve answers with r's sets, and a refusal as its status alone.
func serve(r *Rings) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if err := r.Serve(w, request); err != nil {
			http.Error(w, "", http.StatusServiceUnavailable)
		}
	})
}
