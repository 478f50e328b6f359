package oauth

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"fhirgate/facade"
)

// outsideClaims are the claims of a provider's token: those of RFC 7519, and
// all of them by name.
type outsideClaims struct {
	jwt.Claims
	all map[string]any
}

// verifyOutside returns the consumer of a provider's token: the record that its
// client is registered as.
func (s *Server) verifyOutside(ctx context.Context, p *provider, c *compact) (*facade.Consumer, time.Time, error) {
	claims, err := s.checkOutside(ctx, p, c)
	if err != nil {
		return nil, time.Time{}, err
	}
	name := p.client(claims)
	if name == "" || len(name) > maxCredential {
		return nil, time.Time{}, unknown(errors.New("it names no client"))
	}
	client, err := s.clients.External(ctx, p.Issuer, name)
	if err != nil {
		return nil, time.Time{}, err
	}
	until := claims.Expiry.Time()
	consumer, err := s.consumer(client, until)
	if err != nil {
		return nil, time.Time{}, err
	}
	consumer.Way = facade.WayProvider
	consumer.Scopes = readScopes(bounded(p.scopes(claims)))
	consumer.User = p.user(claims, name)
	consumer.Patient, consumer.PatientHospital = p.patient(claims, s.base)
	return consumer, until, nil
}

func (s *Server) checkOutside(ctx context.Context, p *provider, c *compact) (*outsideClaims, error) {
	switch {
	case !c.typed("", "jwt", "at+jwt"):
		return nil, unknown(errors.New("it is not an access token"))
	case !slices.Contains(p.algorithms, c.header.Algorithm):
		return nil, unknown(errors.New("its alg is not one of its issuer's"))
	}
	keys, err := p.keys.find(ctx, c.header.KeyID, c.header.Algorithm)
	if err != nil {
		return nil, err
	}
	claims := &outsideClaims{}
	if err := c.verify(keys, p.algorithms, &claims.Claims, &claims.all); err != nil {
		return nil, unknown(err)
	}
	if err := checkTimes(claims.Claims, s.now()); err != nil {
		return nil, unknown(err)
	}
	if claims.Issuer != p.Issuer || !claims.Audience.Contains(p.Audience) {
		return nil, unknown(errors.New("its aud is not ours"))
	}
	return claims, nil
}

// text returns a claim that is text, or "".
func (c *outsideClaims) text(name string) string {
	text, _ := c.all[name].(string)
	return text
}

// first returns the first of the claims that is text and not empty.
func (c *outsideClaims) first(names ...string) string {
	for _, name := range names {
		if text := c.text(name); text != "" {
			return text
		}
	}
	return ""
}

func (p *provider) client(c *outsideClaims) string {
	if p.ClientClaim != "" {
		return c.text(p.ClientClaim)
	}
	return c.first("azp", "client_id", "sub")
}

// scopes returns the scopes of a token: text with spaces, or a list.
func (p *provider) scopes(c *outsideClaims) []string {
	names := []string{p.ScopeClaim}
	if p.ScopeClaim == "" {
		names = []string{"scope", "scp"}
	}
	for _, name := range names {
		switch value := c.all[name].(type) {
		case string:
			return strings.Fields(value)
		case []any:
			var list []string
			for _, item := range value {
				if text, ok := item.(string); ok {
					list = append(list, strings.Fields(text)...)
				}
			}
			return list
		}
	}
	return nil
}

// user returns the person that a token stands for, if it does.
func (p *provider) user(c *outsideClaims, client string) string {
	if p.UserClaim != "" {
		return c.text(p.UserClaim)
	}
	if user := c.text("fhirUser"); user != "" {
		return user
	}
	if c.Subject != client {
		return c.Subject
	}
	return ""
}

// logicalID is the syntax of a resource's id (https://hl7.org/fhir/R4/datatypes.html#id).
var logicalID = regexp.MustCompile(`^[A-Za-z0-9.-]{1,64}$`)

// patient returns the patient of a token's context and the hospital whose
// patient that is. An id means something in one hospital only: the token must be
// for exactly one, by its aud, or it has no context.
func (p *provider) patient(c *outsideClaims, base string) (patient, hospital string) {
	patient = c.text(p.PatientClaim)
	if !logicalID.MatchString(patient) {
		return "", ""
	}
	for _, audience := range c.Audience {
		id, below := strings.CutPrefix(audience, base+"/")
		if !below || id == "" || strings.Contains(id, "/") {
			continue
		}
		if hospital != "" && hospital != id {
			return "", ""
		}
		hospital = id
	}
	if hospital == "" {
		return "", ""
	}
	return patient, hospital
}
