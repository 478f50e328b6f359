package tokens

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"fhirgate/internal/envelope"
)

// ErrSealed is reported to [OnError] when a value in Redis does not open: it was
// changed, moved, or sealed with a key that this node does not have. The token
// is then fetched again.
var ErrSealed = errors.New("a value in Redis is not one that this node can open")

// sealer encrypts what goes to Redis and makes the names of identities.
type sealer struct {
	keys  *envelope.Keys
	names []byte // HMAC key
}

func newSealer(set jose.JSONWebKeySet) (*sealer, error) {
	keys, err := envelope.New(set)
	if err != nil {
		return nil, err
	}
	s := &sealer{keys: keys}
	oldest := slices.MinFunc(set.Keys, func(a, b jose.JSONWebKey) int { return strings.Compare(a.KeyID, b.KeyID) })
	derive := hmac.New(sha256.New, oldest.Key.([]byte))
	derive.Write([]byte("fhirgate names of token identities"))
	s.names = derive.Sum(nil)
	return s, nil
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

// content is the plaintext of a JWE: what it holds and where it belongs. The
// kind keeps a failure from being taken for a token.
type content struct {
	Kind    string          `json:"kind"`
	Name    string          `json:"name"`
	Version string          `json:"version"`
	Content json.RawMessage `json:"content"`
}

func (s *sealer) seal(kind, name, version string, value any) (string, error) {
	inner, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(content{Kind: kind, Name: name, Version: version, Content: inner})
	if err != nil {
		return "", err
	}
	return s.keys.Seal(plain)
}

// open decrypts into value, or returns an ErrSealed.
func (s *sealer) open(text, kind, name, version string, value any) error {
	plain, err := s.keys.Open(text)
	if errors.Is(err, envelope.ErrUnknownKey) {
		return fmt.Errorf("%w: it names an unknown key", ErrSealed)
	}
	if err != nil {
		return ErrSealed
	}
	var e content
	if err := json.Unmarshal(plain, &e); err != nil {
		return ErrSealed
	}
	if e.Kind != kind || e.Name != name || e.Version != version {
		return fmt.Errorf("%w: it belongs elsewhere", ErrSealed)
	}
	if err := json.Unmarshal(e.Content, value); err != nil {
		return ErrSealed
	}
	return nil
}
