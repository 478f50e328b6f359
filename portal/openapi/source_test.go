package openapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
)

type listed struct {
	hospitals []adminapi.Hospital
	err       error
}

func (l *listed) Hospitals(context.Context) ([]adminapi.Hospital, error) { return l.hospitals, l.err }

// fixture is a source before a gateway whose hospitals answer what is set.
type fixture struct {
	*listed
	source *Source
	now    time.Time
	asked  atomic.Int32
	answer map[string]http.HandlerFunc
	keys   *keys
}

// keys are those of a gateway that takes "fg_secret".
type keys struct {
	secret  string
	reaches []string
	err     error
}

func (k *keys) Key(context.Context) (string, []string, error) { return k.secret, k.reaches, k.err }
func (k *keys) Refused(string)                                { k.secret = "fg_secret" }

func newFixture(t *testing.T, ids ...string) *fixture {
	t.Helper()
	f := &fixture{listed: &listed{}, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), answer: map[string]http.HandlerFunc{}, keys: &keys{secret: "fg_secret", reaches: ids}}
	for _, id := range ids {
		f.hospitals = append(f.hospitals, adminapi.Hospital{ID: id, Name: id, Interactions: map[string][]string{"Device": {"read"}}})
		f.answer[id] = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(statementOf("Patient")) }
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		if r.Header.Get("Authorization") != "Bearer fg_secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		f.answer[strings.Split(r.URL.Path, "/")[2]](w, r)
	}))
	t.Cleanup(server.Close)
	f.source = NewSource(Options{
		Gateway: f.listed, Keys: f.keys, GatewayURL: server.URL, PublicURL: "https://gateway.example", Now: func() time.Time { return f.now },
	})
	return f
}

func statementOf(typ string) []byte {
	return []byte(`{"resourceType":"CapabilityStatement","rest":[{"mode":"server","resource":[{"type":"` + typ + `","interaction":[{"code":"read"}]}]}]}`)
}

func (f *fixture) document(t *testing.T) (*Described, *Document) {
	t.Helper()
	d, err := f.source.Document(t.Context())
	require.NoError(t, err)
	var document Document
	require.NoError(t, json.Unmarshal(d.JSON, &document))
	return d, &document
}

func TestSourceAsksAndKeeps(t *testing.T) {
	f := newFixture(t, "north", "south")
	d, document := f.document(t)
	require.Equal(t, 2, d.Hospitals)
	require.Empty(t, d.Problems)
	require.Equal(t, []string{"north", "south"}, document.Paths["/{hospital}/Patient/{id}"].Get.Parameters[0].Schema.Enum)
	require.EqualValues(t, 2, f.asked.Load())

	f.now = f.now.Add(keepWhole - time.Second)
	f.document(t)
	require.EqualValues(t, 2, f.asked.Load(), "it was kept")
	f.now = f.now.Add(time.Second)
	f.document(t)
	require.EqualValues(t, 4, f.asked.Load(), "it was too old")
}

// Whatever is wrong with a hospital, it is described from its route, named, and
// asked again soon.
func TestSourceDoesWithoutAStatement(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"it is down":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"it is not ours": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"it redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/fhir/north/metadata", http.StatusFound)
		},
		"it is no FHIR":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"it is too large":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxStatement+1)) },
		"it breaks off":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"it is cut short ": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(statementOf("Patient")[:40]) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, "north", "south")
			f.answer["south"] = answer
			d, document := f.document(t)
			require.Len(t, d.Problems, 1)
			require.ErrorContains(t, d.Problems[0], "hospital south")
			require.Contains(t, document.Info.Description, "without search parameters: `south`.")
			require.Equal(t, []string{"south"}, document.Paths["/{hospital}/Device/{id}"].Get.Parameters[0].Schema.Enum)
			require.Equal(t, []string{"north"}, document.Paths["/{hospital}/Patient/{id}"].Get.Parameters[0].Schema.Enum)
			f.now = f.now.Add(keepPart)
			f.answer["south"] = f.answer["north"]
			d, _ = f.document(t)
			require.Empty(t, d.Problems)
		})
	}
}

func TestSourceWithoutAGateway(t *testing.T) {
	f := newFixture(t, "north")
	f.err = errors.New("away")
	d, document := f.document(t)
	require.Zero(t, d.Hospitals)
	require.Len(t, d.Problems, 1)
	require.Empty(t, document.Paths)
}

func TestSourceWithoutASecret(t *testing.T) {
	f := newFixture(t, "north")
	f.keys.reaches, f.keys.err = nil, errors.New("no key")
	d, _ := f.document(t)
	require.Len(t, d.Problems, 1)
	require.ErrorContains(t, d.Problems[0], "no key")
	require.EqualValues(t, 1, d.Hospitals)
	require.Zero(t, f.asked.Load())
}

// A hospital beyond the key is described from its route, and that is as it should
// be: it is not asked, nothing is wrong, and the document is kept as long as others.
func TestSourceAsksWhatItsKeyReaches(t *testing.T) {
	for name, reaches := range map[string][]string{"one of two": {"north"}, "none": nil} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, "north", "south")
			f.keys.reaches = reaches
			if reaches == nil {
				f.keys.secret = ""
			}
			f.answer["south"] = func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }
			d, document := f.document(t)
			require.Empty(t, d.Problems)
			require.Equal(t, 2, d.Hospitals)
			require.EqualValues(t, len(reaches), f.asked.Load())
			require.Contains(t, document.Paths["/{hospital}/Device/{id}"].Get.Parameters[0].Schema.Enum, "south")
			f.hospitals[1].Interactions = nil
			f.now = f.now.Add(keepWhole - time.Second)
			again, _ := f.document(t)
			require.Same(t, d, again, "it was kept")
		})
	}
}

// A key that the gateway does not take any more is not used for ever.
func TestSourceWithARefusedKey(t *testing.T) {
	f := newFixture(t, "north")
	f.keys.secret = "fg_revoked"
	d, _ := f.document(t)
	require.ErrorContains(t, d.Problems[0], "401")
	f.now = f.now.Add(keepPart)
	d, _ = f.document(t)
	require.Empty(t, d.Problems)
}

func TestSourceHeedsItsCaller(t *testing.T) {
	f := newFixture(t, "north")
	hold, held := make(chan struct{}), make(chan struct{})
	plain := f.answer["north"]
	f.answer["north"] = func(w http.ResponseWriter, r *http.Request) { close(held); <-hold; plain(w, r) }
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() { _, err := f.source.Document(ctx); failed <- err }()
	<-held
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	close(hold)
	d, _ := f.document(t) // that of the fetch that went on
	require.Empty(t, d.Problems)
	require.EqualValues(t, 1, f.asked.Load())
}
