package keys

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"fhirgate/fhir"
)

// What Redis holds, besides the secrets' sessions, which are Tyk's. Each name
// is one place in a cluster, so every step concerns one name only.
const (
	indexName         = "fhirgate:keys"         // set of all ids
	recordPrefix      = "fhirgate:key:"         // + id: the Key as JSON
	revokedPrefix     = "fhirgate:revoked:"     // + hash of a secret, or id of a key: a tombstone
	jtiPrefix         = "fhirgate:revoked:jti:" // + id of a token: a tombstone that goes when the token ends
	editionName       = "fhirgate:edition"      // another random word after every change
	certificatePrefix = "fhirgate:certificate:" // + fingerprint: the id of its consumer
	subjectPrefix     = "fhirgate:subject:"     // + hash of issuer and subject: the id of its consumer
	usedName          = "fhirgate:used"         // hash of ids: when last used, in Unix seconds
)

// swapAttempts bounds how often a change is tried again because somebody else
// was faster.
const swapAttempts = 100

// swapScript writes a value if the name still holds the one that was read.
var swapScript = redis.NewScript(`
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
`)

// swap writes a value in place of what was read ("" = nothing), and reports
// whether it still was there.
func (k *Keeper) swap(ctx context.Context, name, read, value string) (bool, error) {
	return swapScript.Run(ctx, k.redis, []string{name}, read, value).Bool()
}

// add writes the record of a new key. It is a conflict that there is a record of
// its id, or was one that was revoked; neither is touched.
func (k *Keeper) add(ctx context.Context, key *Key) error {
	settle(key)
	data, err := json.Marshal(key)
	if err != nil {
		return err
	}
	taken := fhir.NewError(http.StatusConflict, fhir.IssueDuplicate, "there is a key of the id "+key.ID+" already")
	revoked, err := k.redis.Exists(ctx, revokedPrefix+key.ID).Result()
	if err != nil {
		return fmt.Errorf("reading whether the key's id is free: %w", err)
	}
	if revoked > 0 {
		return taken
	}
	if err := k.redis.SAdd(ctx, indexName, key.ID).Err(); err != nil {
		return fmt.Errorf("writing the key's record: %w", err)
	}
	name := recordPrefix + key.ID
	written, err := k.swap(ctx, name, "", string(data))
	if err != nil {
		return fmt.Errorf("writing the key's record: %w", err)
	}
	if written {
		return nil
	}
	// Redis' client sends again what got no answer, so the record may be this one.
	if found, err := k.redis.Get(ctx, name).Result(); err != nil || found != string(data) {
		return taken
	}
	return nil
}

// remove takes back a key that could not be made as a whole.
func (k *Keeper) remove(ctx context.Context, key *Key) error {
	if err := k.redis.Del(ctx, recordPrefix+key.ID).Err(); err != nil {
		return err
	}
	return k.redis.SRem(ctx, indexName, key.ID).Err()
}

// change replaces the record of a key by what f makes of it. Changes of one
// record at the same time, on whichever node, come one after the other: f is
// called again with what the other has written.
func (k *Keeper) change(ctx context.Context, id string, f func(*Key) error) (*Key, error) {
	for attempt := range swapAttempts {
		if attempt > 0 {
			time.Sleep(mathrand.N(10 * time.Millisecond))
		}
		pipe := k.redis.Pipeline()
		record, tombstone := pipe.Get(ctx, recordPrefix+id), pipe.Get(ctx, revokedPrefix+id)
		used := pipe.HGet(ctx, usedName, id)
		_, _ = pipe.Exec(ctx) // each command has its own error
		key, err := keyOf(id, record, tombstone)
		if err != nil {
			return nil, err
		}
		if err := f(key); err != nil {
			return nil, err
		}
		settle(key)
		data, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		if written, err := k.swap(ctx, recordPrefix+id, record.Val(), string(data)); err != nil {
			return nil, fmt.Errorf("writing the key's record: %w", err)
		} else if written {
			key.LastUsed = usedAt(used.Val()) // it is not part of the record
			return key, nil
		}
	}
	return nil, ErrContended
}

// announce makes all nodes read their keys again. It comes after the change.
func announce(ctx context.Context, client redis.UniversalClient) error {
	if err := client.Set(ctx, editionName, rand.Text(), 0).Err(); err != nil {
		return fmt.Errorf("announcing a change of keys: %w", err)
	}
	return nil
}

// keyOf returns the key of a record, or ErrNotFound. A tombstone tells more than
// the record: it is written first.
func keyOf(id string, record, tombstone *redis.StringCmd) (*Key, error) {
	data, err := record.Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, ErrNotFound
	}
	if err == nil {
		err = tombstone.Err()
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("reading the record of a key: %w", err)
	}
	key := new(Key)
	if err := json.Unmarshal(data, key); err != nil {
		return nil, fmt.Errorf("the record of key %s is damaged: %w", id, err)
	}
	if key.Kind == "" {
		key.Kind = KindKey
	}
	for i, secret := range key.Secrets { // a record of before Until
		if secret.Until.IsZero() && !secret.Expires.Equal(key.Expires) {
			key.Secrets[i].Until = secret.Expires
		}
	}
	if text, err := tombstone.Result(); err == nil && key.Revoked.IsZero() {
		if key.Revoked, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, fmt.Errorf("the tombstone of key %s is damaged: %w", id, err)
		}
	}
	return key, nil
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

// records reads the keys of ids in one round trip; an id without a record is
// left out.
func (k *Keeper) records(ctx context.Context, ids ...string) ([]*Key, error) {
	records, tombstones := make([]*redis.StringCmd, len(ids)), make([]*redis.StringCmd, len(ids))
	pipe := k.redis.Pipeline()
	for i, id := range ids {
		records[i], tombstones[i] = pipe.Get(ctx, recordPrefix+id), pipe.Get(ctx, revokedPrefix+id)
	}
	used := pipe.HMGet(ctx, usedName, ids...)
	_, _ = pipe.Exec(ctx) // each command has its own error
	times, err := used.Result()
	if err != nil {
		return nil, fmt.Errorf("reading when keys were used: %w", err)
	}
	found := make([]*Key, 0, len(ids))
	for i, id := range ids {
		key, err := keyOf(id, records[i], tombstones[i])
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		key.LastUsed = usedAt(times[i])
		found = append(found, key)
	}
	return found, nil
}
