package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const (
	// DefaultAlg is the algorithm of a ring that names none: SMART App Launch
	// asks servers for RS384 and ES384, and every vendor takes the first.
	DefaultAlg = jose.RS384
	// DefaultBits is the size of an RSA key that names none.
	DefaultBits = 3072
	minBits     = 2048
	maxBits     = 4096
)

// ErrInvalid is returned for a ring that cannot be made as it is wanted.
var ErrInvalid = errors.New("invalid")

// curve returns the curve of an elliptic algorithm, nil for RSA (RFC 7518
// sections 3.3 and 3.4).
func curve(alg jose.SignatureAlgorithm) (elliptic.Curve, error) {
	switch alg {
	case jose.RS256, jose.RS384:
		return nil, nil
	case jose.ES256:
		return elliptic.P256(), nil
	case jose.ES384:
		return elliptic.P384(), nil
	default:
		return nil, fmt.Errorf("%w: the algorithm must be RS384, ES384, RS256 or ES256", ErrInvalid)
	}
}

// generate makes a private key. None has a kid that begins with "-", which
// command lines take for a flag.
func generate(alg jose.SignatureAlgorithm, bits int) (jose.JSONWebKey, error) {
	c, err := curve(alg)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	for {
		var private crypto.Signer
		if c == nil {
			private, err = rsa.GenerateKey(rand.Reader, bits)
		} else {
			private, err = ecdsa.GenerateKey(c, rand.Reader)
		}
		if err != nil {
			return jose.JSONWebKey{}, err
		}
		kid, err := thumbprint(private)
		if err != nil || !strings.HasPrefix(kid, "-") {
			return jose.JSONWebKey{Key: private, KeyID: kid, Algorithm: string(alg), Use: "sig"}, err
		}
	}
}

// thumbprint returns the kid of a key (RFC 7638, SHA-256).
func thumbprint(key any) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

// public returns the public half of a key, with the members that a set needs
// and no other.
func public(key jose.JSONWebKey) jose.JSONWebKey {
	half := key.Public()
	return jose.JSONWebKey{Key: half.Key, KeyID: key.KeyID, Algorithm: key.Algorithm, Use: "sig"}
}

// checkAlg returns the algorithm that a key of a file signs with: its own if it
// goes with the key, else the default for its kind.
func checkAlg(key jose.JSONWebKey) (jose.SignatureAlgorithm, error) {
	alg := jose.SignatureAlgorithm(key.Algorithm)
	switch k := key.Public().Key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minBits {
			return "", fmt.Errorf("an RSA key must have %d bits or more", minBits)
		}
		if alg == "" {
			return DefaultAlg, nil
		}
		if alg == jose.RS256 || alg == jose.RS384 {
			return alg, nil
		}
	case *ecdsa.PublicKey:
		fitting := map[elliptic.Curve]jose.SignatureAlgorithm{elliptic.P256(): jose.ES256, elliptic.P384(): jose.ES384}[k.Curve]
		if fitting != "" && (alg == "" || alg == fitting) {
			return fitting, nil
		}
	}
	return "", errors.New("a key must be RSA for RS256 or RS384, P-256 for ES256 or P-384 for ES384")
}
