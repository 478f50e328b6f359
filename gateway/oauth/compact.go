package oauth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"

	"fhirgate/facade"
)

const (
	// maxCompact bounds tokens and assertions, in bytes.
	maxCompact = 16 << 10
	// minRSA is the size of the smallest RSA key that counts, in bits (RFC 7518
	// section 3.3).
	minRSA = 2048
)

// compact is a JWT in compact form (RFC 7515 section 7.1), taken apart but not
// verified. Its JSON is read as go-jose does: names by their exact case, and
// none twice.
type compact struct {
	text   string
	header struct {
		Algorithm jose.SignatureAlgorithm `json:"alg"`
		KeyID     string                  `json:"kid"`
		Type      string                  `json:"typ"`
		SetURL    string                  `json:"jku"`
		Critical  json.RawMessage         `json:"crit"`
	}
	issuer string // only claimed
}

// takeApart reads a token. Each of its parts must be the one and only encoding
// of what it says, so that no other text is the same token.
func takeApart(text string) (*compact, error) {
	if len(text) > maxCompact {
		return nil, errors.New("it is larger than 16 KiB")
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, errors.New("it is not a JWS in compact form")
	}
	var decoded [3][]byte
	for i, part := range parts {
		data, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || base64.RawURLEncoding.EncodeToString(data) != part {
			return nil, errors.New("it is not encoded as base64url")
		}
		decoded[i] = data
	}
	c := &compact{text: text}
	if err := json.Unmarshal(decoded[0], &c.header); err != nil {
		return nil, errors.New("its header is not JSON as it must be")
	}
	if c.header.Critical != nil {
		return nil, errors.New("it has critical extensions, of which none is known (RFC 7515 section 4.1.11)")
	}
	var claimed struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(decoded[1], &claimed); err != nil {
		return nil, errors.New("its payload is not JSON as it must be")
	}
	c.issuer = claimed.Issuer
	return c, nil
}

// typed tells whether the token's typ is one of the given, in any case and with
// or without "application/" (RFC 7515 section 4.1.9). "" stands for none.
func (c *compact) typed(types ...string) bool {
	is := strings.TrimPrefix(strings.ToLower(c.header.Type), "application/")
	for _, typ := range types {
		if is == typ {
			return true
		}
	}
	return false
}

// verify reads the claims of a token that one of the keys has signed, by one of
// the algorithms, in as many forms as wanted.
func (c *compact) verify(keys []jose.JSONWebKey, algorithms []jose.SignatureAlgorithm, claims ...any) error {
	signed, err := jose.ParseSignedCompact(c.text, algorithms)
	if err != nil {
		return errors.New("it is not a JWS that is signed by an algorithm in use")
	}
	for _, key := range keys {
		payload, err := signed.Verify(key.Key)
		if err != nil {
			continue
		}
		for _, form := range claims {
			if err := json.Unmarshal(payload, form); err != nil {
				return errors.New("its claims are not of the right types")
			}
		}
		return nil
	}
	return errors.New("no key in use has signed it")
}

// candidates returns the keys of a set that may have signed a token: those of
// its kid, or the only one when it names none.
func candidates(set []jose.JSONWebKey, kid string, alg jose.SignatureAlgorithm) []jose.JSONWebKey {
	var found []jose.JSONWebKey
	for _, key := range set {
		if (kid == "" || key.KeyID == kid) && (key.Use == "" || key.Use == "sig") && (key.Algorithm == "" || key.Algorithm == string(alg)) && fits(key.Key, alg) {
			found = append(found, key)
		}
	}
	if kid == "" && len(found) > 1 {
		return nil
	}
	return found
}

// fits tells whether a public key goes with an algorithm (RFC 7518 section 3.1,
// RFC 8037). No secret fits any.
func fits(key any, alg jose.SignatureAlgorithm) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		switch alg {
		case jose.RS256, jose.RS384, jose.PS256, jose.PS384:
			return k.N.BitLen() >= minRSA
		}
	case *ecdsa.PublicKey:
		return alg == jose.ES256 && k.Curve == elliptic.P256() || alg == jose.ES384 && k.Curve == elliptic.P384()
	case ed25519.PublicKey:
		return alg == jose.EdDSA
	}
	return false
}

// checkTimes tells whether a token is in force, as far as clocks agree.
func checkTimes(c jwt.Claims, now time.Time) error {
	switch {
	case c.Expiry == nil:
		return errors.New("it has no exp")
	case !now.Before(c.Expiry.Time().Add(skew)):
		return fmt.Errorf("it has expired: %w", facade.ErrEnded)
	case c.NotBefore != nil && now.Add(skew).Before(c.NotBefore.Time()):
		return errors.New("its nbf is in the future")
	case c.IssuedAt != nil && now.Add(skew).Before(c.IssuedAt.Time()):
		return errors.New("its iat is in the future")
	default:
		return nil
	}
}
