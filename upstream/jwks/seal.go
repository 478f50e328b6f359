package jwks

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"fhirgate/internal/envelope"
)

// ErrSealed is returned for a private key that this node cannot open: it was
// sealed with a key-encryption key that the node does not have, or was changed.
var ErrSealed = errors.New("a private key cannot be opened")

// content is what is sealed of a key. The ring in it keeps the key from being
// moved to another one.
type content struct {
	Ring string          `json:"ring"`
	Key  jose.JSONWebKey `json:"key"`
}

// sealKey returns the private key of a ring as a compact JWE.
func sealKey(with *envelope.Keys, ring string, key jose.JSONWebKey) (string, error) {
	plain, err := json.Marshal(content{ring, key})
	if err != nil {
		return "", err
	}
	return with.Seal(plain)
}

// openKey returns the private key that sealKey has sealed for the ring, or an
// ErrSealed.
func openKey(with *envelope.Keys, ring *Ring, key Key) (jose.JSONWebKey, error) {
	fail := func(why string) (jose.JSONWebKey, error) {
		return jose.JSONWebKey{}, fmt.Errorf("%w: ring %s, key %s: %s", ErrSealed, ring.Name, key.KID, why)
	}
	plain, err := with.Open(key.Sealed)
	switch {
	case errors.Is(err, envelope.ErrUnknownKey):
		return fail("it was sealed with another key-encryption key than this node has; give all nodes the same file")
	case err != nil:
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
