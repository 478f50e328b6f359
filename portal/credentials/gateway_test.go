package credentials

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

// memory is a gateway that keeps its keys in memory and fails as it is told.
type memory struct {
	mu      sync.Mutex
	keys    map[string]*record.Key
	secrets int
	lost    error // returned instead of what a change has answered, after it was made
	away    error // returned before anything is done

	hospitals []adminapi.Hospital
	untold    error // returned instead of the hospitals
}

func (m *memory) Hospitals(context.Context) ([]adminapi.Hospital, error) {
	return m.hospitals, m.untold
}

var errGone = fmt.Errorf("%w: the connection broke off", adminapi.ErrUnreachable)

func (m *memory) change(id string, do func(key *record.Key) error) (*record.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away != nil {
		return nil, m.away
	}
	key := m.keys[id]
	if key == nil {
		return nil, &adminapi.Refusal{Status: http.StatusNotFound, Text: "no key of this id"}
	}
	if err := do(key); err != nil {
		return nil, err
	}
	if m.lost != nil {
		return nil, m.lost
	}
	return clone(key), nil
}

func clone(key *record.Key) *record.Key {
	copied := *key
	copied.Secrets = slices.Clone(key.Secrets)
	return &copied
}

func (m *memory) secret() (record.Secret, string) {
	m.secrets++
	return record.Secret{Hash: fmt.Sprintf("hash%d", m.secrets), Hint: fmt.Sprintf("h%03d", m.secrets)}, fmt.Sprintf("fg_secret%d", m.secrets)
}

func (m *memory) Create(_ context.Context, wanted adminapi.NewKey) (*adminapi.IssuedKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away != nil {
		return nil, m.away
	}
	if m.keys[wanted.ID] != nil {
		return nil, &adminapi.Refusal{Status: http.StatusConflict, Text: "there is a key of this id"}
	}
	if wanted.Plan == "no-such" {
		return nil, &adminapi.Refusal{Status: http.StatusUnprocessableEntity, Text: "no plan of this name"}
	}
	hint, secret := m.secret()
	key := &record.Key{ID: wanted.ID, Name: wanted.Name, Plan: wanted.Plan, Kind: wanted.Kind, Hospitals: wanted.Hospitals, Secrets: []record.Secret{hint}}
	if wanted.Life > 0 {
		key.Expires = time.Now().UTC().Add(time.Duration(wanted.Life)).Truncate(time.Second)
	}
	m.keys[key.ID] = key
	if m.lost != nil {
		return nil, m.lost
	}
	return &adminapi.IssuedKey{Key: clone(key), Secret: secret}, nil
}

func (m *memory) List(context.Context) ([]*record.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away != nil {
		return nil, m.away
	}
	var all []*record.Key
	for _, key := range m.keys {
		all = append(all, clone(key))
	}
	return all, nil
}

func (m *memory) Show(_ context.Context, id string) (*record.Key, error) {
	var shown *record.Key
	_, err := m.change(id, func(key *record.Key) error { shown = clone(key); return nil })
	if shown != nil { // reading loses nothing
		err = nil
	}
	return shown, err
}

func (m *memory) Update(_ context.Context, id string, changes adminapi.KeyChanges) (*record.Key, error) {
	return m.change(id, func(key *record.Key) error {
		if changes.Name != nil {
			key.Name = *changes.Name
		}
		return nil
	})
}

func (m *memory) Rotate(_ context.Context, id string, rotation adminapi.Rotation) (*adminapi.IssuedKey, error) {
	var secret string
	key, err := m.change(id, func(key *record.Key) error {
		for i := range key.Secrets {
			key.Secrets[i].Until = time.Now().UTC().Add(time.Duration(rotation.Grace))
		}
		if rotation.Grace == 0 {
			key.Secrets = nil
		}
		var hint record.Secret
		hint, secret = m.secret()
		key.Secrets = append(key.Secrets, hint)
		return nil
	})
	return &adminapi.IssuedKey{Key: key, Secret: secret}, err
}

func (m *memory) Revoke(_ context.Context, id string) (*record.Key, error) {
	return m.change(id, func(key *record.Key) error {
		if key.Revoked.IsZero() {
			key.Revoked = time.Now().UTC()
		}
		return nil
	})
}

func (m *memory) WithdrawSecret(_ context.Context, id, hash string) (*record.Key, error) {
	return m.change(id, func(key *record.Key) error {
		left := slices.DeleteFunc(slices.Clone(key.Secrets), func(s record.Secret) bool { return s.Hash == hash })
		if len(left) == 0 {
			return &adminapi.Refusal{Status: http.StatusConflict, Text: "it is the last secret of the key"}
		}
		if key.Secrets[len(key.Secrets)-1].Hash == hash {
			left[len(left)-1].Until = time.Time{}
		}
		key.Secrets = left
		return nil
	})
}

// bench is a service on a real store and a gateway in memory, with an app whose
// request was approved.
type bench struct {
	*Service
	t       *testing.T
	gateway *memory
	by      store.By
	admin   store.By // who has approved the request
	request store.AccessRequest
}

func eachStore(t *testing.T, test func(b *bench)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) { test(newBench(t, s)) })
}

func newBench(t *testing.T, s *store.Store) *bench {
	ctx := t.Context()
	gateway := &memory{keys: make(map[string]*record.Key)}
	b := &bench{Service: New(s, gateway, slog.New(slog.NewTextHandler(io.Discard, nil))), t: t, gateway: gateway}
	developer, err := s.CreateUser(ctx, store.System, store.User{Email: "dev@pacs.example", Name: "Dev", Role: store.RoleDeveloper})
	require.NoError(t, err)
	admin, err := s.CreateUser(ctx, store.System, store.User{Email: "admin@pacs.example", Name: "Admin", Role: store.RoleAdmin})
	require.NoError(t, err)
	b.by, b.admin = store.By{UserID: developer.ID, Name: developer.Email}, store.By{UserID: admin.ID, Name: admin.Email}
	team, err := s.CreateTeam(ctx, b.by, "Grading")
	require.NoError(t, err)
	app, err := s.CreateApp(ctx, b.by, store.App{TeamID: team.ID, Name: "Worklist"})
	require.NoError(t, err)
	b.request, err = s.CreateRequest(ctx, b.by, store.AccessRequest{AppID: app.ID, Plan: "trial", Hospitals: []string{"harbor"}, Purpose: "the morning's worklist"})
	require.NoError(t, err)
	require.NoError(t, s.Approve(ctx, b.admin, b.request.ID, "fine", time.Time{}))
	return b
}

func (b *bench) issue() *Issued {
	b.t.Helper()
	issued, err := b.Issue(b.t.Context(), b.by, Wanted{RequestID: b.request.ID, Name: "worklist", Kind: "key"})
	require.NoError(b.t, err)
	return issued
}

func (b *bench) credential(id string) store.Credential {
	b.t.Helper()
	c, err := b.store.Credential(b.t.Context(), id)
	require.NoError(b.t, err)
	return c
}

// restart does what the next process does at its start.
func (b *bench) restart() error {
	b.began = time.Now().Add(time.Second)
	return b.Start(b.t.Context())
}

// works reports whether the key of a credential works at the gateway.
func (b *bench) works(c store.Credential) bool {
	key := b.gateway.keys[c.KeyID]
	return key != nil && key.Status(time.Now()) == "active"
}
func sqlite(t *testing.T) *store.Store { return storetest.Open(t, storetest.SQLite) }
