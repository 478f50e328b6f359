// Package keys is the life of consumers' credentials: made, shown once, rotated,
// changed, revoked, and looked up on every call.
//
// A consumer is a record ([Key]), and the record is the authority: nothing works
// that it does not list. Secrets, of API keys and of OAuth clients, are Tyk keys,
// stored hashed, and lead to the record; so do an index of certificates and one
// of the subjects of outside identity providers. What was revoked has a tombstone
// besides.
//
// [Keeper] changes records, on any node and at any time: a record is replaced by
// compare-and-set. [Directory] finds consumers, [Guesses] slows down who tries
// credentials.
package keys

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"fhirgate/fhir"
	"fhirgate/gateway/engine"
)

// ErrNotFound is returned for a key id that does not exist.
var ErrNotFound = errors.New("no key of this id")

// ErrNoSecret is returned for a secret that a key does not have.
var ErrNoSecret = errors.New("the key has no secret of this hash")

// ErrRevoked is returned when a revoked key is to be changed.
var ErrRevoked = errors.New("the key is revoked")

// ErrExpired is returned when a key that has expired is to be changed.
var ErrExpired = errors.New("the key has expired: create another")

// ErrContended is returned when others change a key all the time.
var ErrContended = errors.New("the key is being changed by others: try again")

// Engine is the part of Tyk that stores secrets.
type Engine interface {
	CreateKey(ctx context.Context, token string, session engine.Session) error
	UpdateKey(ctx context.Context, hash string, session engine.Session) error
	DeleteKey(ctx context.Context, hash string) error
}

// Keeper makes, changes and revokes keys. Its errors about what was asked for
// are of type *fhir.Error, or one of the above.
type Keeper struct {
	engine Engine
	redis  redis.UniversalClient
	now    func() time.Time
}

// NewKeeper returns a Keeper of the keys in redis and Tyk.
func NewKeeper(e Engine, client redis.UniversalClient) *Keeper {
	return &Keeper{engine: e, redis: client, now: time.Now}
}

// New is what a key is made from.
type New struct {
	ID           string        // of the form that ids have; "" = a new one
	Name         string        // for people
	Plan         string        // the caller has checked it
	Hospitals    []string      // to which the key is narrowed, checked likewise; none = all that the plan reaches
	Kind         Kind          // "" = KindKey
	Life         time.Duration // 0 = for ever
	WithSecret   bool          // must be so for a KindKey, and may for a KindClient
	AllowFrom    []netip.Prefix
	JWKS         json.RawMessage // for a KindClient
	JWKSURL      string          // instead; https
	Certificates []string        // each in PEM form, or its SHA-256 fingerprint
	Issuer       string          // for a KindExternal
	Subject      string          // for a KindExternal
}

// Create makes a key and returns it with its secret, which is kept nowhere; ""
// when it has none. An id that exists is a conflict (409), and so is a certificate
// or a subject that another active key has.
func (k *Keeper) Create(ctx context.Context, wanted New) (*Key, string, error) {
	now := k.now().UTC().Truncate(time.Second)
	key := &Key{
		ID: wanted.ID, Name: wanted.Name, Plan: wanted.Plan, Kind: wanted.Kind, Created: now, Secrets: []Secret{},
		Hospitals: wanted.Hospitals, AllowFrom: wanted.AllowFrom, JWKS: wanted.JWKS, JWKSURL: wanted.JWKSURL, Issuer: wanted.Issuer, Subject: wanted.Subject,
	}
	switch {
	case key.ID == "":
		key.ID = newID()
	case !validID(key.ID):
		return nil, "", invalid(fmt.Sprintf("an id is %s and %d of a to z and 2 to 7", idPrefix, idLength))
	}
	if key.Kind == "" {
		key.Kind = KindKey
	}
	if wanted.Life > 0 {
		key.Expires = now.Add(wanted.Life)
	}
	for _, text := range wanted.Certificates {
		if err := addCertificate(key, text, now); err != nil {
			return nil, "", err
		}
	}
	var token string
	if wanted.WithSecret {
		token = engine.NewToken()
		key.Secrets = append(key.Secrets, newSecret(token, now))
	}
	if err := check(key); err != nil {
		return nil, "", err
	}
	// The record comes first, so that nothing works that has no record.
	if err := k.add(ctx, key); err != nil {
		return nil, "", err
	}
	if err := k.equip(ctx, key, token); err != nil {
		return nil, "", k.undo(ctx, key, err)
	}
	return key, token, nil
}

// equip makes the credentials of a new record work.
func (k *Keeper) equip(ctx context.Context, key *Key, token string) error {
	if err := k.claim(ctx, key); err != nil {
		return err
	}
	if token == "" {
		return nil
	}
	if err := k.engine.CreateKey(ctx, token, session(key, key.Secrets[0])); err != nil {
		return fmt.Errorf("storing the secret: %w", err)
	}
	return nil
}

// undoTimeout bounds what is done after a failure.
const undoTimeout = 5 * time.Second

// undo removes the record of a key that could not be made for a reason. What Tyk
// may have stored is nothing without it.
func (k *Keeper) undo(ctx context.Context, key *Key, reason error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	for _, secret := range key.Secrets {
		_ = k.engine.DeleteKey(ctx, secret.Hash) // seldom is there one
	}
	if err := k.remove(ctx, key); err != nil {
		return fmt.Errorf("%w; the record %s that this leaves could not be removed, so revoke it", reason, key.ID)
	}
	var refusal *fhir.Error
	if errors.As(reason, &refusal) {
		return reason
	}
	return fmt.Errorf("%w; no key was made", reason)
}

// idLength is the length of the random part of an id.
const idLength = 16

const idPrefix = "key_"

func newID() string { return idPrefix + strings.ToLower(rand.Text()[:idLength]) }

// validID reports whether an id has the form that newID makes.
func validID(id string) bool {
	if len(id) != len(idPrefix)+idLength || id[:len(idPrefix)] != idPrefix {
		return false
	}
	for _, c := range []byte(id[len(idPrefix):]) {
		if !('a' <= c && c <= 'z' || '2' <= c && c <= '7') {
			return false
		}
	}
	return true
}

func newSecret(token string, now time.Time) Secret {
	return Secret{Hash: engine.KeyHash(token), Hint: token[len(token)-4:], Created: now}
}

// keyIDInSession is the metadata of a session that leads to the record.
const keyIDInSession = "key_id"

// session is what Tyk keeps of a secret.
func session(key *Key, secret Secret) engine.Session {
	s := engine.Session{
		Alias:    key.Name,
		Policies: []string{key.Plan},
		Metadata: map[string]any{keyIDInSession: key.ID, "kind": string(key.Kind)},
	}
	if !secret.Expires.IsZero() {
		s.Expires = secret.Expires.Unix()
	}
	return s
}

// invalid is a mistake in what was asked for.
func invalid(text string) error {
	return fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueValue, text)
}
