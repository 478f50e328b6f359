package openapi

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
)

// gateway answers what is set.
type gateway struct {
	hospitals []adminapi.Hospital
	err       error
	asked     atomic.Int32
	answer    map[string]func(context.Context) ([]byte, error)
}

func (g *gateway) Hospitals(context.Context) ([]adminapi.Hospital, error) { return g.hospitals, g.err }

func (g *gateway) Capabilities(ctx context.Context, id string) ([]byte, error) {
	g.asked.Add(1)
	return g.answer[id](ctx)
}

// fixture is a source before a gateway.
type fixture struct {
	*gateway
	source *Source
	now    time.Time
}

func newFixture(ids ...string) *fixture {
	f := &fixture{
		gateway: &gateway{answer: map[string]func(context.Context) ([]byte, error){}},
		now:     time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC),
	}
	for _, id := range ids {
		f.hospitals = append(f.hospitals, adminapi.Hospital{ID: id, Name: id, Interactions: map[string][]string{"Device": {"read"}}})
		f.answer[id] = func(context.Context) ([]byte, error) { return statementOf("Patient"), nil }
	}
	f.source = NewSource(Options{Gateway: f.gateway, PublicURL: "https://gateway.example", Now: func() time.Time { return f.now }})
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
	f := newFixture("north", "south")
	d, document := f.document(t)
	require.Equal(t, 2, d.Hospitals)
	require.Empty(t, d.Problems)
	require.Equal(t, []string{"north", "south"}, document.Paths["/{hospital}/Patient/{id}"].Get.Parameters[0].Schema.Enum)
	require.EqualValues(t, 2, f.asked.Load())

	f.now = f.now.Add(keepWhole - time.Second)
	again, _ := f.document(t)
	require.Same(t, d, again, "it was kept")
	f.now = f.now.Add(time.Second)
	again, _ = f.document(t)
	require.NotSame(t, d, again, "it was too old")
	require.Equal(t, d.JSON, again.JSON)
	require.EqualValues(t, 2, f.asked.Load(), "what hospitals say lasts longer")

	f.hospitals[1].Interactions = map[string][]string{"Device": {"read"}, "Patient": {"read"}}
	f.hospitals[1].Breaker = "open"
	f.now = f.now.Add(keepWhole)
	f.document(t)
	require.EqualValues(t, 3, f.asked.Load(), "the route of one has changed")
	f.hospitals[0].Breaker = "open"
	f.now = f.now.Add(keepStatement - keepWhole)
	f.document(t)
	require.EqualValues(t, 4, f.asked.Load(), "that of the other is an hour old")
}

// One that does not answer is asked again soon, without the others.
func TestSourceAsksTheSilentAgain(t *testing.T) {
	f := newFixture("north", "south")
	f.answer["south"] = func(context.Context) ([]byte, error) { return nil, errors.New("away") }
	for want := range int32(3) {
		f.document(t)
		require.Equal(t, 2+want, f.asked.Load())
		f.now = f.now.Add(keepPart)
	}
}

// expired is how a question ends that has to end at some time.
func expired(ctx context.Context) error {
	if _, bounded := ctx.Deadline(); bounded {
		return context.DeadlineExceeded
	}
	return nil
}

// Whatever is wrong with a hospital, it is described from its route, named, and
// asked again soon.
func TestSourceDoesWithoutAStatement(t *testing.T) {
	for name, answer := range map[string]func(context.Context) ([]byte, error){
		"it is down":       func(context.Context) ([]byte, error) { return nil, &adminapi.Refusal{Status: 502, Text: "no answer"} },
		"it is no FHIR":    func(context.Context) ([]byte, error) { return []byte("<html>"), nil },
		"it is cut short":  func(context.Context) ([]byte, error) { return statementOf("Patient")[:40], nil },
		"it never answers": func(ctx context.Context) ([]byte, error) { return nil, expired(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture("north", "south")
			f.answer["south"] = answer
			d, document := f.document(t)
			require.Len(t, d.Problems, 1)
			require.ErrorContains(t, d.Problems[0], "hospital south")
			require.Contains(t, document.Info.Description, "could not be read: `south`.")
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
	f := newFixture("north")
	f.err = errors.New("away")
	d, document := f.document(t)
	require.Zero(t, d.Hospitals)
	require.Len(t, d.Problems, 1)
	require.Empty(t, document.Paths)
}

func TestSourceHeedsItsCaller(t *testing.T) {
	f := newFixture("north")
	hold, held := make(chan struct{}), make(chan struct{})
	plain := f.answer["north"]
	f.answer["north"] = func(ctx context.Context) ([]byte, error) { close(held); <-hold; return plain(ctx) }
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
