package keys

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
)

// What a record is narrowed to is known of every way in, and a change of it within
// a second, also where the credential is remembered.
func TestEveryWayIsNarrowed(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	nobody := netip.Addr{}
	text, sum := certificate(t, time.Hour)
	key, secret, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", WithSecret: true, Certificates: []string{text}, Hospitals: []string{"harbor"}})
	require.NoError(t, err)
	require.Equal(t, []string{"harbor"}, key.Hospitals)
	client, clientSecret, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindClient, WithSecret: true, Hospitals: []string{"harbor"}})
	require.NoError(t, err)
	external, _, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindExternal, Issuer: "https://idp.example", Subject: "y", Hospitals: []string{"harbor"}})
	require.NoError(t, err)
	consumer := func(found *facade.Consumer, err error) []string { require.NoError(t, err); return found.Hospitals }
	record := func(found *Key, err error) []string { require.NoError(t, err); return found.Hospitals }
	ways := map[string]func() []string{
		"key":           func() []string { return consumer(w.lookup(secret)) },
		"certificate":   func() []string { return consumer(w.node.Certificate(ctx, sum, nobody)) },
		"client":        func() []string { return record(w.node.Client(ctx, client.ID)) },
		"client secret": func() []string { return record(w.node.ClientSecret(ctx, client.ID, clientSecret, nobody)) },
		"external":      func() []string { return record(w.node.External(ctx, "https://idp.example", "y")) },
	}
	for _, hospitals := range [][]string{{"harbor"}, {"lakeside", "st-mary"}, {}} {
		for _, id := range []string{key.ID, client.ID, external.ID} {
			changed, err := w.keeper.Update(ctx, id, Changes{Hospitals: &hospitals})
			require.NoError(t, err)
			require.ElementsMatch(t, hospitals, changed.Hospitals)
			renamed, err := w.keeper.Update(ctx, id, Changes{Name: ptr("y")})
			require.NoError(t, err)
			require.ElementsMatch(t, hospitals, renamed.Hospitals, "what is not named stays")
		}
		w.now = w.now.Add(time.Second)
		for name, way := range ways {
			require.ElementsMatch(t, hospitals, way(), name)
		}
	}
	_, err = w.keeper.Update(ctx, key.ID, Changes{Hospitals: ptr(make([]string, maxHospitals+1))})
	refused(t, err, http.StatusUnprocessableEntity, "at most")
}

// An id that a caller has chosen is taken once.
func TestAChosenID(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	id := newID()
	key, secret, err := w.keeper.Create(ctx, New{ID: id, Name: "first", Plan: "plan", WithSecret: true})
	require.NoError(t, err)
	require.Equal(t, id, key.ID)
	_, _, err = w.keeper.Create(ctx, New{ID: id, Name: "second", Plan: "night", WithSecret: true})
	refused(t, err, http.StatusConflict, id)
	stored, err := w.keeper.Get(ctx, id)
	require.NoError(t, err)
	require.Equal(t, key, stored, "the record is the first one's")
	require.Equal(t, []bool{true}, w.works([]string{secret}))

	_, err = w.keeper.Revoke(ctx, id)
	require.NoError(t, err)
	_, _, err = w.keeper.Create(ctx, New{ID: id, Name: "third", Plan: "plan", WithSecret: true})
	refused(t, err, http.StatusConflict, id)
	w.store.Del(recordPrefix + id)
	_, _, err = w.keeper.Create(ctx, New{ID: id, Name: "fourth", Plan: "plan", WithSecret: true})
	refused(t, err, http.StatusConflict, id)

	for _, wrong := range []string{"key_", "key_abc", "KEY_" + id[4:], "key_" + strings.ToUpper(id[4:]), "key_" + strings.Repeat("1", 16), id + "a", "key_aaaaaaaaaaaaaaa/", "fhirgate:keys"} {
		_, _, err = w.keeper.Create(ctx, New{ID: wrong, Name: "x", Plan: "plan", WithSecret: true})
		refused(t, err, http.StatusUnprocessableEntity, "key_")
	}
}

// A certificate that belongs to another undoes the new record of a chosen id, and
// nothing else.
func TestAChosenIDIsFreeAgainAfterAFailure(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	text, _ := certificate(t, time.Hour)
	_, _, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindCertificate, Certificates: []string{text}})
	require.NoError(t, err)
	id := newID()
	_, _, err = w.keeper.Create(ctx, New{ID: id, Name: "x", Plan: "plan", Kind: KindCertificate, Certificates: []string{text}})
	refused(t, err, http.StatusConflict, "belongs to")
	_, err = w.keeper.Get(ctx, id)
	require.ErrorIs(t, err, ErrNotFound)
	_, _, err = w.keeper.Create(ctx, New{ID: id, Name: "x", Plan: "plan", WithSecret: true})
	require.NoError(t, err)
}

// Of many who choose one id at the same time, on two nodes, one gets it.
func TestOneGetsAChosenID(t *testing.T) {
	stores(t, func(t *testing.T, client *redis.Client) {
		ctx := t.Context()
		nodes := []*Keeper{NewKeeper(&sessions{redis: client}, client), NewKeeper(&sessions{redis: client}, client)}
		id := newID()
		var group sync.WaitGroup
		var made atomic.Int64
		var won atomic.Pointer[string]
		for n := range 20 {
			group.Go(func() {
				_, secret, err := nodes[n%2].Create(ctx, New{ID: id, Name: "PACS", Plan: "trial", WithSecret: true})
				if err == nil {
					made.Add(1)
					won.Store(&secret)
				}
			})
		}
		group.Wait()
		require.EqualValues(t, 1, made.Load())
		found, err := NewDirectory(client).Key(ctx, *won.Load(), netip.Addr{})
		require.NoError(t, err)
		require.Equal(t, id, found.KeyID)
		all, err := nodes[0].List(ctx)
		require.NoError(t, err)
		require.Len(t, all, 1)
	})
}
