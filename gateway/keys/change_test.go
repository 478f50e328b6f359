package keys

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/gateway/engine"
	"fhirgate/gateway/store"
)

// stores runs a test on Redis and on the embedded store.
func stores(t *testing.T, test func(t *testing.T, client *redis.Client)) {
	t.Run("redis", func(t *testing.T) {
		client, _ := redisServer(t)
		test(t, client)
	})
	t.Run("embedded", func(t *testing.T) {
		opened, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
		require.NoError(t, err)
		t.Cleanup(func() { _ = opened.Close() })
		test(t, opened.Client().(*redis.Client))
	})
}

// Two nodes that change one record at the same time lose nothing of each other.
func TestNodesChangeOneRecordAtTheSameTime(t *testing.T) {
	stores(t, func(t *testing.T, client *redis.Client) {
		ctx := t.Context()
		nodes := []*Keeper{NewKeeper(&sessions{redis: client}, client), NewKeeper(&sessions{redis: client}, client)}
		key, _, err := nodes[0].Create(ctx, New{Name: "PACS", Plan: "trial", WithSecret: true})
		require.NoError(t, err)
		made := make(chan string, 20)
		var group sync.WaitGroup
		for n := range 20 {
			group.Go(func() {
				_, secret, err := nodes[n%2].Rotate(ctx, key.ID, time.Hour)
				if err != nil {
					t.Error(err)
				}
				made <- secret
			})
		}
		for n, change := range []Changes{
			{Name: ptr("VNA")},
			{Plan: ptr("night")},
			{AllowFrom: &[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
			{AddCertificate: fmt.Sprintf("%064x", 7)},
			{AddCertificate: fmt.Sprintf("%064x", 8)},
		} {
			group.Go(func() {
				if _, err := nodes[n%2].Update(ctx, key.ID, change); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		close(made)
		stored, err := nodes[0].Get(ctx, key.ID)
		require.NoError(t, err)
		require.Len(t, stored.Secrets, 21)
		require.Equal(t, "VNA", stored.Name)
		require.Equal(t, "night", stored.Plan)
		require.Len(t, stored.AllowFrom, 1)
		require.Len(t, stored.Certificates, 2)
		lasting := 0
		for secret := range made {
			found, err := NewDirectory(client).Key(ctx, secret, netip.Addr{})
			require.NoError(t, err)
			if found.Expires.IsZero() {
				lasting++
			}
		}
		require.Equal(t, 1, lasting, "one new secret outlives the graces of the others")
	})
}

func TestUpdate(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	key, secret := w.create(t)
	_, err := w.lookup(secret)
	require.NoError(t, err)
	network := netip.MustParsePrefix("192.0.2.0/24")
	end := w.now.Add(time.Hour).UTC().Truncate(time.Second)
	_, err = w.keeper.Update(ctx, key.ID, Changes{Name: ptr("VNA"), Plan: ptr("night"), AllowFrom: &[]netip.Prefix{network}, Expires: &end})
	require.NoError(t, err)
	w.now = w.now.Add(time.Second)
	found, err := w.lookup(secret)
	require.NoError(t, err)
	require.Equal(t, &facade.Consumer{KeyID: key.ID, Name: "VNA", PlanID: "night", Expires: end, Way: facade.WayKey, AllowFrom: []netip.Prefix{network}}, found)
	text, err := w.store.Get(engine.KeyName(secret))
	require.NoError(t, err)
	kept, err := engine.ParseSession([]byte(text))
	require.NoError(t, err)
	require.Equal(t, []string{"night"}, kept.Policies, "Tyk is told")
	require.Equal(t, end.Unix(), kept.Expires)

	changed, err := w.keeper.Update(ctx, key.ID, Changes{AllowFrom: &[]netip.Prefix{}, Expires: &time.Time{}})
	require.NoError(t, err)
	require.Empty(t, changed.AllowFrom)
	w.now = w.now.Add(time.Second)
	found, err = w.lookup(secret)
	require.NoError(t, err)
	require.Empty(t, found.AllowFrom)
	require.True(t, found.Expires.IsZero())

	past := time.Now().Add(-time.Minute)
	_, err = w.keeper.Update(ctx, key.ID, Changes{Expires: &past})
	refused(t, err, http.StatusUnprocessableEntity, "revoke it")
	_, err = w.keeper.Update(ctx, key.ID, Changes{Name: ptr("")})
	refused(t, err, http.StatusUnprocessableEntity, "needs a name")
	_, err = w.keeper.Update(ctx, key.ID, Changes{JWKSURL: ptr("https://client.example/jwks")})
	refused(t, err, http.StatusUnprocessableEntity, "only the kind client")
	_, err = w.keeper.Update(ctx, "key_none", Changes{Name: ptr("x")})
	require.ErrorIs(t, err, ErrNotFound)
	_, err = w.keeper.Revoke(ctx, key.ID)
	require.NoError(t, err)
	_, err = w.keeper.Update(ctx, key.ID, Changes{Name: ptr("x")})
	require.ErrorIs(t, err, ErrRevoked)
}

// A shorter end of the key ends also a grace that would have been longer, and a
// longer one does not lengthen it.
func TestAnEndAndAGrace(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	key, _ := w.create(t)
	_, _, err := w.keeper.Rotate(ctx, key.ID, 2*time.Hour)
	require.NoError(t, err)
	for _, life := range []time.Duration{24 * time.Hour, time.Hour, 24 * time.Hour} {
		end := w.now.Add(life).UTC().Truncate(time.Second)
		changed, err := w.keeper.Update(ctx, key.ID, Changes{Expires: &end})
		require.NoError(t, err)
		require.Equal(t, end, changed.Secrets[1].Expires)
		require.True(t, changed.Secrets[0].Expires.Before(w.now.Add(3*time.Hour)), "the grace is not lengthened")
	}
}

// A certificate takes the place of another one, which works on for a grace.
func TestACertificateIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.keeper.now = func() time.Time { return w.now }
	ctx := t.Context()
	first, firstSum := certificate(t, time.Hour)
	second, secondSum := certificate(t, time.Hour)
	key, _, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindCertificate, Certificates: []string{first}})
	require.NoError(t, err)
	works := func(sum string) error {
		_, err := w.node.Certificate(ctx, sum, netip.Addr{})
		return err
	}
	require.NoError(t, works(firstSum))
	require.ErrorIs(t, works(secondSum), facade.ErrUnknownKey)

	_, err = w.keeper.Update(ctx, key.ID, Changes{AddCertificate: second, CertificateGrace: ptr(10 * time.Minute)})
	require.NoError(t, err)
	require.NoError(t, works(secondSum))
	w.now = w.now.Add(10*time.Minute - 2*time.Second)
	found, err := w.node.Certificate(ctx, firstSum, netip.Addr{})
	require.NoError(t, err)
	require.False(t, found.Expires.IsZero(), "its end is told")
	require.Equal(t, []string{firstSum, secondSum}, found.Certificates)
	w.now = w.now.Add(2 * time.Second)
	require.ErrorIs(t, works(firstSum), facade.ErrUnknownKey)
	found, err = w.node.Certificate(ctx, secondSum, netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, []string{secondSum}, found.Certificates)

	_, err = w.keeper.Update(ctx, key.ID, Changes{RemoveCertificate: secondSum})
	refused(t, err, http.StatusUnprocessableEntity, "needs a certificate")
	_, err = w.keeper.Update(ctx, key.ID, Changes{RemoveCertificate: firstSum})
	refused(t, err, http.StatusUnprocessableEntity, "no certificate of this fingerprint")
	_, err = w.keeper.Update(ctx, key.ID, Changes{CertificateGrace: ptr(time.Hour)})
	refused(t, err, http.StatusUnprocessableEntity, "a grace needs a certificate")
	changed, err := w.keeper.Update(ctx, key.ID, Changes{AddCertificate: first, CertificateGrace: ptr(time.Duration(0))})
	require.NoError(t, err)
	require.Len(t, changed.Certificates, 1)
	require.NoError(t, works(firstSum))
	w.now = w.now.Add(time.Second)
	require.ErrorIs(t, works(secondSum), facade.ErrUnknownKey)
}

// A certificate that another key has changes nothing of the record.
func TestACertificateOfAnother(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	text, sum := certificate(t, time.Hour)
	own, _ := certificate(t, time.Hour)
	other, _, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindCertificate, Certificates: []string{text}})
	require.NoError(t, err)
	key, _, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindCertificate, Certificates: []string{own}})
	require.NoError(t, err)
	_, err = w.keeper.Update(ctx, key.ID, Changes{AddCertificate: text, CertificateGrace: ptr(time.Duration(0)), Name: ptr("y")})
	refused(t, err, http.StatusConflict, other.ID)
	stored, err := w.keeper.Get(ctx, key.ID)
	require.NoError(t, err)
	require.Equal(t, key, stored)
	found, err := w.node.Certificate(ctx, sum, netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, other.ID, found.KeyID)
}

