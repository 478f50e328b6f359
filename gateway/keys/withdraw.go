package keys

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"

	"fhirgate/fhir"
	"fhirgate/gateway/engine"
)

// WithdrawSecret ends one secret of a key at once, by its hash. Where that is the
// newest and the one before it is in its grace, that grace is lifted: a rotation
// of which nobody took the new secret is undone. A key that would be left without
// a secret that it needs is refused (409).
//
// It is idempotent: also of a key that was revoked or has expired, and with it all
// of its secrets, the key is returned. Of a secret that the key never had, or that
// has ended by itself, ErrNoSecret is.
func (k *Keeper) WithdrawSecret(ctx context.Context, id, hash string) (*Key, error) {
	var gone []string
	key, err := k.change(ctx, id, func(key *Key) error {
		now := k.now()
		if changeable(key, now) != nil {
			return errEndedAlready
		}
		if secretOf(key, hash) == nil {
			return ErrNoSecret
		}
		gone = prune(key, now)
		return withdrawSecret(key, hash)
	})
	switch {
	case errors.Is(err, errEndedAlready):
		return k.Get(ctx, id)
	case errors.Is(err, ErrNoSecret):
		return k.finishWithdrawal(ctx, id, hash)
	case err != nil:
		return nil, err
	}
	// The record comes first: from here on the secret is dead.
	if err := k.bury(ctx, []string{hash}); err != nil {
		return nil, err
	}
	return key, k.tell(ctx, key, append(gone, hash))
}

var errEndedAlready = errors.New("the key has ended, and its secrets with it")

// withdrawSecret takes a secret out of a record.
func withdrawSecret(key *Key, hash string) error {
	newest := len(key.Secrets) > 0 && key.Secrets[len(key.Secrets)-1].Hash == hash
	key.Secrets = without(key.Secrets, hash)
	if err := checkKind(key); err != nil {
		return fhir.NewError(http.StatusConflict, fhir.IssueConflict, "it is the last secret of the key: revoke the key instead")
	}
	if newest && len(key.Secrets) > 0 {
		key.Secrets[len(key.Secrets)-1].Until = time.Time{}
	}
	return nil
}

// finishWithdrawal does what one that broke off after the record was changed had
// still to do. Without one there is ErrNoSecret, also for the secret of another
// key, which is left alone.
func (k *Keeper) finishWithdrawal(ctx context.Context, id, hash string) (*Key, error) {
	key, err := k.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	pipe := k.redis.Pipeline()
	stored, tombstone := pipe.Get(ctx, engine.KeyNameOfHash(hash)), pipe.Exists(ctx, revokedPrefix+hash)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("reading a secret: %w", err)
	}
	session, err := engine.ParseSession([]byte(stored.Val()))
	switch {
	case err == nil && session.Metadata[keyIDInSession] == id:
		if err := k.bury(ctx, []string{hash}); err != nil {
			return nil, err
		}
		return key, k.tell(ctx, key, []string{hash})
	case tombstone.Val() > 0:
		return key, nil
	default:
		return nil, ErrNoSecret
	}
}
