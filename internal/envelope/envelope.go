// Package envelope encrypts what leaves the process and comes back, with keys
// that rotate: compact JWE (RFC 7516), direct, AES-256-GCM. What is sealed can
// neither be read nor changed by anyone without the keys.
package envelope

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	algorithm  = jose.DIRECT
	encryption = jose.A256GCM
	keyBytes   = 32
)

var (
	// ErrUnknownKey is returned for what was sealed with a key that the set
	// does not have (any more).
	ErrUnknownKey = errors.New("sealed with an unknown key")
	// ErrBroken is returned for what is no envelope, or was changed.
	ErrBroken = errors.New("not sealed, or changed since")
)

// Keys seals and opens: the first key seals, all open.
type Keys struct {
	encrypter jose.Encrypter
	byID      map[string][]byte
}

// New returns the keys of a set, the active one first. Each must be a symmetric
// JWK ("oct") of 32 bytes with a kid of its own.
func New(set jose.JSONWebKeySet) (*Keys, error) {
	if len(set.Keys) == 0 {
		return nil, errors.New("the set holds no key")
	}
	k := &Keys{byID: make(map[string][]byte, len(set.Keys))}
	for _, key := range set.Keys {
		secret, ok := key.Key.([]byte)
		if !ok || len(secret) != keyBytes || key.KeyID == "" {
			return nil, fmt.Errorf("the key %q is not a symmetric JWK of %d bytes with a kid", key.KeyID, keyBytes)
		}
		if _, twice := k.byID[key.KeyID]; twice {
			return nil, fmt.Errorf("two keys have the kid %q", key.KeyID)
		}
		k.byID[key.KeyID] = secret
	}
	active := set.Keys[0]
	var err error
	k.encrypter, err = jose.NewEncrypter(encryption, jose.Recipient{Algorithm: algorithm, Key: active.Key, KeyID: active.KeyID}, nil)
	return k, err
}

// NewSet returns a set of one new key. Its kid is the day, for people, and some
// random letters.
func NewSet() jose.JSONWebKeySet {
	secret := make([]byte, keyBytes)
	_, _ = rand.Read(secret) // never fails
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{
		Key:       secret,
		KeyID:     time.Now().UTC().Format("2006-01-02-") + strings.ToLower(rand.Text()[:6]),
		Algorithm: string(algorithm),
		Use:       "enc",
	}}}
}

// Seal returns plain as a compact JWE.
func (k *Keys) Seal(plain []byte) (string, error) {
	sealed, err := k.encrypter.Encrypt(plain)
	if err != nil {
		return "", err
	}
	return sealed.CompactSerialize()
}

// Open returns what Seal was given, ErrUnknownKey or ErrBroken.
func (k *Keys) Open(text string) ([]byte, error) {
	sealed, err := jose.ParseEncryptedCompact(text, []jose.KeyAlgorithm{algorithm}, []jose.ContentEncryption{encryption})
	if err != nil {
		return nil, ErrBroken
	}
	key, ok := k.byID[sealed.Header.KeyID]
	if !ok {
		return nil, ErrUnknownKey
	}
	plain, err := sealed.Decrypt(key)
	if err != nil {
		return nil, ErrBroken
	}
	return plain, nil
}
