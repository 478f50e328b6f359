package oauth

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// maxKeys bounds a client's own key set.
const maxKeys = 20

// CheckJWKS reads the key set of a client (RFC 7517 section 5): 1 to 20 public
// keys for RS384 (RSA of 2048 bits or more) or ES384 (P-384), each with a kid of
// its own. Its errors are for whoever registers the client, and hold no value.
func CheckJWKS(data []byte) (jose.JSONWebKeySet, error) {
	raw, err := splitSet(data)
	switch {
	case err != nil:
		return jose.JSONWebKeySet{}, err
	case len(raw) == 0 || len(raw) > maxKeys:
		return jose.JSONWebKeySet{}, fmt.Errorf("a key set must have 1 to %d keys", maxKeys)
	}
	var set jose.JSONWebKeySet
	for i, text := range raw {
		key, err := checkClientKey(text)
		if err == nil && len(set.Key(key.KeyID)) > 0 {
			err = errors.New("another key has its kid")
		}
		if err != nil {
			return jose.JSONWebKeySet{}, fmt.Errorf("key %d of the set: %w", i+1, err)
		}
		set.Keys = append(set.Keys, key)
	}
	return set, nil
}

// CheckJWKSURL tells whether a client's keys may be at the URL: https, without a
// user and a fragment.
func CheckJWKSURL(text string) error { return checkURL(text, false) }

// splitSet returns the keys of a set, unread.
func splitSet(data []byte) ([]json.RawMessage, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, errors.New("it is not a JWK set")
	}
	if set.Keys == nil {
		return nil, errors.New("it is not a JWK set: keys is missing")
	}
	return set.Keys, nil
}

func checkClientKey(text []byte) (jose.JSONWebKey, error) {
	var key jose.JSONWebKey
	var secret struct {
		Private   json.RawMessage `json:"d"`
		Symmetric json.RawMessage `json:"k"`
	}
	switch {
	case json.Unmarshal(text, &secret) != nil:
		return key, errors.New("it is not a JWK")
	case secret.Private != nil:
		return key, errors.New("it is a private key, which nobody else may have: make another, and register its public half")
	case secret.Symmetric != nil:
		return key, errors.New("it is symmetric, and must be a public key")
	case json.Unmarshal(text, &key) != nil || !key.Valid() || !key.IsPublic():
		return key, errors.New("it is not a public key in JWK form")
	case key.KeyID == "" || len(key.KeyID) > maxCredential:
		return key, errors.New("it must have a kid of 1 to 256 characters")
	case key.Use != "" && key.Use != "sig":
		return key, errors.New("its use must be sig")
	}
	for _, alg := range assertionAlgorithms {
		if fits(key.Key, alg) && (key.Algorithm == "" || key.Algorithm == string(alg)) {
			return jose.JSONWebKey{Key: key.Key, KeyID: key.KeyID, Algorithm: string(alg), Use: "sig"}, nil
		}
	}
	return key, errors.New("it must be RSA of 2048 bits or more for RS384, or P-384 for ES384")
}

// readKeys returns the public keys of a set that was fetched. Those that are not
// understood are left out (RFC 7517 section 5).
func readKeys(data []byte) ([]jose.JSONWebKey, error) {
	raw, err := splitSet(data)
	if err != nil {
		return nil, err
	}
	var keys []jose.JSONWebKey
	for _, text := range raw {
		var key jose.JSONWebKey
		if json.Unmarshal(text, &key) == nil && key.Valid() && key.IsPublic() {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// checkURL tells whether something may be fetched from a URL.
func checkURL(text string, plain bool) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return errors.New("it is not a URL with a host")
	case u.User != nil || u.Fragment != "":
		return errors.New("it must have neither a user nor a fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !plain):
		return errors.New("it must be https")
	default:
		return nil
	}
}
