package jwks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"

	"fhirgate/internal/envelope"
)

var (
	// ErrNoRing is returned for a name that no ring has.
	ErrNoRing = errors.New("no ring of this name")
	// ErrExists is returned when a ring is to be made whose name is taken.
	ErrExists = errors.New("there is a ring of this name")
	// ErrFile is returned when a ring that is a file is to be changed.
	ErrFile = errors.New("the ring is read from a file: to rotate it, replace the file")
)

var ringName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Options are what Open needs. Redis and SealKeys are required.
type Options struct {
	Redis    redis.UniversalClient
	SealKeys jose.JSONWebKeySet // key-encryption keys ("oct", 32 bytes, with a kid): the first seals, all open
	Folder   string             // of rings that are files; empty or missing = none
	Hash     string             // where the records are in Redis; empty = "fhirgate:rings". Rings of one hash are one set
	Log      *slog.Logger       // nil = slog.Default()
	Now      func() time.Time   // nil = time.Now
}

// Rings are all rings of an installation. It is safe for concurrent use.
type Rings struct {
	redis  redis.UniversalClient
	seal   *envelope.Keys
	folder string
	hash   string
	log    *slog.Logger
	now    func() time.Time

	flight singleflight.Group
	last   atomic.Pointer[view]
}

// Open returns the rings of a Redis and a folder, or an error when a
// key-encryption key is not what it must be. It reads nothing yet.
func Open(o Options) (*Rings, error) {
	seal, err := envelope.New(o.SealKeys)
	if err != nil {
		return nil, err
	}
	r := &Rings{redis: o.Redis, seal: seal, folder: o.Folder, hash: o.Hash, log: o.Log, now: o.Now}
	r.last.Store(&view{})
	if r.hash == "" {
		r.hash = hashName
	}
	if r.log == nil {
		r.log = slog.Default()
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r, nil
}

// New says how a ring is to be.
type New struct {
	Name  string                  // 1 to 63 of a-z, 0-9 and "-"
	Alg   jose.SignatureAlgorithm // RS384, ES384, RS256 or ES256; empty = DefaultAlg
	Bits  int                     // of RSA keys, 2048 to 4096; 0 = DefaultBits
	After time.Duration           // how long its later keys are published before they sign; 0 = DefaultAfter
}

func (n *New) complete() error {
	if !ringName.MatchString(n.Name) {
		return fmt.Errorf("%w: the name of a ring must have 1 to 63 of a-z, 0-9 and -", ErrInvalid)
	}
	if n.Alg == "" {
		n.Alg = DefaultAlg
	}
	elliptic, err := curve(n.Alg)
	switch {
	case err != nil:
		return err
	case elliptic != nil && n.Bits != 0:
		return fmt.Errorf("%w: the size of an elliptic key is given by its algorithm", ErrInvalid)
	case elliptic == nil && n.Bits == 0:
		n.Bits = DefaultBits
	}
	if elliptic == nil && (n.Bits < minBits || n.Bits > maxBits || n.Bits%512 != 0) {
		return fmt.Errorf("%w: an RSA key must have 2048, 2560, 3072, 3584 or 4096 bits", ErrInvalid)
	}
	if n.After == 0 {
		n.After = DefaultAfter
	}
	return checkAfter(n.After)
}

func checkAfter(after time.Duration) error {
	if after < MinAfter || after > MaxAfter {
		return fmt.Errorf("%w: a new key must be published for %s to %s before it signs", ErrInvalid, MinAfter, MaxAfter)
	}
	return nil
}

// Create makes a ring with a first key, which is published and signs at once.
// After an ErrExists the ring that there is can be used without delay.
// Errors: ErrInvalid, ErrExists, or Redis'.
func (r *Rings) Create(ctx context.Context, wanted New) (Status, error) {
	if err := wanted.complete(); err != nil {
		return Status{}, err
	}
	if r.isFile(wanted.Name) {
		return Status{}, ErrExists
	}
	ring := &Ring{Name: wanted.Name, Alg: wanted.Alg, Bits: wanted.Bits, After: wanted.After}
	if err := r.grow(ring); err != nil {
		return Status{}, err
	}
	written, err := r.swap(ctx, ring.Name, "", ring)
	if err == nil && !written {
		r.forget() // another node was faster, and this one has not read of it
		err = ErrExists
	}
	return r.changed(ring, err)
}

// Rotate publishes a new key, which takes over after the ring's time; the key
// that signs now goes on until then. An after other than 0 becomes the ring's
// time, from this rotation on.
// Errors: ErrNoRing, ErrFile, ErrRotating, ErrSealed, ErrInvalid, or Redis'.
func (r *Rings) Rotate(ctx context.Context, name string, after time.Duration) (Status, error) {
	if after != 0 {
		if err := checkAfter(after); err != nil {
			return Status{}, err
		}
	}
	return r.change(ctx, name, func(ring *Ring) error {
		if after != 0 {
			ring.After = after
		}
		return r.grow(ring)
	})
}

// Retire takes a key out of the set at once and destroys it, for an emergency.
// When it was the one that signs, the one before it signs again if it is still
// published, as vendors know that one; if there is none, Retire returns
// ErrLastKey. With force, the next key, or a new one, signs at once instead:
// calls may fail until vendors have fetched the set.
// Errors: ErrNoRing, ErrNoKey, ErrFile, ErrLastKey, ErrSealed, or Redis'.
func (r *Rings) Retire(ctx context.Context, name, kid string, force bool) (Status, error) {
	return r.change(ctx, name, func(ring *Ring) error {
		if err := ring.retire(kid, force, r.now()); err != nil {
			return err
		}
		if ring.At(r.now()).Signing == "" {
			return r.grow(ring)
		}
		return nil
	})
}

// grow gives the ring a new key.
func (r *Rings) grow(ring *Ring) error {
	if err := ring.mayGrow(r.now()); err != nil {
		return err // before the work of making a key
	}
	key, err := generate(ring.Alg, ring.Bits)
	if err != nil {
		return err
	}
	sealed, err := sealKey(r.seal, ring.Name, key)
	if err != nil {
		return err
	}
	return ring.add(key.KeyID, sealed, r.now())
}

// change changes a ring of the store.
func (r *Rings) change(ctx context.Context, name string, change func(*Ring) error) (Status, error) {
	if r.isFile(name) {
		return Status{}, ErrFile
	}
	ring, err := r.update(ctx, name, change)
	return r.changed(ring, err)
}

// changed returns the status of a ring that was written, and has the next use
// read it.
func (r *Rings) changed(ring *Ring, err error) (Status, error) {
	if err != nil {
		return Status{}, err
	}
	r.forget()
	return statusOf(&opened{ring: ring}, r.now()), nil
}

func (r *Rings) isFile(name string) bool {
	files, _ := readFolder(r.folder) // a folder that cannot be read is told where it is used
	_, ok := files[name]
	return ok
}
