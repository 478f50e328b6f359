package portal

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
)

// keyBook is an admin API that notes what keys are made and revoked.
type keyBook struct {
	mu        sync.Mutex
	hospitals []adminapi.Hospital
	done      []string
}

func (b *keyBook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var answer any
	switch r.Method + " " + r.URL.Path {
	case "GET /admin/hospitals":
		answer = b.hospitals
	case "GET /admin/plans":
		answer = []adminapi.Plan{{ID: "trial", Active: true, Hospitals: []string{"harbor", "lakeside", "st-mary"}}}
	case "POST /admin/keys":
		var wanted adminapi.NewKey
		_ = json.NewDecoder(r.Body).Decode(&wanted) // an empty one is found below
		made, _ := json.Marshal(wanted.Hospitals)
		b.done = append(b.done, "make for "+string(made))
		answer = adminapi.IssuedKey{Key: &record.Key{ID: wanted.ID, Plan: wanted.Plan, Kind: wanted.Kind, Secrets: []record.Secret{{Hash: "h"}}}, Secret: wanted.ID}
	default: // of a key
		b.done = append(b.done, r.Method+" "+filepath.Base(r.URL.Path))
		answer = record.Key{}
	}
	_ = json.NewEncoder(w).Encode(answer) // the client may have gone
}

// The portal's own key reaches simulated hospitals only, and ends before another
// one is made.
func TestThePortalsOwnKeyFollowsTheSandboxes(t *testing.T) {
	book := &keyBook{hospitals: []adminapi.Hospital{
		{ID: "harbor", Environment: "sandbox"}, {ID: "lakeside", Environment: "sandbox"}, {ID: "st-mary", Environment: "production"},
	}}
	gateway := httptest.NewServer(book)
	t.Cleanup(gateway.Close)
	w := newWorld(t, "http://portal.example")
	options := w.options
	options.Config.Database = filepath.Join(t.TempDir(), "other.db")
	options.Admin = adminapi.NewClient(gateway.URL, "secret of the tests")
	p, err := Open(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })

	key := p.ownKey(options)
	first, _, err := key.Key(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{`make for ["harbor","lakeside"]`}, book.done)
	book.hospitals[1].Environment = "production"
	second, _, err := key.Key(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	require.Equal(t, []string{`make for ["harbor","lakeside"]`, "DELETE " + first, `make for ["harbor"]`}, book.done)
	book.hospitals[0].Environment = "production"
	none, _, err := key.Key(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)
	require.Len(t, book.done, 3)
}
