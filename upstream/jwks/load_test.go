package jwks

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/stretchr/testify/require"
)

// cachingVerifier checks assertions as a strict vendor does: it fetches the set
// by HTTP when its own is too old, and for no other reason.
type cachingVerifier struct {
	url  string
	keep time.Duration

	mu    sync.Mutex
	set   jose.JSONWebKeySet
	until time.Time
}

func (v *cachingVerifier) check(assertion string) error {
	set, err := v.current()
	if err != nil {
		return err
	}
	return verify(assertion, set)
}

func (v *cachingVerifier) current() (jose.JSONWebKeySet, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Now().Before(v.until) {
		return v.set, nil
	}
	answer, err := http.Get(v.url)
	if err != nil {
		return v.set, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return v.set, fmt.Errorf("status %d", answer.StatusCode)
	}
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(answer.Body).Decode(&set); err != nil {
		return v.set, err
	}
	v.set, v.until = set, time.Now().Add(v.keep)
	return set, nil
}

// TestRotationUnderLoad is the bar for the whole: 10,000 assertions by eight
// goroutines on two nodes, while the ring is rotated again and again, checked
// by vendors that keep the set for a second. The clock is the real one.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	const (
		workers, each = 8, 1250
		after         = 3 * time.Second // over the vendors' second and a node's half
		keep          = time.Second
		pace          = 9 * time.Millisecond
	)
	l := newLab(t)
	real := func(o *Options) { o.Now = time.Now }
	nodes := []*Rings{l.node(real), l.node(real)}
	_, err := nodes[0].Create(t.Context(), New{Name: "r", Alg: jose.ES256, After: after})
	require.NoError(t, err)
	vendors := make([]*cachingVerifier, workers)
	for i := range vendors {
		server := httptest.NewServer(serve(nodes[i%2]))
		defer server.Close()
		vendors[i] = &cachingVerifier{url: server.URL + RingPath("r"), keep: keep}
	}

	var checked, failed atomic.Int64
	var signers sync.Map // kid
	var working sync.WaitGroup
	for i := range workers {
		working.Go(func() {
			node := nodes[i/2%2] // each vendor fetches from either node, whichever signed
			for range each {
				assertion, err := sign(node.Signer("r"), t)
				if err == nil {
					err = vendors[i].check(assertion)
				}
				if checked.Add(1); err != nil && failed.Add(1) == 1 {
					t.Errorf("the first failure: %s", err)
				}
				signers.Store(signing(t, node, "r"), true)
				time.Sleep(pace)
			}
		})
	}
	done := make(chan struct{})
	go func() { working.Wait(); close(done) }()
	rotations := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(100 * time.Millisecond):
			if _, err := nodes[rotations%2].Rotate(t.Context(), "r", 0); err == nil {
				rotations++
			} else {
				require.ErrorIs(t, err, ErrRotating)
			}
		}
	}
	used := 0
	signers.Range(func(any, any) bool { used++; return true })
	t.Logf("%d assertions by %d goroutines on 2 nodes, %d rotations, %d keys used: %d failed", checked.Load(), workers, rotations, used, failed.Load())
	require.EqualValues(t, workers*each, checked.Load())
	require.Zero(t, failed.Load())
	require.GreaterOrEqual(t, used, 3, "several keys must have signed")
}
