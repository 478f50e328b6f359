package tokens

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

const (
	sealAlgorithm  = jose.DIRECT
	sealEncryption = jose.A256GCM
)

// ErrSealed is reported to [OnError] when a value in Redis does not open: it was
// changed, moved, or sealed with a key that this node does not have. The token
// is then fetched again.
var ErrSealed = errors.New("a value in Redis is not one that this node can open")

// sealer encrypts what goes to Redis and makes the names of identities.
type sealer struct {
	encrypter jose.Encrypter
	keys      map[string]jose.JSONWebKey
	names     []byte // HMAC key
}

func newSealer(keys jose.JSONWebKeySet) (*sealer, error) {
	if len(keys.Keys) == 0 {
		return nil, errors.New("no key to encrypt tokens with")
	}
	s := &sealer{keys: make(map[string]jose.JSONWebKey, len(keys.Keys))}
	oldest := keys.Keys[0]
	for _, key := range keys.Keys {
		secret, ok := key.Key.([]byte)
		if !ok || len(secret) != 32 || key.KeyID == "" {
			return nil, fmt.Errorf("the token key %q is not a symmetric JWK of 32 bytes with a kid", key.KeyID)
		}
		if _, twice := s.keys[key.KeyID]; twice {
			return nil, fmt.Errorf("two token keys have the kid %q", key.KeyID)
		}
		s.keys[key.KeyID] = key
		if key.KeyID < oldest.KeyID {
			oldest = key
		}
	}
	derive := hmac.New(sha256.New, oldest.Key.([]byte))
	derive.Write([]byte("fhirgate names of token identities"))
	s.names = derive.Sum(nil)
	active := keys.Keys[0]
	var err error
	s.encrypter, err = jose.NewEncrypter(sealEncryption, jose.Recipient{Algorithm: sealAlgorithm, Key: active.Key, KeyID: active.KeyID}, nil)
	return s, err
}

// name returns the name of an identity in Redis. Each part is preceded by its
// length, so that no two identities can read the same.
func (s *sealer) name(id Identity) string {
	mac := hmac.New(sha256.New, s.names)
	for _, part := range []string{id.Issuer, id.Client, id.Scope, id.Key} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// envelope is the plaintext of a JWE: what it holds and where it belongs. The
// kind keeps a failure from being taken for a token.
type envelope struct {
	Kind    string          `json:"kind"`
	Name    string          `json:"name"`
	Version string          `json:"version"`
	Content json.RawMessage `json:"content"`
}

func (s *sealer) seal(kind, name, version string, content any) (string, error) {
	inner, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(envelope{Kind: kind, Name: name, Version: version, Content: inner})
	if err != nil {
		return "", err
	}
	sealed, err := s.encrypter.Encrypt(plain)
	if err != nil {
		return "", err
	}
	return sealed.CompactSerialize()
}

// open decrypts into content, or returns an ErrSealed.
func (s *sealer) open(text, kind, name, version string, content any) error {
	sealed, err := jose.ParseEncryptedCompact(text, []jose.KeyAlgorithm{sealAlgorithm}, []jose.ContentEncryption{sealEncryption})
	if err != nil {
		return ErrSealed
	}
	key, ok := s.keys[sealed.Header.KeyID]
	if !ok {
		return fmt.Errorf("%w: it names an unknown key", ErrSealed)
	}
	plain, err := sealed.Decrypt(key.Key)
	if err != nil {
		return ErrSealed
	}
	var e envelope
	if err := json.Unmarshal(plain, &e); err != nil {
		return ErrSealed
	}
	if e.Kind != kind || e.Name != name || e.Version != version {
		return fmt.Errorf("%w: it belongs elsewhere", ErrSealed)
	}
	if err := json.Unmarshal(e.Content, content); err != nil {
		return ErrSealed
	}
	return nil
}
