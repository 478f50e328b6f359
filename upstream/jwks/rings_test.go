package jwks

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
)

func TestCreate(t *testing.T) {
	l := newLab(t)
	r := l.node()
	for name, test := range map[string]struct {
		wanted New
		alg    jose.SignatureAlgorithm
		bits   int
	}{
		"default":  {New{Name: "a"}, jose.RS384, 3072},
		"Veradigm": {New{Name: "b", Alg: jose.RS384, Bits: 2048, After: 24 * time.Hour}, jose.RS384, 2048},
		"RS256":    {New{Name: "c", Alg: jose.RS256, Bits: 2048}, jose.RS256, 2048},
		"ES256":    {New{Name: "d", Alg: jose.ES256}, jose.ES256, 0},
		"ES384":    {New{Name: "pacs-2026", Alg: jose.ES384}, jose.ES384, 0},
	} {
		t.Run(name, func(t *testing.T) {
			status, err := r.Create(t.Context(), test.wanted)
			require.NoError(t, err)
			require.Equal(t, test.alg, status.Alg)
			require.Equal(t, test.bits, status.Bits)
			require.Len(t, status.Keys, 1)
			require.Equal(t, Active, status.Keys[0].State)
			require.Regexp(t, `^[A-Za-z0-9_][A-Za-z0-9_-]{42}$`, status.Keys[0].KID)

			key, err := r.Signer(test.wanted.Name).SigningKey(t.Context())
			require.NoError(t, err)
			require.Equal(t, test.alg, key.Algorithm)
			kid, err := thumbprint(key.Key.(jose.JSONWebKey).Key)
			require.NoError(t, err)
			require.Equal(t, kid, status.Keys[0].KID, "the kid is the thumbprint")
			assertion, err := sign(r.Signer(test.wanted.Name), t)
			require.NoError(t, err)
			set, _, err := r.Set(t.Context(), test.wanted.Name)
			require.NoError(t, err)
			require.NoError(t, verify(assertion, parseKeySet(t, set)))
		})
	}
	for name, wanted := range map[string]New{
		"no name":           {},
		"name with a slash": {Name: "a/b"},
		"small RSA":         {Name: "x", Bits: 1024},
		"huge RSA":          {Name: "x", Bits: 16384},
		"odd RSA":           {Name: "x", Bits: 2049},
		"HS256":             {Name: "x", Alg: jose.HS256},
		"none":              {Name: "x", Alg: "none"},
		"bits of a curve":   {Name: "x", Alg: jose.ES256, Bits: 256},
		"after too short":   {Name: "x", After: time.Millisecond},
		"after too long":    {Name: "x", After: 1e4 * time.Hour},
		"after below zero":  {Name: "x", After: -time.Hour},
	} {
		_, err := r.Create(t.Context(), wanted)
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	_, err := r.Create(t.Context(), New{Name: "pacs-2026", Alg: jose.ES256})
	require.ErrorIs(t, err, ErrExists)
}

func TestRotateAndRetireOnEveryNode(t *testing.T) {
	l := newLab(t)
	a, b := l.node(), l.node()
	first := create(t, a, "r").Keys[0].KID
	require.Equal(t, first, signing(t, b, "r"))

	status, err := a.Rotate(t.Context(), "r", 0)
	require.NoError(t, err)
	require.Len(t, status.Keys, 2)
	second := status.Keys[1].KID
	require.Equal(t, []string{first, second}, published(t, a, "r"), "at once where it was made")
	require.Equal(t, []string{first}, published(t, b, "r"))
	l.clock.pass(freshness)
	require.Equal(t, []string{first, second}, published(t, b, "r"), "on every node within a second")

	_, err = b.Rotate(t.Context(), "r", 0)
	require.ErrorIs(t, err, ErrRotating)
	require.ErrorContains(t, err, second)

	_, err = b.Retire(t.Context(), "r", first, false)
	require.ErrorIs(t, err, ErrLastKey)
	_, err = b.Retire(t.Context(), "r", "unknown", false)
	require.ErrorIs(t, err, ErrNoKey)

	l.clock.set(status.Keys[1].Activates.Add(-time.Nanosecond))
	require.Equal(t, first, signing(t, a, "r"))
	require.Equal(t, first, signing(t, b, "r"))
	l.clock.set(status.Keys[1].Activates)
	require.Equal(t, second, signing(t, a, "r"), "without another reading")
	require.Equal(t, second, signing(t, b, "r"))

	_, err = b.Retire(t.Context(), "r", second, false)
	require.NoError(t, err, "the one before is known to vendors")
	l.clock.pass(freshness)
	for _, node := range []*Rings{a, b} {
		require.Equal(t, first, signing(t, node, "r"))
		require.Equal(t, []string{first}, published(t, node, "r"))
	}

	status, err = a.Retire(t.Context(), "r", first, true)
	require.NoError(t, err)
	require.Len(t, status.Keys, 3)
	require.Equal(t, status.Keys[2].KID, signing(t, a, "r"), "forced, a new key signs at once")

	l.clock.pass(keepRetired + time.Hour)
	_ = published(t, a, "r")
	require.NotContains(t, l.server.HGet(hashName, "r"), first, "reading removes what was retired a week ago")
	require.NotContains(t, l.server.HGet(hashName, "r"), second)
}

func TestRotateChangesTheTime(t *testing.T) {
	l := newLab(t)
	r := l.node()
	create(t, r, "r")
	_, err := r.Rotate(t.Context(), "r", time.Millisecond)
	require.ErrorIs(t, err, ErrInvalid)
	status, err := r.Rotate(t.Context(), "r", 48*time.Hour)
	require.NoError(t, err)
	require.Equal(t, "48h0m0s", status.After)
	wait := status.Keys[1].Activates.Sub(l.clock.Now())
	require.True(t, wait >= 48*time.Hour && wait <= 48*time.Hour+time.Second, wait)
	require.Equal(t, status.Keys[1].Activates, status.Keys[0].Stops)
	require.Equal(t, 48*time.Hour, status.Keys[0].Leaves.Sub(status.Keys[0].Stops))
}

func TestUnknownRings(t *testing.T) {
	r := newLab(t).node()
	_, err := r.Rotate(t.Context(), "none", 0)
	require.ErrorIs(t, err, ErrNoRing)
	_, err = r.Retire(t.Context(), "none", "k", false)
	require.ErrorIs(t, err, ErrNoRing)
	_, err = r.Signer("none").SigningKey(t.Context())
	require.ErrorIs(t, err, ErrNoRing)
	_, _, err = r.Set(t.Context(), "none")
	require.ErrorIs(t, err, ErrNoRing)
	set, _, err := r.Set(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, `{"keys":[]}`, string(set))
}

// TestAdministratorsAtTheSameTime has eight nodes create, rotate and retire at
// once: one of each wins, the others are told, and no key is lost.
func TestAdministratorsAtTheSameTime(t *testing.T) {
	l := newLab(t)
	nodes := make([]*Rings, 8)
	for i := range nodes {
		nodes[i] = l.node()
	}
	all := func(do func(*Rings) error, lost error) {
		t.Helper()
		errs := make([]error, len(nodes))
		var group sync.WaitGroup
		for i, node := range nodes {
			group.Go(func() { errs[i] = do(node) })
		}
		group.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, lost)
		}
		require.Equal(t, 1, won)
	}
	for range 10 {
		l.server.FlushAll()
		all(func(r *Rings) error {
			_, err := r.Create(t.Context(), New{Name: "r", Alg: jose.ES256})
			return err
		}, ErrExists)
		for range 3 {
			all(func(r *Rings) error { _, err := r.Rotate(t.Context(), "r", 0); return err }, ErrRotating)
			l.clock.pass(DefaultAfter + 2*time.Second)
		}
		status, err := nodes[0].List(t.Context())
		require.NoError(t, err)
		require.Len(t, status[0].Keys, 4)
		kids := published(t, nodes[0], "r")
		require.Len(t, kids, 2)
		// Different changes of the same ring at the same time all hold.
		var group sync.WaitGroup
		var rotated Status
		group.Go(func() { rotated, err = nodes[1].Rotate(t.Context(), "r", 0) })
		var retired error
		group.Go(func() { _, retired = nodes[2].Retire(t.Context(), "r", kids[0], false) })
		group.Wait()
		require.NoError(t, errors.Join(err, retired))
		l.clock.pass(freshness)
		require.Equal(t, []string{kids[1], rotated.Keys[4].KID}, published(t, nodes[3], "r"))
	}
}

