package upstream

import (
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

// assertionSigner makes the client assertions of SMART Backend Services
// (https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html).
type assertionSigner struct {
	clientID string
	signer   jose.Signer
}

func newAssertionSigner(auth Auth) (*assertionSigner, error) {
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
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("the private key does not go with alg %s: %w", alg, err)
	}
	s := &assertionSigner{clientID: auth.ClientID, signer: signer}
	if _, err := s.sign("urn:trial", time.Now()); err != nil {
		return nil, fmt.Errorf("the private key does not go with alg %s: %w", alg, err)
	}
	return s, nil
}

// sign returns an assertion for the token endpoint audience.
func (s *assertionSigner) sign(audience string, now time.Time) (string, error) {
	return jwt.Signed(s.signer).Claims(jwt.Claims{
		Issuer:    s.clientID,
		Subject:   s.clientID,
		Audience:  jwt.Audience{audience},
		ID:        rand.Text(),
		IssuedAt:  jwt.NewNumericDate(now),
		NotBefore: jwt.NewNumericDate(now),
		Expiry:    jwt.NewNumericDate(now.Add(assertionLife)),
	}).Serialize()
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
