package oauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"fhirgate/facade"
)

// Verify returns the consumer of an access token, and until when the token is
// good. Its error is a facade.ErrUnknownKey for a token that gives no access,
// with a reason for the log, and any other when it cannot tell.
func (s *Server) Verify(ctx context.Context, token string) (*facade.Consumer, time.Time, error) {
	c, err := takeApart(token)
	if err != nil {
		return nil, time.Time{}, unknown(err)
	}
	if c.issuer == s.issuer {
		return s.verifyOwn(ctx, c)
	}
	if p := s.providers[c.issuer]; p != nil {
		return s.verifyOutside(ctx, p, c)
	}
	return nil, time.Time{}, unknown(errors.New("its issuer is not configured"))
}

// unknown says that a token gives no access, and why.
func unknown(reason error) error {
	return fmt.Errorf("%w: the token does not count: %w", facade.ErrUnknownKey, reason)
}

func (s *Server) verifyOwn(ctx context.Context, c *compact) (*facade.Consumer, time.Time, error) {
	claims, err := s.checkOwn(ctx, c)
	if err != nil {
		return nil, time.Time{}, err
	}
	revoked, err := s.clients.TokenRevoked(ctx, claims.ID)
	if err != nil {
		return nil, time.Time{}, err
	}
	if revoked {
		return nil, time.Time{}, unknown(fmt.Errorf("it was revoked: %w", facade.ErrEnded))
	}
	client, err := s.clients.Client(ctx, claims.ClientID)
	if err != nil {
		return nil, time.Time{}, err
	}
	until := claims.Expiry.Time()
	consumer, err := s.consumer(client, until)
	if err != nil {
		return nil, time.Time{}, err
	}
	consumer.Way, consumer.Scopes = facade.WayToken, readScopes(bounded(strings.Fields(claims.Scope)))
	return consumer, until, nil
}

// readOwn returns the claims of a token of ours that is in force.
func (s *Server) readOwn(ctx context.Context, token string) (*ownClaims, error) {
	c, err := takeApart(token)
	if err != nil {
		return nil, unknown(err)
	}
	return s.checkOwn(ctx, c)
}

func (s *Server) checkOwn(ctx context.Context, c *compact) (*ownClaims, error) {
	if c.header.Type != tokenType || c.header.KeyID == "" {
		return nil, unknown(errors.New("it is not an access token"))
	}
	keys, err := s.keys.public(ctx)
	if err != nil {
		return nil, err
	}
	var claims ownClaims
	algorithms := []jose.SignatureAlgorithm{jose.ES384}
	if err := c.verify(candidates(keys, c.header.KeyID, jose.ES384), algorithms, &claims); err != nil {
		return nil, unknown(err)
	}
	if err := checkTimes(claims.Claims, s.now()); err != nil {
		return nil, unknown(err)
	}
	switch {
	case claims.Issuer != s.issuer:
		err = errors.New("its iss is not ours")
	case !claims.Audience.Contains(s.base):
		err = errors.New("its aud is not ours")
	case claims.ID == "" || claims.ClientID == "" || claims.Subject != claims.ClientID:
		err = errors.New("it lacks a claim")
	}
	if err != nil {
		return nil, unknown(err)
	}
	return &claims, nil
}

// consumer returns what a record is to the facade, for a token that ends at
// until.
func (s *Server) consumer(client *Client, until time.Time) (*facade.Consumer, error) {
	if client.expired(s.now()) {
		return nil, unknown(fmt.Errorf("the consumer's record has expired: %w", facade.ErrEnded))
	}
	if !client.Expires.IsZero() && client.Expires.Before(until) {
		until = client.Expires
	}
	return &facade.Consumer{
		KeyID: client.KeyID, Name: client.Name, PlanID: client.PlanID,
		Expires: until, Hospitals: client.Hospitals, AllowFrom: client.AllowFrom, Certificates: client.Certificates,
	}, nil
}
