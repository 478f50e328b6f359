// Package keys is the life of a consumer's key: made, shown once, rotated,
// revoked, and looked up on every call. The secrets are Tyk keys, stored
// hashed; beside them stands a record for people, and a tombstone for every
// secret that was revoked.
package keys

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"fhirgate/gateway/engine"
)

// ErrNotFound is returned for a key id that does not exist.
var ErrNotFound = errors.New("no key of this id")

// ErrRevoked is returned when a revoked key is to be rotated.
var ErrRevoked = errors.New("the key is revoked")

// ErrExpired is returned when a key that has expired is to be rotated.
var ErrExpired = errors.New("the key has expired: create another")

// Key is what is known of a consumer's key. Its id names the consumer in logs
// and limits, and outlives its secrets.
type Key struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"` // for people
	Plan    string    `json:"plan"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero = never
	Revoked time.Time `json:"revoked,omitzero"` // zero = not revoked
	Secrets []Secret  `json:"secrets"`          // the newest last
}

// Secret is one secret of a key: the hash under which Tyk keeps it, and a hint
// by which people tell it.
type Secret struct {
	Hash    string    `json:"hash"`
	Hint    string    `json:"hint"` // the last four characters
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // end of a rotation's grace, or of the key
}

// Status tells in a word whether the key works at the given time.
func (k *Key) Status(now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked"
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return "expired"
	default:
		return "active"
	}
}

// Engine is the part of Tyk that stores secrets.
type Engine interface {
	CreateKey(ctx context.Context, token string, session engine.Session) error
	UpdateKey(ctx context.Context, hash string, session engine.Session) error
	DeleteKey(ctx context.Context, hash string) error
}

// Keeper makes, changes and revokes keys.
type Keeper struct {
	engine Engine
	redis  redis.UniversalClient
	now    func() time.Time
	mu     sync.Mutex // one change at a time; other nodes are left to the tombstones
}

// NewKeeper returns a Keeper of the keys in redis and Tyk.
func NewKeeper(e Engine, client redis.UniversalClient) *Keeper {
	return &Keeper{engine: e, redis: client, now: time.Now}
}

const (
	indexName      = "fhirgate:keys"     // set of all ids
	recordPrefix   = "fhirgate:key:"     // + id: the Key as JSON
	revokedPrefix  = "fhirgate:revoked:" // + hash of a secret, or id of a key: a tombstone
	editionName    = "fhirgate:edition"  // another random word after every change of a secret
	keyIDInSession = "key_id"
)

// Create makes a key of a plan that works for life (0 = for ever) and returns
// it with its secret, which is kept nowhere. The caller has checked the plan.
func (k *Keeper) Create(ctx context.Context, name, plan string, life time.Duration) (*Key, string, error) {
	now := k.now().UTC().Truncate(time.Second)
	key := &Key{ID: "key_" + strings.ToLower(rand.Text()[:16]), Name: name, Plan: plan, Created: now}
	if life > 0 {
		key.Expires = now.Add(life)
	}
	token, err := k.addSecret(ctx, key)
	if err != nil {
		return nil, "", err
	}
	return key, token, nil
}

// addSecret gives the key a new secret: the record first, so that no secret
// works that no record knows.
func (k *Keeper) addSecret(ctx context.Context, key *Key) (string, error) {
	token := engine.NewToken()
	key.Secrets = append(key.Secrets, Secret{
		Hash:    engine.KeyHash(token),
		Hint:    token[len(token)-4:],
		Created: k.now().UTC().Truncate(time.Second),
		Expires: key.Expires,
	})
	if err := k.save(ctx, key); err != nil {
		return "", err
	}
	if err := k.engine.CreateKey(ctx, token, session(key, key.Expires)); err != nil {
		return "", fmt.Errorf("storing the secret: %w", err)
	}
	return token, nil
}

func session(key *Key, expires time.Time) engine.Session {
	s := engine.Session{
		Alias:    key.Name,
		Policies: []string{key.Plan},
		Metadata: map[string]any{keyIDInSession: key.ID},
	}
	if !expires.IsZero() {
		s.Expires = expires.Unix()
	}
	return s
}

// Rotate gives the key a new secret and returns it. The secrets of before work
// on for grace; with none they are revoked at once.
func (k *Keeper) Rotate(ctx context.Context, id string, grace time.Duration) (*Key, string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.Get(ctx, id)
	if err != nil {
		return nil, "", err
	}
	now := k.now()
	switch key.Status(now) {
	case "revoked":
		return nil, "", ErrRevoked
	case "expired":
		return nil, "", ErrExpired
	}
	key.Secrets = slices.DeleteFunc(key.Secrets, func(s Secret) bool { return !s.Expires.IsZero() && !now.Before(s.Expires) })
	old := slices.Clone(key.Secrets)
	token, err := k.addSecret(ctx, key)
	if err != nil {
		return nil, "", err
	}
	end := k.now().UTC().Add(grace).Truncate(time.Second)
	for i, secret := range old {
		if grace > 0 {
			err = k.endSecret(ctx, key, i, end)
		} else {
			err = k.killSecret(ctx, secret.Hash)
		}
		if err != nil {
			return nil, "", err
		}
	}
	if grace <= 0 {
		key.Secrets = key.Secrets[len(old):]
	}
	return key, token, k.save(ctx, key)
}

// endSecret makes a secret expire at end, unless it does so earlier.
func (k *Keeper) endSecret(ctx context.Context, key *Key, i int, end time.Time) error {
	secret := &key.Secrets[i]
	if !secret.Expires.IsZero() && secret.Expires.Before(end) {
		return nil
	}
	secret.Expires = end
	err := k.engine.UpdateKey(ctx, secret.Hash, session(key, end))
	if errors.Is(err, engine.ErrNoKey) {
		return nil // it has expired for good
	}
	if err != nil {
		return err
	}
	return k.announce(ctx)
}

// announce makes all nodes read their keys again. It comes after the change.
func (k *Keeper) announce(ctx context.Context) error {
	if err := k.redis.Set(ctx, editionName, rand.Text(), 0).Err(); err != nil {
		return fmt.Errorf("announcing a change of keys: %w", err)
	}
	return nil
}

// Revoke ends the key and all of its secrets for good. It is idempotent. The
// key's own tombstone comes first: a secret that a rotation on another node adds
// meanwhile is dead with it.
func (k *Keeper) Revoke(ctx context.Context, id string) (*Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if key.Revoked.IsZero() {
		key.Revoked = k.now().UTC().Truncate(time.Second)
	}
	if err := k.redis.Set(ctx, revokedPrefix+id, key.Revoked.Format(time.RFC3339), 0).Err(); err != nil {
		return nil, fmt.Errorf("writing the tombstone: %w", err)
	}
	if err := k.announce(ctx); err != nil {
		return nil, err
	}
	for _, secret := range key.Secrets {
		if err := k.killSecret(ctx, secret.Hash); err != nil {
			return nil, err
		}
	}
	return key, k.save(ctx, key)
}

// killSecret writes the tombstone first: whatever may write the session back
// later, the secret stays dead.
func (k *Keeper) killSecret(ctx context.Context, hash string) error {
	if err := k.redis.Set(ctx, revokedPrefix+hash, "1", 0).Err(); err != nil {
		return fmt.Errorf("writing the tombstone: %w", err)
	}
	if err := k.announce(ctx); err != nil {
		return err
	}
	if err := k.engine.DeleteKey(ctx, hash); err != nil && !errors.Is(err, engine.ErrNoKey) {
		return fmt.Errorf("deleting the secret: %w", err)
	}
	return nil
}

// Get returns the key of an id, or ErrNotFound.
func (k *Keeper) Get(ctx context.Context, id string) (*Key, error) {
	found, err := k.records(ctx, id)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ErrNotFound
	}
	return found[0], nil
}

// records reads the keys of ids in one round trip; an id without a record is
// left out. A tombstone tells more than the record, which a rotation on another
// node may have written over.
func (k *Keeper) records(ctx context.Context, ids ...string) ([]*Key, error) {
	records, tombstones := make([]*redis.StringCmd, len(ids)), make([]*redis.StringCmd, len(ids))
	pipe := k.redis.Pipeline()
	for i, id := range ids {
		records[i], tombstones[i] = pipe.Get(ctx, recordPrefix+id), pipe.Get(ctx, revokedPrefix+id)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	found := make([]*Key, 0, len(ids))
	for i, id := range ids {
		data, err := records[i].Bytes()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err == nil {
			err = tombstones[i].Err()
		}
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, fmt.Errorf("reading the record of a key: %w", err)
		}
		key := new(Key)
		if err := json.Unmarshal(data, key); err != nil {
			return nil, fmt.Errorf("the record of key %s is damaged: %w", id, err)
		}
		if revoked, err := time.Parse(time.RFC3339, tombstones[i].Val()); err == nil {
			key.Revoked = revoked
		}
		found = append(found, key)
	}
	return found, nil
}

// List returns all keys, the oldest first.
func (k *Keeper) List(ctx context.Context) ([]*Key, error) {
	ids, err := k.redis.SMembers(ctx, indexName).Result()
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return []*Key{}, nil
	}
	found, err := k.records(ctx, ids...)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b *Key) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return found, nil
}

func (k *Keeper) save(ctx context.Context, key *Key) error {
	data, err := json.Marshal(key)
	if err != nil {
		return err
	}
	if err := k.redis.SAdd(ctx, indexName, key.ID).Err(); err != nil {
		return fmt.Errorf("writing the key's record: %w", err)
	}
	if err := k.redis.Set(ctx, recordPrefix+key.ID, data, 0).Err(); err != nil {
		return fmt.Errorf("writing the key's record: %w", err)
	}
	return nil
}
