package developer

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

// How long before its end a credential is reminded of at most, and how long before
// that becomes urgent.
const (
	remindBefore = 30 * 24 * time.Hour
	urgentBefore = 7 * 24 * time.Hour
)

// ownCredential is a credential that its reader may see.
type ownCredential struct {
	store.Credential
	now time.Time
}

// Status is the state as people see it: what is active here may have come to
// its end.
func (c ownCredential) Status() string {
	if c.State == store.CredentialActive && record.Ended(c.Expires, c.now) {
		return "expired"
	}
	return string(c.State)
}

// Works reports whether calls with the credential are taken.
func (c ownCredential) Works() bool {
	return c.Credential.Works(c.now)
}

// Settled reports whether it works and nothing is under way, so that it can be
// changed.
func (c ownCredential) Settled() bool { return c.State == store.CredentialActive && c.Works() }

// Revocable reports whether there is something to revoke.
func (c ownCredential) Revocable() bool {
	return c.State == store.CredentialActive || c.State == store.CredentialRotating || c.State == store.CredentialLost
}

// Gone reports whether it was ended, or never came to be.
func (c ownCredential) Gone() bool {
	return c.State == store.CredentialRevoked || c.State == store.CredentialFailed
}

// Lost reports whether the gateway does not know it.
func (c ownCredential) Lost() bool { return c.State == store.CredentialLost }

// HasSecret reports whether it has a secret that could be rotated; a client that
// signs with its own keys has none.
func (c ownCredential) HasSecret() bool { return len(c.Hints) > 0 }

// IsClient reports whether it is an OAuth client.
func (c ownCredential) IsClient() bool { return c.Kind == string(record.KindClient) }

// KindName is the kind in words.
func (c ownCredential) KindName() string {
	switch {
	case c.Kind == string(record.KindKey):
		return "API key"
	case c.IsClient() && c.HasSecret():
		return "OAuth client"
	case c.IsClient():
		return "OAuth client, own keys"
	default:
		return c.Kind
	}
}

// Secrets are the secrets that still work, the newest first.
func (c ownCredential) Secrets() []store.SecretHint {
	working := slices.DeleteFunc(slices.Clone(c.Hints), func(h store.SecretHint) bool { return record.Ended(h.Until, c.now) })
	slices.SortStableFunc(working, func(a, b store.SecretHint) int { return b.Created.Compare(a.Created) })
	return working
}

// Hint is the end of the newest secret, "" when there is none.
func (c ownCredential) Hint() string {
	if secrets := c.Secrets(); len(secrets) > 0 {
		return "…" + secrets[0].Hint
	}
	return ""
}

// EndsTone is how urgent the end is: "", warn or bad. It is "" until the last third
// of a life: one of 30 days would be about to end from its first day on.
func (c ownCredential) EndsTone() string {
	left, life := c.Expires.Sub(c.now), c.Expires.Sub(c.Created)
	switch {
	case c.Expires.IsZero() || !c.Works() || left > min(remindBefore, life/3):
		return ""
	case left > urgentBefore:
		return "warn"
	default:
		return "bad"
	}
}

func (p *Pages) own(found []store.Credential) []ownCredential {
	now := p.now()
	all := make([]ownCredential, len(found))
	for i, c := range found {
		all[i] = ownCredential{Credential: c, now: now}
	}
	return all
}

// credentialsOf returns the credentials of all apps of a user, those that work
// first.
func (p *Pages) credentialsOf(ctx context.Context, userID string) ([]ownCredential, error) {
	found, err := p.store.CredentialsOf(ctx, userID)
	return byUse(p.own(found)), err
}

// byUse puts what works first, and of that the newest.
func byUse(all []ownCredential) []ownCredential {
	slices.SortStableFunc(all, func(a, b ownCredential) int {
		return cmp.Or(compareBools(b.Works(), a.Works()), b.Created.Compare(a.Created))
	})
	return all
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// lines splits a text into its lines, without those that are empty.
func lines(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			found = append(found, line)
		}
	}
	return found
}
