package test

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// moment is when something happens to a call of the admin API.
type moment string

const (
	before     moment = "before the call"   // it never arrives
	unanswered moment = "before the answer" // it is done, and nobody learns of it
	answered   moment = "after the answer"  // some milliseconds later
	during     moment = "during the call"   // at any time while it is done
)

// trap is set for one call.
type trap struct {
	method string
	path   *regexp.Regexp
	after  int // calls like it that pass
	at     moment
	strike func() // returns when it is done
	sprung chan struct{}
}

// given is a secret that the gateway has given out, whether or not it has reached
// anybody.
type given struct{ keyID, kind, secret string }

// meddler stands between a portal and the admin API of its gateway. It passes all
// calls on, but the one that it has a trap for.
type meddler struct {
	url    string
	target string // URL of the admin API

	mu    sync.Mutex
	trap  *trap
	hurry func(r *http.Request) // called for each call; nil = nothing
	given []given
}

func newMeddler(t *testing.T) *meddler {
	m := &meddler{}
	server := httptest.NewServer(m)
	m.url = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return m
}

// set sets a trap, and returns what is closed when it has sprung and struck.
func (m *meddler) set(method, path string, after int, at moment, strike func()) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trap = &trap{method, regexp.MustCompile(path), after, at, strike, make(chan struct{})}
	return m.trap.sprung
}

// take returns the trap of a call, "" for none.
func (m *meddler) take(r *http.Request) (moment, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	set := m.trap
	if set == nil || set.method != r.Method || !set.path.MatchString(r.URL.Path) {
		return "", nil
	}
	if set.after > 0 {
		set.after--
		return "", nil
	}
	m.trap = nil
	return set.at, sync.OnceFunc(func() { set.strike(); close(set.sprung) })
}

func (m *meddler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	hurry := m.hurry
	m.mu.Unlock()
	if hurry != nil {
		hurry(r)
	}
	at, strike := m.take(r)
	switch at {
	case before:
		strike()
		panic(http.ErrAbortHandler)
	case during:
		go func() { pause(); strike() }()
	}
	status, body, err := m.pass(r)
	if at == unanswered {
		strike()
	}
	if err != nil || at == unanswered {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the portal may be gone
	if at == answered {
		go func() { pause(); strike() }()
	}
}

// pause waits for at most as long as a few calls take, and often hardly at all.
func pause() {
	time.Sleep(time.Duration(rand.Float64() * rand.Float64() * float64(6*time.Millisecond)))
}

// pass passes a call on, whatever becomes of who made it.
func (m *meddler) pass(r *http.Request) (status int, body []byte, err error) {
	forwarded, err := http.NewRequest(r.Method, m.target+r.URL.RequestURI(), r.Body)
	if err != nil {
		return 0, nil, err
	}
	forwarded.Header, forwarded.ContentLength = r.Header, r.ContentLength
	answer, err := plainHTTP.Do(forwarded)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	if body, err = io.ReadAll(answer.Body); err != nil {
		return 0, nil, err
	}
	if secret := gjson.GetBytes(body, "secret").Str; secret != "" {
		m.mu.Lock()
		m.given = append(m.given, given{gjson.GetBytes(body, "id").Str, gjson.GetBytes(body, "kind").Str, secret})
		m.mu.Unlock()
	}
	return answer.StatusCode, body, nil
}

// secrets returns all secrets that were given out.
func (m *meddler) secrets() []given {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]given(nil), m.given...)
}

// waiting are calls that are held.
type waiting struct {
	arrived func() // returns when all of them are here
	release func()
}

// hold holds the next calls of a method until they are released.
func (m *meddler) hold(t *testing.T, method string, count int) waiting {
	here, free := make(chan struct{}, count), make(chan struct{})
	left := count
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hurry = func(r *http.Request) {
		m.mu.Lock()
		held := r.Method == method && left > 0
		if held {
			left--
		}
		m.mu.Unlock()
		if held {
			here <- struct{}{}
			<-free
		}
	}
	release := sync.OnceFunc(func() { close(free) })
	t.Cleanup(release)
	return waiting{
		arrived: func() {
			for range count {
				<-here
			}
		},
		release: release,
	}
}