func TestPrivateKeysAtRest(t *testing.T) {
	l := newLab(t)
	r := l.node()
	create(t, r, "ec")
	_, err := r.Create(t.Context(), New{Name: "rsa", Bits: 2048})
	require.NoError(t, err)
	_, err = r.Rotate(t.Context(), "ec", 0)
	require.NoError(t, err)
	dump := l.server.Dump()
	require.Contains(t, dump, "fhirgate:rings")
	for _, ring := range []string{"ec", "rsa"} {
		key, err := r.Signer(ring).SigningKey(t.Context())
		require.NoError(t, err)
		data, err := json.Marshal(key.Key)
		require.NoError(t, err)
		var members map[string]string
		require.NoError(t, json.Unmarshal(data, &members))
		private := 0
		for _, name := range []string{"d", "p", "q", "dp", "dq", "qi"} {
			if members[name] != "" {
				private++
				require.NotContains(t, dump, members[name], name)
			}
		}
		require.Equal(t, map[string]int{"ec": 1, "rsa": 6}[ring], private)
		for _, name := range []string{"n", "x", "y"} {
			if members[name] != "" {
				require.NotContains(t, dump, members[name], "public keys come from the sealed ones only")
			}
		}
		require.NotContains(t, dump, `"d":`)
	}
}

