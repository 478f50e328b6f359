package jwks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// hashName is where the records are unless Options say otherwise: a hash of
// records by name, so that a cluster keeps them, and the script that changes
// them, in one place.
const hashName = "fhirgate:rings"

// swapAttempts bounds how often a change is tried again because somebody else
// was faster.
const swapAttempts = 20

// ErrContended is returned when others change a ring all the time.
var ErrContended = errors.New("the ring is being changed by others: try again")

// swapScript writes a field if it still has the value that was read.
var swapScript = redis.NewScript(`
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
`)

// swap writes a ring in place of what was read of it ("" = nothing), and
// reports whether it still was there.
func (r *Rings) swap(ctx context.Context, name, read string, ring *Ring) (bool, error) {
	data, err := json.Marshal(ring)
	if err != nil {
		return false, err
	}
	written, err := swapScript.Run(ctx, r.redis, []string{r.hash}, name, read, string(data)).Bool()
	if err != nil {
		return false, fmt.Errorf("writing ring %s: %w", name, err)
	}
	return written, nil
}

// update changes a ring as it is at the moment. The keys are opened and sealed
// anew on the way: a node that cannot open a ring must not change it, and the
// key-encryption key in force is the one in use.
func (r *Rings) update(ctx context.Context, name string, change func(*Ring) error) (*Ring, error) {
	for range swapAttempts {
		read, err := r.redis.HGet(ctx, r.hash, name).Result()
		if errors.Is(err, redis.Nil) {
			return nil, ErrNoRing
		}
		if err != nil {
			return nil, fmt.Errorf("reading ring %s: %w", name, err)
		}
		ring, err := decodeRing(name, read)
		if err != nil {
			return nil, err
		}
		ring.tidy(r.now())
		if err := r.reseal(ring); err != nil {
			return nil, err
		}
		if err := change(ring); err != nil {
			return nil, err
		}
		if written, err := r.swap(ctx, name, read, ring); err != nil || written {
			return ring, err
		}
	}
	return nil, ErrContended
}

func (r *Rings) reseal(ring *Ring) error {
	for i, key := range ring.Keys {
		if key.Sealed == "" {
			continue
		}
		private, err := openKey(r.seal, ring, key)
		if err != nil {
			return err
		}
		if ring.Keys[i].Sealed, err = sealKey(r.seal, ring.Name, private); err != nil {
			return err
		}
	}
	return nil
}

// decodeRing reads a record, which belongs under its ring's name and no other.
func decodeRing(name, data string) (*Ring, error) {
	ring := new(Ring)
	if err := json.Unmarshal([]byte(data), ring); err != nil || ring.Name != name {
		return nil, fmt.Errorf("what is stored of ring %s is not its record", name)
	}
	return ring, nil
}
