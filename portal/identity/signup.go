package identity

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"fhirgate/portal/store"
)

// maxName bounds what people are called, in characters.
const maxName = 80

// Name returns what somebody is called, tidied, or a *Refusal.
func Name(text string) (string, error) {
	name := strings.Join(strings.Fields(text), " ")
	switch {
	case name == "" || !utf8.ValidString(name):
		return "", &Refusal{"name", "Tell us your name: colleagues see it beside what you do."}
	case utf8.RuneCountInString(name) > maxName:
		return "", &Refusal{"name", "A name has at most 80 characters."}
	}
	return name, nil
}

// SignUp mails a link with which the owner of an address makes an account; when
// there is one already, the mail says so. The answer does not tell: it is nil,
// ErrAddress, ErrDomain, ErrNoMail, ErrBusy or a *Throttled.
func (s *Service) SignUp(ctx context.Context, by store.By, email string) error {
	address, err := Address(email)
	if err != nil {
		return err
	}
	if !inDomain(address, s.domains) {
		return ErrDomain
	}
	return s.mailSoon(ctx, by, address, s.sendVerification)
}

func (s *Service) sendVerification(ctx context.Context, email string) error {
	switch _, err := s.store.UserByEmail(ctx, email); {
	case err == nil:
		subject, text := accountExistsMail(s.public)
		return s.mailer.Send(ctx, email, subject, text)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	token, err := s.store.NewToken(ctx, kindVerify, email, verifyLife)
	if err != nil {
		return err
	}
	subject, text := verificationMail(verifyLink(s.public, token))
	return s.mailer.Send(ctx, email, subject, text)
}

// Verified returns the address that a link of SignUp was sent to, or ErrLink. The
// link stays good.
func (s *Service) Verified(ctx context.Context, token string) (email string, err error) {
	email, err = s.store.PeekToken(ctx, kindVerify, token)
	return email, linkError(err)
}

// FinishSignUp makes an account by a link, which is used up. Errors: ErrLink,
// ErrTaken, or a *Refusal of the name or the password, after which the link is
// still good.
func (s *Service) FinishSignUp(ctx context.Context, by store.By, token, name, password string) (store.User, error) {
	email, err := s.Verified(ctx, token)
	if err != nil {
		return store.User{}, err
	}
	user, err := s.newUser(ctx, email, name, password)
	if err != nil {
		return store.User{}, err
	}
	if user.Email, err = s.store.TakeToken(ctx, kindVerify, token); err != nil {
		return store.User{}, linkError(err)
	}
	return s.create(ctx, by, user)
}

// create makes an account of an address that is known to be its owner's.
func (s *Service) create(ctx context.Context, by store.By, user store.User) (store.User, error) {
	user, err := s.store.CreateUser(ctx, byNewcomer(by, user), user)
	if errors.Is(err, store.ErrConflict) {
		err = ErrTaken
	}
	return user, err
}

// byNewcomer is by with the name of who makes an account for themselves. In a browser
// in which somebody is signed in it is they who do it, for all that the portal knows.
func byNewcomer(by store.By, user store.User) store.By {
	if by.UserID == "" {
		by.Name = user.Email
	}
	return by
}

func (s *Service) newUser(ctx context.Context, email, name, password string) (store.User, error) {
	name, err := Name(name)
	if err != nil {
		return store.User{}, err
	}
	if err := s.passwords.judge(password, email); err != nil {
		return store.User{}, err
	}
	hash, err := s.passwords.hash(ctx, password)
	return store.User{Email: email, Name: name, PasswordHash: hash}, err
}

// Invitation returns the invitation of a link, or ErrLink.
func (s *Service) Invitation(ctx context.Context, token string) (store.Invitation, error) {
	invitation, err := s.store.InvitationByToken(ctx, token)
	return invitation, linkError(err)
}

// AcceptInvitation makes the account that an invitation is for. Errors: ErrLink,
// ErrTaken, or a *Refusal of the name or the password, after which the invitation
// is still open.
func (s *Service) AcceptInvitation(ctx context.Context, by store.By, token, name, password string) (store.User, error) {
	invitation, err := s.Invitation(ctx, token)
	if err != nil {
		return store.User{}, err
	}
	user, err := s.newUser(ctx, invitation.Email, name, password)
	if err != nil {
		return store.User{}, err
	}
	return s.accept(ctx, by, token, user)
}

func (s *Service) accept(ctx context.Context, by store.By, token string, user store.User) (store.User, error) {
	user, err := s.store.AcceptInvitation(ctx, byNewcomer(by, user), token, user)
	if errors.Is(err, store.ErrConflict) {
		err = ErrTaken
	}
	return user, linkError(err)
}
