package audit

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"os"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"

	"fhirgate/internal/envelope"
)

// keyring is the set of keys of the trail, the one in use first.
type keyring struct {
	active *ringKey
	byID   map[string]*ringKey
	seal   *envelope.Keys
}

// ringKey is one key of the set. It is never used itself: each purpose has a
// key derived from it.
type ringKey struct {
	id        string
	secret    []byte
	chain     []byte
	hospitals sync.Map // id of a hospital to *sync.Pool of hash.Hash
}

// ReadKeys reads a JWK set of the trail's keys from a file that only its owner
// may read.
func ReadKeys(path string) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	info, err := os.Stat(path)
	if err != nil {
		return set, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return set, fmt.Errorf("%s: others may read it: chmod it to 0600", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return set, err
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return set, fmt.Errorf("%s: is not a JWK set", path)
	}
	return set, nil
}

// newKeyring derives the keys of each purpose.
func newKeyring(set jose.JSONWebKeySet) (*keyring, error) {
	if _, err := envelope.New(set); err != nil {
		return nil, fmt.Errorf("the keys of the audit trail: %w", err)
	}
	ring := &keyring{byID: make(map[string]*ringKey, len(set.Keys))}
	sealing := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, len(set.Keys))}
	for i, jwk := range set.Keys {
		secret, ok := jwk.Key.([]byte)
		if !ok {
			return nil, errors.New("the keys of the audit trail: not a symmetric JWK")
		}
		key := &ringKey{id: jwk.KeyID, secret: secret, chain: derive(secret, "chain")}
		ring.byID[key.id] = key
		if i == 0 {
			ring.active = key
		}
		jwk.Key = derive(secret, "seal")
		sealing.Keys[i] = jwk
	}
	var err error
	ring.seal, err = envelope.New(sealing)
	return ring, err
}

// derive returns the key for a purpose.
func derive(secret []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, "fhirgate audit "+purpose, 32)
	if err != nil {
		panic(err) // only for lengths that SHA-256 can't give
	}
	return key
}

// conceal returns a reference with a keyed hash in place of its id: Patient/123
// becomes Patient/<hash>. The hash is that of the whole reference.
func (k *ringKey) conceal(hospital, reference string) string {
	hashed := k.reference(hospital, reference)
	if typ, _, ok := strings.Cut(reference, "/"); ok && isTypeName(typ) {
		return typ + "/" + hashed
	}
	return hashed
}

// isTypeName reports whether a word has the form of a resource type's name, which
// tells nothing of a patient.
func isTypeName(word string) bool {
	if len(word) < 2 || len(word) > 64 || word[0] < 'A' || word[0] > 'Z' {
		return false
	}
	for _, c := range []byte(word[1:]) {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// reference returns the keyed hash of a reference at a hospital, base64url.
func (k *ringKey) reference(hospital, reference string) string {
	pool, ok := k.hospitals.Load(hospital)
	if !ok {
		key := derive(k.secret, "reference "+hospital)
		pool, _ = k.hospitals.LoadOrStore(hospital, &sync.Pool{New: func() any { return hmac.New(sha256.New, key) }})
	}
	hasher := pool.(*sync.Pool).Get().(hash.Hash)
	defer pool.(*sync.Pool).Put(hasher)
	hasher.Reset()
	hasher.Write([]byte(reference))
	var sum [sha256.Size]byte
	return base64.RawURLEncoding.EncodeToString(hasher.Sum(sum[:0]))
}

// link returns the keyed hash of a record's bytes, which the next record holds.
func (k *ringKey) link(record []byte) string {
	mac := hmac.New(sha256.New, k.chain)
	mac.Write(record)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
