package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"fhirgate/portal/store"
)

// Recovery codes: how many, and how many characters of five random bits each.
const (
	recoveryCodes  = 10
	recoveryLength = 16
)

// newRecoveryCodes returns codes for a user, and what is stored of them. 80
// random bits need no slow hash.
func newRecoveryCodes(userID string) (codes, hashes []string) {
	for range recoveryCodes {
		code := strings.ToLower(rand.Text()[:recoveryLength])
		codes = append(codes, grouped(code, "-"))
		hashes = append(hashes, recoveryHash(userID, code))
	}
	return codes, hashes
}

// recoveryHash is what is stored of a code, however it was typed.
func recoveryHash(userID, code string) string {
	code = strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(code))
	sum := sha256.Sum256([]byte(userID + "\n" + code))
	return hex.EncodeToString(sum[:])
}

// RecoveryCode takes a recovery code, each once, in place of a code of the app,
// and returns how many are left. Errors: ErrRecoveryCode or a *Throttled.
func (s *Service) RecoveryCode(ctx context.Context, by store.By, user store.User, code string) (left int, err error) {
	err = s.trySecondFactor(ctx, by, user, ErrRecoveryCode, func() (bool, error) {
		return s.store.TakeRecoveryCode(ctx, by, user.ID, recoveryHash(user.ID, code))
	})
	if errors.Is(err, ErrRecoveryCode) {
		return 0, refuse(ErrRecoveryCode, s.store.SignInRefused(ctx, by, "recovery code", user.ID))
	}
	if err != nil {
		return 0, err
	}
	return s.RecoveryCodesLeft(ctx, user)
}

// RecoveryCodesLeft returns how many recovery codes a user has left.
func (s *Service) RecoveryCodesLeft(ctx context.Context, user store.User) (int, error) {
	return s.store.RecoveryCodesLeft(ctx, user.ID)
}

// NewRecoveryCodes returns new recovery codes, by a code of the app: earlier ones
// are void. Errors: ErrCode or a *Throttled.
func (s *Service) NewRecoveryCodes(ctx context.Context, by store.By, user store.User, code string) ([]string, error) {
	if err := s.takeCode(ctx, by, user, code); err != nil {
		return nil, err
	}
	codes, hashes := newRecoveryCodes(user.ID)
	return codes, s.store.SetRecoveryCodes(ctx, by, user.ID, hashes)
}
