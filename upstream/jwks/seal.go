package jwks

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	sealAlgorithm  = jose.DIRECT
	sealEncryption = jose.A256GCM
)

// ErrSealed is returned for a private key that this node cannot open: it was
// sealed with a key-encryption key that the node does not have, or was changed.
var ErrSealed = errors.New("a private key cannot be opened")

// NewSealKeys returns a set with one new key-encryption key, for the file that
// an installation makes at its first start.
func NewSealKeys() jose.JSONWebKeySet {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{
		Key:       secret,
		KeyID:     time.Now().UTC().Format("2006-01-02-") + strings.ToLower(rand.Text()[:6]),
		Algorithm: string(sealAlgorithm),
		Use:       "enc",
	}}}
}

// safe seals and opens private keys: the first key-encryption key seals, all
// open.
type safe struct {
	encrypter jose.Encrypter
	keys      map[string]jose.JSONWebKey
}

func newSafe(keys jose.JSONWebKeySet) (*safe, error) {
	if len(keys.Keys) == 0 {
		return nil, errors.New("no key to encrypt private keys with")
	}
	s := &safe{keys: make(map[string]jose.JSONWebKey, len(keys.Keys))}
	for _, key := range keys.Keys {
		secret, ok := key.Key.([]byte)
		if !ok || len(secret) != 32 || key.KeyID == "" {
			return nil, fmt.Errorf("the key-encryption key %q is not a symmetric JWK of 32 bytes with a kid", key.KeyID)
		}
		if _, twice := s.keys[key.KeyID]; twice {
			return nil, fmt.Errorf("two key-encryption keys have the kid %q", key.KeyID)
		}
		s.keys[key.KeyID] = key
	}
	first := keys.Keys[0]
	var err error
	s.encrypter, err = jose.NewEncrypter(sealEncryption, jose.Recipient{Algorithm: sealAlgorithm, Key: first.Key, KeyID: first.KeyID}, nil)
	return s, err
}

// content is the plaintext of a sealed key. The ring in it keeps a key from
// being moved to another one.
type content struct {
	Ring string          `json:"ring"`
	Key  jose.JSONWebKey `json:"key"`
}

// seal returns the private key of a ring as a compact JWE.
func (s *safe) seal(ring string, key jose.JSONWebKey) (string, error) {
	plain, err := json.Marshal(content{ring, key})
	if err != nil {
		return "", err
	}
	sealed, err := s.encrypter.Encrypt(plain)
	if err != nil {
		return "", err
	}
	return sealed.CompactSerialize()
}

// open returns the private key that seal has sealed for the ring, or an
// ErrSealed.
func (s *safe) open(ring *Ring, key Key) (jose.JSONWebKey, error) {
	fail := func(why string) (jose.JSONWebKey, error) {
		return jose.JSONWebKey{}, fmt.Errorf("%w: ring %s, key %s: %s", ErrSealed, ring.Name, key.KID, why)
	}
	sealed, err := jose.ParseEncryptedCompact(key.Sealed, []jose.KeyAlgorithm{sealAlgorithm}, []jose.ContentEncryption{sealEncryption})
	if err != nil {
		return fail("what is stored is not a JWE")
	}
	kek, ok := s.keys[sealed.Header.KeyID]
	if !ok {
		return fail("it was sealed with another key-encryption key than this node has; give all nodes the same file")
	}
	plain, err := sealed.Decrypt(kek.Key)
	if err != nil {
		return fail("it was changed, or this node's key-encryption key of that kid is another one; give all nodes the same file")
	}
	var c content
	if err := json.Unmarshal(plain, &c); err != nil {
		return fail("its content is not a JWK")
	}
	kid, err := thumbprint(c.Key.Key)
	if err != nil || c.Ring != ring.Name || kid != key.KID || c.Key.Algorithm != string(ring.Alg) {
		return fail("it belongs to another ring or record")
	}
	return c.Key, nil
}
