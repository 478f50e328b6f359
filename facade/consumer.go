package facade

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"fhirgate/policies"
	"fhirgate/policies/smart"
	"fhirgate/routes"
)

// Consumer is who calls. It is shared between calls and never changed.
type Consumer struct {
	KeyID   string    // public id of the record
	Name    string    // for people; of the record
	PlanID  string    // names a plan of the snapshot
	Expires time.Time // of the credential or the record, whichever is earlier; zero = never
	Way     Way       // how the credential was presented

	Scopes          *smart.Scopes // of the token, within the plan's; nil = the plan's alone
	User            string        // the person that a token stands for; "" = none
	Patient         string        // logical id of the patient in a token's context; "" = none
	PatientHospital string        // route id of the hospital whose patient that is

	Hospitals    []string       // route ids that the record is narrowed to; empty = all that its plan reaches
	AllowFrom    []netip.Prefix // addresses that may use the record; empty = all
	Certificates []string       // SHA-256 fingerprints (lower-case hex) of the client certificates registered with the record
}

// reaches reports whether the consumer may call a hospital at all: its plan
// reaches it, and its record is not narrowed to others.
func (c *Consumer) reaches(plan *policies.Plan, hospital *routes.Route) bool {
	return plan.Reaches(hospital.ID, hospital.Environment) &&
		(len(c.Hospitals) == 0 || slices.Contains(c.Hospitals, hospital.ID))
}

// Way is how a caller shows who it is.
type Way string

// The ways in.
const (
	WayKey         Way = "api-key"           // a key of ours, as Bearer token or in X-Api-Key
	WayToken       Way = "token"             // a token of our authorization server
	WayProvider    Way = "identity-provider" // a token of an outside identity provider
	WayCertificate Way = "certificate"       // a client certificate alone (RFC 8446 section 4.4.2)
)

// Consumers finds who a credential belongs to. Each method returns
// ErrUnknownKey for one that gives no access, a *SlowedError for one that was
// not looked at because too many of its sender's were wrong, and any other error
// when it cannot tell. from is the caller's address.
type Consumers interface {
	Key(ctx context.Context, secret string, from netip.Addr) (*Consumer, error)
	Token(ctx context.Context, token string, from netip.Addr) (*Consumer, error)
	// Certificate finds the consumer by the SHA-256 fingerprint (lower-case hex) of
	// a certificate that the TLS handshake has verified.
	Certificate(ctx context.Context, fingerprint string, from netip.Addr) (*Consumer, error)
}

// ErrUnknownKey is returned for a credential that gives no access.
var ErrUnknownKey = errors.New("unknown or revoked key")

// ErrEnded is wrapped beside ErrUnknownKey for a token that was good once: its
// signature is. Whoever shows it guesses nothing.
var ErrEnded = errors.New("it was good once")

// SlowedError is returned for a credential that was not looked at.
type SlowedError struct {
	After time.Duration // when the sender may try again
}

// Error says that the sender guesses.
func (e *SlowedError) Error() string { return "too many unknown credentials came from this address" }
