package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"fhirgate/gateway/engine"
	"fhirgate/gateway/keys/record"
)

// Changes are what Update changes of a key; nil and "" leave things as they are.
type Changes struct {
	Name      *string
	Plan      *string         // the caller has checked it
	Hospitals *[]string       // checked likewise; empty = all that the plan reaches
	AllowFrom *[]netip.Prefix // empty = from everywhere
	Expires   *time.Time      // zero = never
	JWKS      json.RawMessage // takes the place of the keys of before, inline or by URL
	JWKSURL   *string         // likewise; "" = no keys any more

	AddCertificate    string         // in PEM form, or its SHA-256 fingerprint
	CertificateGrace  *time.Duration // how long the other certificates work on; nil = as before
	RemoveCertificate string         // SHA-256 fingerprint; it ends at once
}

// Update changes a key that is active and returns it. A certificate that another
// active key has is a conflict (409).
func (k *Keeper) Update(ctx context.Context, id string, changes Changes) (*Key, error) {
	var gone []string
	key, err := k.change(ctx, id, func(key *Key) error {
		now := k.now()
		if err := changeable(key, now); err != nil {
			return err
		}
		gone = prune(key, now)
		if err := changes.apply(key, now.UTC().Truncate(time.Second)); err != nil {
			return err
		}
		if err := check(key); err != nil {
			return err
		}
		if changes.AddCertificate == "" {
			return nil
		}
		added := key.Certificates[len(key.Certificates)-1]
		_, err := k.holder(ctx, id, k.certificateClaim(added.SHA256))
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := k.claim(ctx, key); err != nil {
		return nil, errors.Join(err, k.disclaim(ctx, id, changes.AddCertificate))
	}
	if err := announce(ctx, k.redis); err != nil {
		return nil, err
	}
	return key, k.tell(ctx, key, gone)
}

// changeable returns why a key cannot be changed any more.
func changeable(key *Key, now time.Time) error {
	switch key.Status(now) {
	case "revoked":
		return ErrRevoked
	case "expired":
		return ErrExpired
	}
	return nil
}

func (c *Changes) apply(key *Key, now time.Time) error {
	if c.Name != nil {
		key.Name = *c.Name
	}
	if c.Plan != nil {
		key.Plan = *c.Plan
	}
	if c.Hospitals != nil {
		key.Hospitals = *c.Hospitals
	}
	if c.AllowFrom != nil {
		key.AllowFrom = *c.AllowFrom
	}
	if c.Expires != nil {
		if record.Ended(*c.Expires, now) {
			return invalid("the end must lie ahead: to end a key now, revoke it")
		}
		key.Expires = c.Expires.UTC().Truncate(time.Second)
	}
	if len(c.JWKS) > 0 {
		key.JWKS, key.JWKSURL = c.JWKS, ""
	}
	if c.JWKSURL != nil {
		key.JWKSURL = *c.JWKSURL
		if len(c.JWKS) == 0 {
			key.JWKS = nil
		}
	}
	return c.applyCertificates(key, now)
}

func (c *Changes) applyCertificates(key *Key, now time.Time) error {
	if c.RemoveCertificate != "" {
		fingerprint, err := ParseFingerprint(c.RemoveCertificate)
		if err != nil {
			return err
		}
		before := len(key.Certificates)
		key.Certificates = slices.DeleteFunc(key.Certificates, func(held Certificate) bool { return held.SHA256 == fingerprint })
		if len(key.Certificates) == before {
			return invalid("the key has no certificate of this fingerprint")
		}
	}
	if c.AddCertificate == "" {
		if c.CertificateGrace != nil {
			return invalid("a grace needs a certificate that takes the place of the others")
		}
		return nil
	}
	if c.CertificateGrace != nil {
		for i := range key.Certificates {
			key.Certificates[i].Until = earlier(key.Certificates[i].Until, now.Add(*c.CertificateGrace))
		}
		prune(key, now)
	}
	return addCertificate(key, c.AddCertificate, now)
}

// disclaim takes a certificate out of a record again that another key was faster
// to register.
func (k *Keeper) disclaim(ctx context.Context, id, text string) error {
	if text == "" {
		return nil
	}
	unwanted, err := parseCertificate(text, time.Time{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	_, err = k.change(ctx, id, func(key *Key) error {
		key.Certificates = slices.DeleteFunc(key.Certificates, func(c Certificate) bool { return c.SHA256 == unwanted.SHA256 })
		return nil
	})
	return err
}

// tell has Tyk keep what the record now says, and forget the secrets that are
// gone. The record is the authority: until this is done again nothing works that
// should not.
func (k *Keeper) tell(ctx context.Context, key *Key, gone []string) error {
	for _, secret := range key.Secrets {
		if err := k.engine.UpdateKey(ctx, secret.Hash, session(key, secret)); err != nil && !errors.Is(err, engine.ErrNoKey) {
			return fmt.Errorf("the change is in force, but Tyk has not taken it: %w", err)
		}
	}
	for _, hash := range gone {
		if err := k.engine.DeleteKey(ctx, hash); err != nil && !errors.Is(err, engine.ErrNoKey) {
			return fmt.Errorf("the change is in force, but Tyk has not taken it: %w", err)
		}
	}
	return nil
}
