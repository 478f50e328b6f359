package upstream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// assertionLife is below the five minutes that SMART allows, so that clocks may
// differ a little.
const assertionLife = 4 * time.Minute

// SigningKeys yields the key to sign with now; *jwks.Signer is one that rotates.
type SigningKeys interface {
	SigningKey(ctx context.Context) (jose.SigningKey, error)
}

// assertion signs what a token endpoint wants to see.
type assertion interface {
	// client returns the client assertion of SMART Backend Services
	// (https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html).
	client(ctx context.Context, audience string, now time.Time) (string, error)
	// grant returns the assertion of the JWT bearer grant (RFC 7523 section 2.1),
	// with the scope as a claim, as Google has it.
	grant(ctx context.Context, audience string, scope []string, now time.Time) (string, error)
}

// keyAssertion is an assertion by a key that is fixed, or that keys tell.
type keyAssertion struct {
	clientID string
	keys     SigningKeys
}

// fixedKey is a key that does not rotate.
type fixedKey jose.SigningKey

// SigningKey returns the key.
func (f fixedKey) SigningKey(context.Context) (jose.SigningKey, error) {
	return jose.SigningKey(f), nil
}

// newAssertion returns the assertion of auth, nil for a kind that has none.
func newAssertion(auth Auth) (assertion, error) {
	if auth.Kind != "smart-backend" && auth.Kind != "jwt-bearer" {
		return nil, nil
	}
	if auth.Keys != nil {
		return &keyAssertion{clientID: auth.ClientID, keys: auth.Keys}, nil
	}
	key, err := parseKey(auth.Key)
	if err != nil {
		return nil, fmt.Errorf("the private key: %w", err)
	}
	if auth.KeyID != "" {
		key.KeyID = auth.KeyID
	}
	alg := jose.SignatureAlgorithm(auth.Alg)
	if alg == "" {
		alg = defaultAlg(key.Key)
	}
	a := &keyAssertion{clientID: auth.ClientID, keys: fixedKey{Algorithm: alg, Key: key}}
	if _, err := a.client(context.Background(), "urn:trial", time.Now()); err != nil {
		return nil, fmt.Errorf("the private key does not go with alg %s: %w", alg, err)
	}
	return a, nil
}

func (a *keyAssertion) client(ctx context.Context, audience string, now time.Time) (string, error) {
	return a.sign(ctx, jwt.Claims{
		Issuer:    a.clientID,
		Subject:   a.clientID,
		Audience:  jwt.Audience{audience},
		ID:        rand.Text(),
		IssuedAt:  jwt.NewNumericDate(now),
		NotBefore: jwt.NewNumericDate(now),
		Expiry:    jwt.NewNumericDate(now.Add(assertionLife)),
	})
}

func (a *keyAssertion) grant(ctx context.Context, audience string, scope []string, now time.Time) (string, error) {
	return a.sign(ctx, struct {
		jwt.Claims
		Scope string `json:"scope,omitempty"`
	}{
		jwt.Claims{
			Issuer:   a.clientID,
			Audience: jwt.Audience{audience},
			IssuedAt: jwt.NewNumericDate(now),
			Expiry:   jwt.NewNumericDate(now.Add(assertionLife)),
		},
		strings.Join(scope, " "),
	})
}

func (a *keyAssertion) sign(ctx context.Context, claims any) (string, error) {
	key, err := a.keys.SigningKey(ctx)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// parseKey reads a private key as JWK (RFC 7517) or PEM (PKCS #8, PKCS #1 or
// SEC 1).
func parseKey(text string) (jose.JSONWebKey, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		var key jose.JSONWebKey
		if err := json.Unmarshal([]byte(text), &key); err != nil {
			return key, errors.New("is not a JWK")
		}
		if key.IsPublic() || !key.Valid() {
			return key, errors.New("is not a private JWK")
		}
		return key, nil
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return jose.JSONWebKey{}, errors.New("is neither PEM nor JWK")
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return jose.JSONWebKey{Key: key}, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return jose.JSONWebKey{Key: key}, nil
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return jose.JSONWebKey{Key: key}, nil
	}
	return jose.JSONWebKey{}, errors.New("is not a private key in PKCS #8, PKCS #1 or SEC 1 form")
}

func defaultAlg(key any) jose.SignatureAlgorithm {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return jose.RS384
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return jose.ES256
		}
	}
	return jose.ES384
}
