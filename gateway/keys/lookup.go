package keys

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"fhirgate/facade"
	"fhirgate/gateway/engine"
)

// Key finds the consumer of an API key. It returns facade.ErrUnknownKey for one
// that gives no access, a *facade.SlowedError for one that was not looked at,
// because from has tried too many unknown ones, and any other error when it cannot
// tell. The consumer is shared and must not be changed; that it has expired, or
// may not be used from that address, is for the caller to see.
func (d *Directory) Key(ctx context.Context, secret string, from netip.Addr) (*facade.Consumer, error) {
	if !engine.ValidToken(secret) {
		return nil, d.malformed(from, facade.WayKey)
	}
	found, err := d.find(ctx, nameOf(aSecret, secret), from, (*Directory).readAPIKey, secret)
	if err != nil {
		return nil, err
	}
	return found.consumer, nil
}

// Certificate finds the consumer with which a client certificate is registered,
// by its SHA-256 fingerprint in lower-case hex. The TLS handshake has verified
// it. Errors are those of Key.
func (d *Directory) Certificate(ctx context.Context, fingerprint string, from netip.Addr) (*facade.Consumer, error) {
	found, err := d.find(ctx, nameOf(aCertificate, fingerprint), from, (*Directory).readCertificate, fingerprint)
	if err != nil {
		return nil, err
	}
	return found.consumer, nil
}

// Client returns the record of an active OAuth client or external consumer by its
// id, or facade.ErrUnknownKey. It is shared and must not be changed. An id is
// public: an unknown one is no guess.
func (d *Directory) Client(ctx context.Context, id string) (*Key, error) {
	if !validID(id) {
		return nil, facade.ErrUnknownKey
	}
	found, err := d.find(ctx, nameOf(aClient, id), netip.Addr{}, (*Directory).readClient, id)
	if err != nil {
		return nil, err
	}
	return found.key, nil
}

// ClientSecret returns the record of an active OAuth client whose secret this is.
// Errors are those of Key, facade.ErrUnknownKey also when the secret or the
// client has expired.
func (d *Directory) ClientSecret(ctx context.Context, id, secret string, from netip.Addr) (*Key, error) {
	if !validID(id) || !engine.ValidToken(secret) {
		return nil, d.malformed(from, facade.WayToken)
	}
	found, err := d.find(ctx, nameOf(aClientSecret, secret), from, (*Directory).readClientSecret, secret)
	if err != nil {
		return nil, err
	}
	if found.id != id {
		d.guesses.Failed(from, facade.WayToken)
		return nil, facade.ErrUnknownKey
	}
	return found.key, nil
}

// External returns the active record of a subject of an outside identity
// provider, whose token has been verified, or facade.ErrUnknownKey.
func (d *Directory) External(ctx context.Context, issuer, subject string) (*Key, error) {
	entry := subjectName(issuer, subject)
	found, err := d.find(ctx, nameOf(aSubject, entry), netip.Addr{}, (*Directory).readSubject, issuer+"\x00"+subject)
	if err != nil {
		return nil, err
	}
	return found.key, nil
}

// malformed refuses what cannot be a credential of ours.
func (d *Directory) malformed(from netip.Addr, way facade.Way) error {
	if err := d.guesses.refuse(from); err != nil {
		return err
	}
	d.guesses.Failed(from, way)
	return facade.ErrUnknownKey
}

// led returns a finding that leads to a key by a credential that ends at the given
// time, zero for no end of its own.
func led(key *Key, ends time.Time) finding {
	found := finding{id: key.ID, key: key, ends: earlier(key.Expires, ends)}
	for _, certificate := range key.Certificates {
		found.changes = earlier(found.changes, certificate.Until)
	}
	return found
}

// calls returns a finding that leads to who calls with such a credential, also
// when it has ended.
func calls(key *Key, way facade.Way, ends time.Time) finding {
	found := led(key, ends)
	found.consumer = &facade.Consumer{
		KeyID: key.ID, Name: key.Name, PlanID: key.Plan, Expires: found.ends, Way: way,
		Hospitals: key.Hospitals, AllowFrom: key.AllowFrom,
	}
	for _, certificate := range key.Certificates {
		found.consumer.Certificates = append(found.consumer.Certificates, certificate.SHA256)
	}
	found.ends = time.Time{}
	return found
}