func TestAnotherKeyEncryptionKey(t *testing.T) {
	l := newLab(t)
	kid := create(t, l.node(), "r").Keys[0].KID
	create(t, l.node(), "s")

	for name, seal := range map[string]jose.JSONWebKeySet{
		"another kid": envelope.NewSet(),
		"same kid, another secret": {Keys: []jose.JSONWebKey{{
			Key: make([]byte, 32), KeyID: l.seal.Keys[0].KeyID, Algorithm: "dir",
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			stranger := l.node(func(o *Options) { o.SealKeys = seal })
			_, err := stranger.Signer("r").SigningKey(t.Context())
			require.ErrorIs(t, err, ErrSealed)
			require.ErrorContains(t, err, "ring r")
			require.ErrorContains(t, err, "give all nodes the same file")
			_, _, err = stranger.Set(t.Context(), "")
			require.ErrorIs(t, err, ErrSealed, "no set without its keys")
			_, err = stranger.Rotate(t.Context(), "r", 0)
			require.ErrorIs(t, err, ErrSealed, "who cannot open a ring does not change it")
			all, err := stranger.List(t.Context())
			require.NoError(t, err, "it can be seen all the same")
			require.Equal(t, kid, all[0].Keys[0].KID)
			require.Contains(t, all[0].Problem, "give all nodes the same file")
			require.Contains(t, l.log.String(), "give all nodes the same file")
		})
	}

	t.Run("a new one takes over", func(t *testing.T) {
		added := envelope.NewSet()
		added.Keys[0].KeyID += "-2"
		both := l.node(func(o *Options) {
			o.SealKeys = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{added.Keys[0], l.seal.Keys[0]}}
		})
		require.Equal(t, kid, signing(t, both, "r"))
		_, err := both.Rotate(t.Context(), "r", 0)
		require.NoError(t, err)
		require.Equal(t, kid, signing(t, l.node(func(o *Options) { o.SealKeys = added }), "r"), "a change seals all keys of the ring anew")
	})
}

func TestBadKeyEncryptionKeys(t *testing.T) {
	good := envelope.NewSet().Keys[0]
	nameless, short := good, good
	nameless.KeyID = ""
	short.Key = make([]byte, 16)
	for name, keys := range map[string][]jose.JSONWebKey{
		"none": {}, "without a kid": {nameless}, "too short": {short}, "twice": {good, good},
	} {
		_, err := Open(Options{SealKeys: jose.JSONWebKeySet{Keys: keys}})
		require.Error(t, err, name)
	}
}

