package jwks

import (
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"fhirgate/internal/envelope"
)

// opened is a ring that is ready for use, with its private keys.
type opened struct {
	raw      string // the record or file that it was made from
	ring     *Ring
	keys     map[string]jose.JSONWebKey // by kid; of a file, some may be public
	file     string                     // path; empty for a ring of the store
	fixed    Standing                   // of a file, at any time
	problem  error                      // why the ring cannot be used, or its file's change was not taken
	unusable bool
}

// openRing opens a record. What cannot be opened leaves the ring unusable: a set
// that lacks one of its keys must not be published.
func openRing(with *envelope.Keys, name, raw string) *opened {
	o := &opened{raw: raw, keys: make(map[string]jose.JSONWebKey)}
	if o.ring, o.problem = decodeRing(name, raw); o.problem != nil {
		o.ring, o.unusable = &Ring{Name: name}, true
		return o
	}
	for _, key := range o.ring.Keys {
		if key.Sealed == "" {
			continue
		}
		private, err := openKey(with, o.ring, key)
		if err != nil {
			o.problem, o.unusable = err, true
			return o
		}
		o.keys[key.KID] = private
	}
	return o
}

func (o *opened) at(now time.Time) Standing {
	if o.file != "" {
		return o.fixed
	}
	return o.ring.At(now)
}

// signingKey returns what signs at the given time.
func (o *opened) signingKey(now time.Time) (jose.SigningKey, bool) {
	key, ok := o.keys[o.at(now).Signing]
	return jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, ok
}

// published appends the public keys of the set at the given time, each once.
func (o *opened) published(set []jose.JSONWebKey, now time.Time) []jose.JSONWebKey {
	for _, kid := range o.at(now).Published {
		if !slices.ContainsFunc(set, func(k jose.JSONWebKey) bool { return k.KeyID == kid }) {
			set = append(set, public(o.keys[kid]))
		}
	}
	return set
}
