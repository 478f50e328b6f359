package keys

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"

	"github.com/redis/go-redis/v9"

	"fhirgate/fhir"
)

// claim is an entry of an index that a record is to have.
type claim struct {
	name  string          // of the entry
	what  string          // for people
	lists func(*Key) bool // whether a record claims it too
}

// claim enters the certificates and the subject of a record into the indexes.
// The record must have been written: an entry counts only with a record that
// lists it, so one that a crash or a revocation has left is free to be taken.
func (k *Keeper) claim(ctx context.Context, key *Key) error {
	for _, certificate := range key.Certificates {
		if err := k.enter(ctx, key.ID, k.certificateClaim(certificate.SHA256)); err != nil {
			return err
		}
	}
	if key.Kind != KindExternal {
		return nil
	}
	return k.enter(ctx, key.ID, claim{subjectName(key.Issuer, key.Subject), "subject of this issuer", func(other *Key) bool {
		return other.Issuer == key.Issuer && other.Subject == key.Subject
	}})
}

func (k *Keeper) certificateClaim(fingerprint string) claim {
	return claim{certificatePrefix + fingerprint, "certificate", func(other *Key) bool {
		_, has := other.Certificate(fingerprint, k.now())
		return has
	}}
}

// subjectName is the index entry of a subject of an outside identity provider.
func subjectName(issuer, subject string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + subject)) // neither holds control characters
	return subjectPrefix + hex.EncodeToString(sum[:])
}

// enter makes an entry lead to a record, unless another one has it.
func (k *Keeper) enter(ctx context.Context, id string, c claim) error {
	for range swapAttempts {
		holder, err := k.holder(ctx, id, c)
		if err != nil {
			return err
		}
		if holder == id {
			return nil
		}
		written, err := k.swap(ctx, c.name, holder, id)
		if err != nil {
			return fmt.Errorf("registering a %s: %w", c.what, err)
		}
		if written {
			return announce(ctx, k.redis)
		}
	}
	return ErrContended
}

// holder returns the id that an entry leads to, "" for none. It is a conflict
// that another record is active and still lists what is claimed.
func (k *Keeper) holder(ctx context.Context, id string, c claim) (string, error) {
	holder, err := k.redis.Get(ctx, c.name).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("reading who has a %s: %w", c.what, err)
	}
	if holder == id || holder == "" {
		return holder, nil
	}
	other, err := k.Get(ctx, holder)
	if errors.Is(err, ErrNotFound) {
		return holder, nil
	}
	if err != nil {
		return "", err
	}
	if other.Status(k.now()) == "active" && c.lists(other) {
		return "", fhir.NewError(http.StatusConflict, fhir.IssueDuplicate, fmt.Sprintf("the %s belongs to %s already", c.what, other.ID))
	}
	return holder, nil
}
