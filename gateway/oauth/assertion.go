package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/big"
	"net/netip"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/redis/go-redis/v9"

	"fhirgate/facade"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523 section 2.2
	assertionLife = 5 * time.Minute                                          // the longest, by SMART
	usedPrefix    = "fhirgate:assertion:"                                    // + hash of client and jti
)

// assertionAlgorithms are those that SMART has for clients.
var assertionAlgorithms = []jose.SignatureAlgorithm{jose.RS384, jose.ES384}

// byAssertion returns the client that signed an assertion
// (https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html).
func (s *Server) byAssertion(ctx context.Context, shown credentials, from netip.Addr) (*Client, error) {
	if after, slowed := s.slowed(from); slowed {
		return nil, slowDown(after)
	}
	client, err := s.checkAssertion(ctx, shown)
	var wrong *wrongAssertion
	if errors.As(err, &wrong) {
		s.failed(from)
		refused := notAuthenticated("the assertion is not valid: " + wrong.reason)
		refused.consumer = wrong.consumer
		return nil, refused
	}
	return client, err
}

// wrongAssertion is why an assertion shows nothing.
type wrongAssertion struct {
	reason   string
	consumer string // once the signature has shown who it is
}

func (w *wrongAssertion) Error() string { return w.reason }

func (s *Server) checkAssertion(ctx context.Context, shown credentials) (*Client, error) {
	c, err := takeApart(shown.assertion)
	if err != nil {
		return nil, &wrongAssertion{reason: err.Error()}
	}
	id := c.issuer
	switch {
	case shown.clientID != "" && shown.clientID != id:
		return nil, malformed("client_id is not the iss of the assertion")
	case !c.typed("", "jwt", "client-authentication+jwt"):
		return nil, &wrongAssertion{reason: "its typ is not JWT"}
	case !slices.Contains(assertionAlgorithms, c.header.Algorithm):
		return nil, &wrongAssertion{reason: "its alg is neither RS384 nor ES384"}
	case c.header.KeyID == "":
		return nil, &wrongAssertion{reason: "it has no kid"}
	case id == "" || len(id) > maxCredential:
		return nil, &wrongAssertion{reason: "its iss is not a client id"}
	}
	client, err := s.clients.Client(ctx, id)
	if err != nil && !errors.Is(err, facade.ErrUnknownKey) {
		return nil, err
	}
	keys := s.clientKeys(ctx, client, c)
	known := len(keys) > 0
	if !known { // takes as long as a signature that is wrong
		keys = []jose.JSONWebKey{s.dummies[c.header.Algorithm]}
	}
	var claims jwt.Claims
	if err = c.verify(keys, assertionAlgorithms, &claims); err == nil && !known {
		err = errors.New("the client has no such key")
	}
	if err != nil {
		return nil, &wrongAssertion{reason: err.Error()}
	}
	if err := s.checkClaims(claims); err != nil {
		return nil, &wrongAssertion{reason: err.Error(), consumer: client.KeyID}
	}
	fresh, err := s.used.take(ctx, id, claims.ID, claims.Expiry.Time())
	if err == nil && !fresh {
		err = &wrongAssertion{reason: "it was used before", consumer: client.KeyID}
	}
	return client, err
}

// clientKeys returns the keys of a client that may have signed an assertion.
func (s *Server) clientKeys(ctx context.Context, client *Client, c *compact) []jose.JSONWebKey {
	switch {
	case client == nil || c.header.SetURL != "" && c.header.SetURL != client.JWKSURL:
		return nil // SMART wants a jku to be the registered one
	case client.JWKS != nil:
		return candidates(client.JWKS.Keys, c.header.KeyID, c.header.Algorithm)
	case client.JWKSURL == "":
		return nil
	}
	keys, err := s.remotes.of(client.JWKSURL).find(ctx, c.header.KeyID, c.header.Algorithm)
	if err != nil {
		s.log.Warn("the keys of a client cannot be fetched", "consumer", client.KeyID, "problem", err)
	}
	return keys
}

func (s *Server) checkClaims(claims jwt.Claims) error {
	if err := checkTimes(claims, s.now()); err != nil {
		return err
	}
	latest := s.now().Add(assertionLife + skew)
	switch {
	case claims.Expiry.Time().After(latest):
		return errors.New("its exp is more than five minutes ahead")
	case claims.IssuedAt != nil && claims.Expiry.Time().Sub(claims.IssuedAt.Time()) > assertionLife+skew:
		return errors.New("it was made more than five minutes before its exp")
	case claims.Subject != claims.Issuer:
		return errors.New("its sub is not its iss")
	case len(claims.Audience) != 1 || claims.Audience[0] != s.issuer && claims.Audience[0] != s.issuer+TokenPath:
		return errors.New("its aud is neither the token endpoint nor the issuer")
	case claims.ID == "":
		return errors.New("it has no jti")
	default:
		return nil
	}
}

// usedAssertions remembers assertions for as long as they could be sent again.
type usedAssertions struct {
	redis redis.UniversalClient
	now   func() time.Time
}

// take tells whether the assertion is used for the first time, on any node.
func (u *usedAssertions) take(ctx context.Context, client, jti string, until time.Time) (bool, error) {
	sum := sha256.Sum256([]byte(client + "\x00" + jti))
	life := max(until.Add(2*skew).Sub(u.now()), time.Second)
	return u.redis.SetNX(ctx, usedPrefix+hex.EncodeToString(sum[:]), "1", life).Result()
}

// dummyKeys returns a key for each algorithm of assertions. Nobody has their
// private halves.
func dummyKeys() (map[jose.SignatureAlgorithm]jose.JSONWebKey, error) {
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return nil, err
	}
	modulus := make([]byte, minRSA/8)
	_, _ = rand.Read(modulus)
	modulus[0] |= 0x80
	modulus[len(modulus)-1] |= 1
	return map[jose.SignatureAlgorithm]jose.JSONWebKey{
		jose.ES384: {Key: ec.Public()},
		jose.RS384: {Key: &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: 65537}},
	}, nil
}
