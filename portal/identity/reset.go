package identity

import (
	"context"
	"errors"
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
	kindReset  = "reset-password" // belongs to a user id
	kindVerify = "verify-email"   // belongs to an e-mail address
)

func newResetToken(ctx context.Context, s *store.Store, userID string, life time.Duration) (string, error) {
	return s.NewToken(ctx, kindReset, userID, life)
}

// voidResets voids the open links that set a user's password: the newest is the
// only one that is good, and this one is over at once.
func voidResets(ctx context.Context, s *store.Store, userID string) error {
	_, err := newResetToken(ctx, s, userID, 0)
	return err
}

// RequestReset mails a link that sets a new password, if the address has an
// account. The answer does not tell: it is nil, ErrAddress, ErrNoMail, ErrBusy or
// a *Throttled of who asks.
func (s *Service) RequestReset(ctx context.Context, by store.By, email string) error {
	return s.mailSoon(ctx, by, email, s.sendReset)
}

func (s *Service) sendReset(ctx context.Context, email string) error {
	user, err := s.store.UserByEmail(ctx, email)
	if errors.Is(err, store.ErrNotFound) || (err == nil && !user.Disabled.IsZero()) {
		return nil
	}
	if err != nil {
		return err
	}
	token, err := newResetToken(ctx, s.store, user.ID, resetLife)
	if err != nil {
		return err
	}
	subject, text := resetMail(resetLink(s.public, token))
	return s.mailer.Send(ctx, email, subject, text)
}

// mailSoon has send write to an address that somebody typed in, behind the
// answer, and so that nobody floods a mailbox.
func (s *Service) mailSoon(ctx context.Context, by store.By, email string, send func(context.Context, string) error) error {
	if s.mailer == nil {
		return ErrNoMail
	}
	email, err := Address(email)
	if err != nil {
		return err
	}
	try, err := s.throttle.begin(ctx, counterOf("mail", email, freeOfMail), ofAddress("mail", by.Address))
	if err != nil {
		return err
	}
	if err := try.failed(ctx); err != nil {
		return err
	}
	return s.later(func(ctx context.Context) error { return send(ctx, email) })
}

// ResetOwner returns the user whose password a link sets, or ErrLink. The link
// stays good.
func (s *Service) ResetOwner(ctx context.Context, token string) (store.User, error) {
	id, err := s.store.PeekToken(ctx, kindReset, token)
	return s.ownerOf(ctx, id, err)
}

func (s *Service) ownerOf(ctx context.Context, id string, err error) (store.User, error) {
	if err != nil {
		return store.User{}, linkError(err)
	}
	user, err := s.store.User(ctx, id)
	if err == nil && !user.Disabled.IsZero() {
		err = ErrLink
	}
	return user, linkError(err)
}

// ResetPassword sets a password by a link, which is used up, and ends all
// sessions. Errors: ErrLink or a *Refusal of the password, after which the link
// is still good.
func (s *Service) ResetPassword(ctx context.Context, by store.By, token, password string) error {
	owner, err := s.ResetOwner(ctx, token)
	if err != nil {
		return err
	}
	if err := s.passwords.judge(password, owner.Email); err != nil {
		return err
	}
	id, err := s.store.TakeToken(ctx, kindReset, token)
	user, err := s.ownerOf(ctx, id, err)
	if err != nil {
		return err
	}
	if _, err := s.setPassword(ctx, byUser(by, user), user, password); err != nil {
		return err
	}
	return errors.Join(
		s.store.ClearFailures(ctx, ofStrangers(user.Email).name),
		s.store.ClearFailures(ctx, ofAcquaintance(user.Email, by.Address).name))
}

// linkError is ErrLink for a token that is not there.
func linkError(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return ErrLink
	}
	return err
}
