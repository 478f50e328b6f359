package keys

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fhirgate/gateway/engine"
)

// Rotate gives a key or client a new secret and returns it. The secrets of
// before work on for grace; with none they end at once. After an error it can be
// called again: the secrets of before work until it has come through.
func (k *Keeper) Rotate(ctx context.Context, id string, grace time.Duration) (*Key, string, error) {
	token := engine.NewToken()
	hash := engine.KeyHash(token)
	var gone []string
	// The record comes first, so that no secret works that no record knows.
	key, err := k.change(ctx, id, func(key *Key) error {
		now := k.now()
		if err := changeable(key, now); err != nil {
			return err
		}
		gone = prune(key, now)
		key.Secrets = append(key.Secrets, newSecret(token, now.UTC().Truncate(time.Second)))
		return check(key)
	})
	if err != nil {
		return nil, "", err
	}
	if err := k.engine.CreateKey(ctx, token, session(key, *secretOf(key, hash))); err != nil {
		return nil, "", k.withdraw(ctx, id, hash, fmt.Errorf("storing the secret: %w", err))
	}
	// From here on the new secret works, and the others may end.
	var replaced []string
	key, err = k.change(ctx, id, func(key *Key) error {
		now := k.now()
		if err := changeable(key, now); err != nil {
			return err
		}
		own := secretOf(key, hash)
		if own == nil {
			return ErrContended // a later rotation has ended it
		}
		end := now.UTC().Add(grace).Truncate(time.Second)
		for i := range key.Secrets {
			if &key.Secrets[i] == own {
				break // what comes after it is newer
			}
			key.Secrets[i].Until = earlier(key.Secrets[i].Until, end)
		}
		replaced = prune(key, now)
		return nil
	})
	if err != nil {
		return nil, "", k.withdraw(ctx, id, hash, err)
	}
	if err := k.bury(ctx, replaced); err != nil {
		return nil, "", err
	}
	return key, token, k.tell(ctx, key, append(gone, replaced...))
}

// withdraw takes a secret that was to be new back for a reason.
func (k *Keeper) withdraw(ctx context.Context, id, hash string, reason error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	_, err := k.change(ctx, id, func(key *Key) error {
		key.Secrets = without(key.Secrets, hash)
		return nil
	})
	if deleted := k.engine.DeleteKey(ctx, hash); err == nil && !errors.Is(deleted, engine.ErrNoKey) {
		err = deleted
	}
	if err != nil {
		return fmt.Errorf("%w; the secret that this leaves could not be removed, so rotate again", reason)
	}
	return reason
}

// without returns the secrets but the one of a hash.
func without(secrets []Secret, hash string) []Secret {
	kept := make([]Secret, 0, len(secrets))
	for _, secret := range secrets {
		if secret.Hash != hash {
			kept = append(kept, secret)
		}
	}
	return kept
}

// Revoke ends the key and all of its credentials for good. It is idempotent. The
// key's own tombstone comes first: what a rotation on another node adds meanwhile
// is dead with it.
func (k *Keeper) Revoke(ctx context.Context, id string) (*Key, error) {
	key, err := k.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	revoked := key.Revoked
	if revoked.IsZero() {
		revoked = k.now().UTC().Truncate(time.Second)
	}
	if err := k.redis.Set(ctx, revokedPrefix+id, revoked.Format(time.RFC3339), 0).Err(); err != nil {
		return nil, fmt.Errorf("writing the tombstone: %w", err)
	}
	if err := announce(ctx, k.redis); err != nil {
		return nil, err
	}
	changed, err := k.change(ctx, id, func(key *Key) error {
		key.Revoked = revoked
		return nil
	})
	if err != nil {
		return nil, err
	}
	hashes := make([]string, len(changed.Secrets))
	for i, secret := range changed.Secrets {
		hashes[i] = secret.Hash
	}
	if err := k.bury(ctx, hashes); err != nil {
		return nil, err
	}
	for _, hash := range hashes {
		if err := k.engine.DeleteKey(ctx, hash); err != nil && !errors.Is(err, engine.ErrNoKey) {
			return nil, fmt.Errorf("deleting the secret: %w", err)
		}
	}
	return changed, nil
}

// bury gives secrets that ended before their time a tombstone, so that they stay
// dead whatever may write their sessions back, and announces it.
func (k *Keeper) bury(ctx context.Context, hashes []string) error {
	for _, hash := range hashes {
		if err := k.redis.Set(ctx, revokedPrefix+hash, "1", 0).Err(); err != nil {
			return fmt.Errorf("writing the tombstone: %w", err)
		}
	}
	return announce(ctx, k.redis)
}
