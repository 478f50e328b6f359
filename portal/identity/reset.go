package identity

import (
	"context"
	"time"

	"fhirgate/portal/store"
)

// Lives of links.
const (
	resetLife      = time.Hour
	firstAdminLife = 24 * time.Hour
	verifyLife     = 24 * time.Hour
)

// The kinds of one-time tokens.
const (
	kindReset  = "reset-password"
	kindVerify = "verify-email"
)

func newResetToken(ctx context.Context, s *store.Store, userID string, life time.Duration) (string, error) {
	return s.NewToken(ctx, kindReset, userID, life)
}