func (d *Directory) readAPIKey(ctx context.Context, secret string) (finding, error) {
	key, held, err := d.readSecret(ctx, secret, KindKey)
	if err != nil {
		return finding{}, err
	}
	return calls(key, facade.WayKey, held.Expires), nil
}

func (d *Directory) readClientSecret(ctx context.Context, secret string) (finding, error) {
	key, held, err := d.readSecret(ctx, secret, KindClient)
	if err != nil {
		return finding{}, err
	}
	return led(key, held.Expires), nil
}

func (d *Directory) readClient(ctx context.Context, id string) (finding, error) {
	key, err := d.record(ctx, id)
	if err != nil {
		return finding{}, err
	}
	if key.Kind != KindClient && key.Kind != KindExternal {
		return finding{}, facade.ErrUnknownKey
	}
	return led(key, time.Time{}), nil
}

func (d *Directory) readCertificate(ctx context.Context, fingerprint string) (finding, error) {
	key, err := d.indexed(ctx, certificatePrefix+fingerprint)
	if err != nil {
		return finding{}, err
	}
	held, has := key.Certificate(fingerprint, d.now())
	if !has {
		return finding{}, facade.ErrUnknownKey
	}
	return calls(key, facade.WayCertificate, held.Until), nil
}

func (d *Directory) readSubject(ctx context.Context, claimed string) (finding, error) {
	issuer, subject, _ := strings.Cut(claimed, "\x00")
	key, err := d.indexed(ctx, subjectName(issuer, subject))
	if err != nil {
		return finding{}, err
	}
	if key.Kind != KindExternal || key.Issuer != issuer || key.Subject != subject {
		return finding{}, facade.ErrUnknownKey
	}
	return led(key, time.Time{}), nil
}

// readSecret reads the record that a secret's session leads to, and the secret in
// it.
func (d *Directory) readSecret(ctx context.Context, secret string, kind Kind) (*Key, *Secret, error) {
	hash := engine.KeyHash(secret)
	pipe := d.redis.Pipeline()
	stored, tombstone := pipe.Get(ctx, engine.KeyNameOfHash(hash)), pipe.Exists(ctx, revokedPrefix+hash)
	if err := d.exec(ctx, pipe); err != nil {
		return nil, nil, err
	}
	data, err := stored.Bytes()
	if errors.Is(err, redis.Nil) || tombstone.Val() > 0 {
		return nil, nil, facade.ErrUnknownKey
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading a key: %w", err)
	}
	session, err := engine.ParseSession(data)
	if err != nil {
		return nil, nil, err
	}
	id, _ := session.Metadata[keyIDInSession].(string)
	if session.Inactive || id == "" {
		return nil, nil, facade.ErrUnknownKey // blocked in Tyk, or not one of ours
	}
	key, err := d.record(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	held := secretOf(key, hash)
	if held == nil || key.Kind != kind {
		return nil, nil, facade.ErrUnknownKey
	}
	return key, held, nil
}

// indexed reads the record that an index entry leads to.
func (d *Directory) indexed(ctx context.Context, entry string) (*Key, error) {
	timed, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	id, err := d.redis.Get(timed, entry).Result()
	if errors.Is(err, redis.Nil) {
		return nil, facade.ErrUnknownKey
	}
	if err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	return d.record(ctx, id)
}

// record reads the record of an id, without certificates that have ended, or
// returns facade.ErrUnknownKey when there is none or it was revoked. The tombstone
// holds for all credentials of the key, also for those that its record does not
// know.
func (d *Directory) record(ctx context.Context, id string) (*Key, error) {
	pipe := d.redis.Pipeline()
	record, tombstone := pipe.Get(ctx, recordPrefix+id), pipe.Get(ctx, revokedPrefix+id)
	if err := d.exec(ctx, pipe); err != nil {
		return nil, err
	}
	key, err := keyOf(id, record, tombstone)
	if errors.Is(err, ErrNotFound) || err == nil && !key.Revoked.IsZero() {
		return nil, facade.ErrUnknownKey
	}
	if err != nil {
		return nil, err
	}
	pruneCertificates(key, d.now())
	return key, nil
}

// exec asks Redis all that is in pipe.
func (d *Directory) exec(ctx context.Context, pipe redis.Pipeliner) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("reading a key: %w", err)
	}
	return nil
}