// A certificate that was taken from one key is free for another.
func TestACertificateChangesHands(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	text, sum := certificate(t, time.Hour)
	first, _, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", WithSecret: true, Certificates: []string{text}})
	require.NoError(t, err)
	second, _ := w.create(t)
	for range 2 { // there and back
		_, err = w.keeper.Update(ctx, first.ID, Changes{RemoveCertificate: sum})
		require.NoError(t, err)
		w.now = w.now.Add(freshness)
		_, err = w.node.Certificate(ctx, sum, netip.Addr{})
		require.ErrorIs(t, err, facade.ErrUnknownKey)
		_, err = w.keeper.Update(ctx, second.ID, Changes{AddCertificate: sum})
		require.NoError(t, err)
		found, err := w.node.Certificate(ctx, sum, netip.Addr{})
		require.NoError(t, err)
		require.Equal(t, second.ID, found.KeyID)
		first, second = second, first
	}
}

// Of several that register one certificate at the same time one gets it.
func TestOneGetsACertificate(t *testing.T) {
	stores(t, func(t *testing.T, client *redis.Client) {
		ctx := context.Background()
		keeper := NewKeeper(&sessions{redis: client}, client)
		keepers := make([]*Key, 8)
		for n := range keepers {
			var err error
			keepers[n], _, err = keeper.Create(ctx, New{Name: "x", Plan: "plan", WithSecret: true})
			require.NoError(t, err)
		}
		for round := range 10 {
			sum := fmt.Sprintf("%064x", round)
			var won atomic.Int64
			var group sync.WaitGroup
			for _, key := range keepers {
				group.Go(func() {
					if _, err := keeper.Update(ctx, key.ID, Changes{AddCertificate: sum}); err == nil {
						won.Add(1)
					}
				})
			}
			group.Wait()
			listed := 0
			for _, key := range keepers {
				stored, err := keeper.Get(ctx, key.ID)
				require.NoError(t, err)
				if _, has := stored.Certificate(sum, time.Now()); has {
					listed++
				}
			}
			require.Equal(t, int64(1), won.Load())
			require.Equal(t, 1, listed)
		}
	})
}

