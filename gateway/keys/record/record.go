// Package record is what is written down of a consumer: its [Key], as the store
// keeps it and the admin API shows it.
package record

import (
	"encoding/json"
	"net/netip"
	"time"
)

// Kind says what a consumer shows to be let in.
type Kind string

// The kinds of consumers. Certificates may be registered with any of them.
const (
	KindKey         Kind = "key"         // its secrets are API keys
	KindClient      Kind = "client"      // an OAuth 2.0 client: the id is its client_id, it has client secrets, a JWK set or both
	KindExternal    Kind = "external"    // a subject of an outside identity provider
	KindCertificate Kind = "certificate" // client certificates alone (mutual TLS)
)

// Kinds are all kinds.
func Kinds() []Kind { return []Kind{KindKey, KindClient, KindExternal, KindCertificate} }

// Key is the record of a consumer and its credentials. Its id names the
// consumer in logs and limits, and outlives its credentials.
type Key struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"` // for people
	Plan    string    `json:"plan"`
	Kind    Kind      `json:"kind"` // records of before kinds are KindKey
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero = never
	Revoked time.Time `json:"revoked,omitzero"` // zero = not revoked
	Secrets []Secret  `json:"secrets"`          // the newest last

	Hospitals    []string        `json:"hospitals,omitempty"`    // of those that the plan reaches; empty = all of them
	AllowFrom    []netip.Prefix  `json:"allow_from,omitempty"`   // addresses that may use it; empty = all
	JWKS         json.RawMessage `json:"jwks,omitempty"`         // public keys of a client (RFC 7517)
	JWKSURL      string          `json:"jwks_url,omitempty"`     // where they are fetched instead
	Certificates []Certificate   `json:"certificates,omitempty"` // the newest last
	Issuer       string          `json:"issuer,omitempty"`       // of a KindExternal: iss and
	Subject      string          `json:"subject,omitempty"`      // sub of its tokens

	// LastUsed is when a credential of it was last taken, to the minute or so;
	// zero = never. It is stored apart from the record.
	LastUsed time.Time `json:"last_used,omitzero"`
}

// Secret is one secret of a key: the hash under which Tyk keeps it, and a hint
// by which people tell it.
type Secret struct {
	Hash    string    `json:"hash"`
	Hint    string    `json:"hint"` // the last four characters
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // from then on it works no more: Until, or the end of the key
	Until   time.Time `json:"until,omitzero"`   // end of a rotation's grace; zero = none
}

// Certificate is a client certificate that a consumer may present.
type Certificate struct {
	SHA256   string    `json:"sha256"`             // of its DER form, lower-case hex
	NotAfter time.Time `json:"not_after,omitzero"` // its own end; zero when only the fingerprint was given
	Added    time.Time `json:"added"`
	Until    time.Time `json:"until,omitzero"` // from then on it counts no more; zero = no such end
}

// Status tells in a word whether the key works at the given time.
func (k *Key) Status(now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked"
	case Ended(k.Expires, now):
		return "expired"
	default:
		return "active"
	}
}

// Certificate returns the certificate of a fingerprint, if it counts at the
// given time.
func (k *Key) Certificate(fingerprint string, now time.Time) (Certificate, bool) {
	for _, c := range k.Certificates {
		if c.SHA256 == fingerprint && !Ended(c.Until, now) {
			return c, true
		}
	}
	return Certificate{}, false
}

// Ended reports whether an end, zero for none, has come.
func Ended(end, now time.Time) bool { return !end.IsZero() && !now.Before(end) }