// TestTheRecordCannotBeForged changes in Redis what who can write there would.
func TestTheRecordCannotBeForged(t *testing.T) {
	l := newLab(t)
	r := l.node()
	create(t, r, "r")
	create(t, r, "s")
	mine, other := l.server.HGet(hashName, "r"), l.server.HGet(hashName, "s")
	var ring, donor Ring
	require.NoError(t, json.Unmarshal([]byte(mine), &ring))
	require.NoError(t, json.Unmarshal([]byte(other), &donor))
	forged := func(change func(*Ring)) string {
		copied := ring
		copied.Keys = append([]Key(nil), ring.Keys...)
		change(&copied)
		data, err := json.Marshal(copied)
		require.NoError(t, err)
		return string(data)
	}
	for name, record := range map[string]string{
		"another ring's record": other,
		"another ring's key":    forged(func(r *Ring) { r.Keys[0] = donor.Keys[0] }),
		"another kid":           forged(func(r *Ring) { r.Keys[0].KID = donor.Keys[0].KID }),
		"another algorithm":     forged(func(r *Ring) { r.Alg = jose.RS256 }),
		"not sealed": forged(func(r *Ring) {
			key, err := generate(jose.ES256, 0)
			require.NoError(t, err)
			data, err := json.Marshal(content{"r", key})
			require.NoError(t, err)
			r.Keys = append(r.Keys, Key{KID: key.KeyID, Sealed: string(data)})
		}),
		"cut off": mine[:len(mine)/2],
		"flipped": strings.Replace(mine, ring.Keys[0].Sealed[60:64], "AAAA", 1),
	} {
		t.Run(name, func(t *testing.T) {
			l.server.HSet(hashName, "r", record)
			l.clock.pass(freshness)
			_, err := r.Signer("r").SigningKey(t.Context())
			require.Error(t, err)
			_, _, err = r.Set(t.Context(), "r")
			require.Error(t, err)
			_, _, err = r.Set(t.Context(), "")
			require.Error(t, err)
			require.NotEmpty(t, signing(t, r, "s"), "the other rings work on")
			require.NotContains(t, err.Error(), "eyJ")
		})
	}
	l.server.HSet(hashName, "r", mine)
	l.clock.pass(freshness)
	require.Equal(t, ring.Keys[0].KID, signing(t, r, "r"))
}

func TestWithoutRedis(t *testing.T) {
	l := newLab(t)
	r := l.node()
	first := create(t, r, "r").Keys[0].KID
	status, err := r.Rotate(t.Context(), "r", MinAfter)
	require.NoError(t, err)
	require.Equal(t, first, signing(t, r, "r"))
	l.server.SetError("LOADING")
	l.clock.pass(5 * time.Second)
	require.Equal(t, status.Keys[1].KID, signing(t, r, "r"), "the schedule is known ahead")
	l.clock.pass(staleFor - 6*time.Second)
	require.NotEmpty(t, signing(t, r, "r"))
	_, err = r.List(t.Context())
	require.Error(t, err, "an administrator is told")
	_, err = r.Create(t.Context(), New{Name: "x", Alg: jose.ES256})
	require.Error(t, err)
	require.Equal(t, 1, strings.Count(l.log.String(), "cannot be read"), "told once")
	l.clock.pass(2 * time.Second)
	_, err = r.Signer("r").SigningKey(t.Context())
	require.ErrorContains(t, err, "LOADING")
	_, _, err = r.Set(t.Context(), "")
	require.Error(t, err)
	_, _, err = r.Set(t.Context(), "r")
	require.Error(t, err)
	l.server.SetError("")
	l.clock.pass(freshness)
	require.NotEmpty(t, signing(t, r, "r"))

	l.server.SetError("LOADING")
	_, err = l.node().Signer("r").SigningKey(t.Context())
	require.Error(t, err, "a node that has never read anything")
}

// TestReadingsAreRare counts what many uses ask of Redis.
func TestReadingsAreRare(t *testing.T) {
	l := newLab(t)
	r := l.node()
	create(t, r, "r")
	counted := &counter{}
	r.redis.AddHook(counted)
	for range 1000 {
		_ = signing(t, r, "r")
	}
	require.Equal(t, 1, counted.n)
	l.clock.pass(freshness)
	_ = signing(t, r, "r")
	require.Equal(t, 2, counted.n)
}

// counter counts commands.
type counter struct {
	redis.Hook
	n int
}

func (c *counter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "hgetall" {
			c.n++
		}
		return next(ctx, cmd)
	}
}