func TestAClientsKeysAreReplaced(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	inline := keySet(t, false)
	key, _, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", Kind: KindClient, JWKS: inline})
	require.NoError(t, err)
	changed, err := w.keeper.Update(ctx, key.ID, Changes{JWKSURL: ptr("https://client.example/jwks")})
	require.NoError(t, err)
	require.Empty(t, changed.JWKS)
	changed, err = w.keeper.Update(ctx, key.ID, Changes{JWKS: inline})
	require.NoError(t, err)
	require.Empty(t, changed.JWKSURL)
	_, err = w.keeper.Update(ctx, key.ID, Changes{JWKS: inline, JWKSURL: ptr("https://client.example/jwks")})
	refused(t, err, http.StatusUnprocessableEntity, "not both")
	_, err = w.keeper.Update(ctx, key.ID, Changes{JWKSURL: ptr("")})
	refused(t, err, http.StatusUnprocessableEntity, "needs a JWK set")
	_, secret, err := w.keeper.Rotate(ctx, key.ID, 0)
	require.NoError(t, err, "a client without a secret gets one")
	require.NotEmpty(t, secret)
	changed, err = w.keeper.Update(ctx, key.ID, Changes{JWKSURL: ptr("")})
	require.NoError(t, err)
	require.Empty(t, changed.JWKS)
}

func ptr[T any](value T) *T { return &value }
