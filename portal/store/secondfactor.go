package store

import (
	"context"
	"strconv"
)

// SetTOTP stores the sealed secret of a second factor that is not confirmed yet,
// in place of an earlier one of that kind. ErrConflict when the user's second
// factor is confirmed: it has to be removed first.
func (s *Store) SetTOTP(ctx context.Context, by By, id string, sealed []byte) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		// Nothing holds before it is confirmed, so that this is no act.
		return act{}, q.move(ctx, "users", id,
			"UPDATE users SET totp = ?, totp_step = 0 WHERE id = ? AND totp_since = 0", sealed, id)
	})
}

// ConfirmTOTP puts the second factor into force, with hashed recovery codes that
// take the place of earlier ones, and ends all sessions. ErrConflict when there
// is none, or it is in force already [user.totp].
func (s *Store) ConfirmTOTP(ctx context.Context, by By, id string, recoveryHashes []string) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		err := q.move(ctx, "users", id, `UPDATE users SET totp_since = ?, edition = edition + 1
			WHERE id = ? AND totp IS NOT NULL AND totp_since = 0`, stamp(s.now()), id)
		if err != nil {
			return act{}, err
		}
		return act{"user.totp", "user", id, nil}, q.replaceRecoveryCodes(ctx, id, recoveryHashes)
	})
}

// SetRecoveryCodes puts hashed recovery codes in place of earlier ones.
// ErrConflict when the user's second factor is not in force [user.recovery-codes].
func (s *Store) SetRecoveryCodes(ctx context.Context, by By, id string, hashes []string) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		err := q.move(ctx, "users", id, "UPDATE users SET totp_since = totp_since WHERE id = ? AND totp_since <> 0", id)
		if err != nil {
			return act{}, err
		}
		return act{"user.recovery-codes", "user", id, nil}, q.replaceRecoveryCodes(ctx, id, hashes)
	})
}

func (q queries) replaceRecoveryCodes(ctx context.Context, id string, hashes []string) error {
	if _, err := q.exec(ctx, "DELETE FROM recovery_codes WHERE user_id = ?", id); err != nil {
		return err
	}
	for _, hash := range hashes {
		if _, err := q.exec(ctx, "INSERT INTO recovery_codes (user_id, hash) VALUES (?, ?)", id, hash); err != nil {
			return err
		}
	}
	return nil
}

// RemoveTOTP removes the second factor and its recovery codes, and ends all
// sessions [user.totp-removed].
func (s *Store) RemoveTOTP(ctx context.Context, by By, id string) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		err := q.mustChange(ctx, ErrNotFound,
			"UPDATE users SET totp = NULL, totp_since = 0, totp_step = 0, edition = edition + 1 WHERE id = ?", id)
		if err != nil {
			return act{}, err
		}
		return act{"user.totp-removed", "user", id, nil}, q.replaceRecoveryCodes(ctx, id, nil)
	})
}

// TakeTOTPStep marks a time step of the second factor as used. False: it was
// used already, or a later one was.
func (s *Store) TakeTOTPStep(ctx context.Context, id string, step int64) (bool, error) {
	return s.write(ctx, "UPDATE users SET totp_step = ? WHERE id = ? AND totp_step < ?", step, id, step)
}

// TakeRecoveryCode uses up a recovery code, given by its hash. False: the user
// has no such code [user.recovery-code].
func (s *Store) TakeRecoveryCode(ctx context.Context, by By, id, hash string) (bool, error) {
	taken := false
	err := s.change(ctx, by, func(q queries) (act, error) {
		n, err := q.exec(ctx, "DELETE FROM recovery_codes WHERE user_id = ? AND hash = ?", id, hash)
		if err != nil || n == 0 {
			return act{}, err
		}
		taken = true
		left, err := q.recoveryCodesLeft(ctx, id)
		return act{"user.recovery-code", "user", id, map[string]string{"left": strconv.Itoa(left)}}, err
	})
	return taken && err == nil, err
}

// RecoveryCodesLeft returns how many recovery codes a user has left.
func (s *Store) RecoveryCodesLeft(ctx context.Context, id string) (int, error) {
	return s.read().recoveryCodesLeft(ctx, id)
}

func (q queries) recoveryCodesLeft(ctx context.Context, id string) (int, error) {
	return one(ctx, q, value[int], "SELECT COUNT(*) FROM recovery_codes WHERE user_id = ?", id)
}
