package identity

import (
	"context"
	"errors"
	"net/netip"

	"fhirgate/portal/store"
)

// Login returns the user of an e-mail address and a password, ErrCredentials or a
// *Throttled. The user may still owe the second factor.
func (s *Service) Login(ctx context.Context, by store.By, email, password string) (store.User, error) {
	email, _ = Address(email) // nobody has the address ""
	user, err := s.store.UserByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.User{}, err
	}
	try, err := s.tryPassword(ctx, by, user.ID, email)
	if err != nil {
		return store.User{}, err
	}
	defer try.end()
	right, outdated, err := s.passwords.check(ctx, password, user.PasswordHash)
	if err != nil {
		return store.User{}, err
	}
	if reason := whyNot(user, right); reason != "" {
		return store.User{}, refuse(ErrCredentials, try.failed(ctx), s.store.SignInRefused(ctx, by, reason, user.ID))
	}
	if err := try.succeeded(ctx); err != nil || !outdated {
		return user, err
	}
	return s.setPassword(ctx, byUser(by, user), user, password)
}

// tryPassword begins a try of a password. Who comes from an address from which the
// user has signed in before is counted apart: nobody else keeps them out by wrong
// tries.
func (s *Service) tryPassword(ctx context.Context, by store.By, userID, email string) (*attempt, error) {
	known, err := s.store.SignedInFrom(ctx, userID, by.Address)
	if err != nil {
		return nil, err
	}
	counts := ofStrangers(email)
	if known {
		counts = ofAcquaintance(email, by.Address)
	}
	return s.throttle.begin(ctx, counts, ofAddress("login", by.Address))
}

// ofStrangers counts wrong passwords for an account from addresses from which nobody
// has signed in to it.
func ofStrangers(email string) counter { return counterOf("login", email, freeOfAccount) }

// ofAcquaintance counts wrong passwords for an account from one from which somebody has.
func ofAcquaintance(email string, from netip.Addr) counter {
	return counterOf("login", email+" at "+from.String(), freeOfAccount)
}

// whyNot returns why a user is not let in, for the trail, or "".
func whyNot(user store.User, right bool) string {
	switch {
	case user.ID == "":
		return "unknown"
	case !right:
		return "password"
	case !user.Disabled.IsZero():
		return "disabled"
	default:
		return ""
	}
}

// SignedIn notes that somebody has signed in with all factors that they have.
func (s *Service) SignedIn(ctx context.Context, by store.By, user store.User) error {
	return s.store.SignedIn(ctx, byUser(by, user), user.ID)
}

// byUser is by with a user who is about to sign in.
func byUser(by store.By, user store.User) store.By {
	by.UserID, by.Name = user.ID, user.Email
	return by
}

// CheckPassword returns a *Refusal that says why a password is not taken for the
// account of an e-mail address, or nil.
func (s *Service) CheckPassword(password, email string) error {
	return s.passwords.judge(password, email)
}

// ChangePassword sets a new password for a user who knows the current one, and
// returns the user as it is then: all sessions are over. Errors: ErrPassword, a
// *Throttled, or a *Refusal of the new password.
func (s *Service) ChangePassword(ctx context.Context, by store.By, user store.User, current, password string) (store.User, error) {
	if err := s.passwords.judge(password, user.Email); err != nil {
		return store.User{}, err
	}
	if err := s.provePassword(ctx, by, user, current); err != nil {
		return store.User{}, err
	}
	return s.setPassword(ctx, by, user, password)
}

// provePassword asks somebody who is signed in whether they know the password:
// whoever has come by a session does not. Errors: ErrPassword or a *Throttled.
func (s *Service) provePassword(ctx context.Context, by store.By, user store.User, current string) error {
	try, err := s.tryPassword(ctx, by, user.ID, user.Email)
	if err != nil {
		return err
	}
	defer try.end()
	right, _, err := s.passwords.check(ctx, current, user.PasswordHash)
	if err != nil {
		return err
	}
	if !right {
		return refuse(ErrPassword, try.failed(ctx))
	}
	return try.succeeded(ctx)
}

// setPassword sets a password, voids links that would set another one, and
// returns the user as it is then.
func (s *Service) setPassword(ctx context.Context, by store.By, user store.User, password string) (store.User, error) {
	hash, err := s.passwords.hash(ctx, password)
	if err != nil {
		return store.User{}, err
	}
	if err := s.store.SetPassword(ctx, by, user.ID, hash); err != nil {
		return store.User{}, err
	}
	if err := voidResets(ctx, s.store, user.ID); err != nil {
		return store.User{}, err
	}
	return s.store.User(ctx, user.ID)
}
