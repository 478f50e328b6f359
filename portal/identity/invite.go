package identity

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"fhirgate/portal/store"
)

// invitationLife is how long invitations are open unless they say otherwise.
const invitationLife = 7 * 24 * time.Hour

// Inviter invites people to make accounts, and into teams.
type Inviter struct {
	store    *store.Store
	public   string
	mailer   *Mailer
	log      *slog.Logger
	throttle *throttle
}

// NewInviter returns an inviter whose links begin with publicURL. Without a
// mailer (nil) its links are handed on by those who invite; without a log (nil)
// nobody is told of mails that cannot be sent.
func NewInviter(s *store.Store, publicURL string, mailer *Mailer, log *slog.Logger) *Inviter {
	return newInviter(s, publicURL, mailer, log, newThrottle(s, time.Now))
}

func newInviter(s *store.Store, publicURL string, mailer *Mailer, log *slog.Logger, t *throttle) *Inviter {
	return &Inviter{
		store: s, public: strings.TrimSuffix(publicURL, "/"), mailer: mailer,
		log: cmp.Or(log, slog.New(slog.DiscardHandler)), throttle: t,
	}
}

// Invite opens an invitation to make an account, for seven days unless it says
// otherwise, and mails its link. Where there is no mail the link is returned, for
// whoever invites to hand on; where there is, nobody but the owner of the address gets
// it: ErrNotMailed when it cannot be sent, and nobody is invited. A *Refusal says what
// is wrong with the e-mail address, that it has an account (ErrTaken), or that enough
// was mailed to it.
func (i *Inviter) Invite(ctx context.Context, by store.By, invitation store.Invitation) (link string, mailed bool, err error) {
	link, mailed, err = i.invite(ctx, by, invitation, i.store.Invite, invitationMail)
	if errors.Is(err, store.ErrConflict) {
		err = ErrTaken
	}
	return link, mailed, err
}

// InviteToTeam is Invite for the team of an invitation, whether the address has an
// account or not: what happens, and the answer, are the same. Whoever opens the link
// sees which of both it is. store.ErrConflict when the owner of the address is in the
// team, store.ErrNotFound when whoever invites does not own it, store.ErrFull when the
// team has as many open ones as there may be.
func (i *Inviter) InviteToTeam(ctx context.Context, by store.By, invitation store.Invitation) (link string, mailed bool, err error) {
	return i.invite(ctx, by, invitation, i.store.InviteToTeam, teamInvitationMail)
}

// invite opens an invitation, and mails its link where there is mail.
func (i *Inviter) invite(ctx context.Context, by store.By, invitation store.Invitation, open opener, mail func(link string, expires time.Time) (subject, text string)) (link string, mailed bool, err error) {
	link, err = i.open(ctx, by, &invitation, open)
	if err != nil || i.mailer == nil {
		return link, false, err
	}
	subject, text := mail(link, invitation.Expires)
	if err := i.mailer.Send(ctx, invitation.Email, subject, text); err != nil {
		i.log.LogAttrs(ctx, slog.LevelError, "invitation was not mailed", slog.String("invitation", invitation.ID), slog.String("problem", err.Error()))
		return "", false, refuse(ErrNotMailed, i.store.WithdrawInvitation(context.WithoutCancel(ctx), by, invitation.ID))
	}
	return "", true, nil
}

// open opens an invitation, and counts it if it will be mailed.
func (i *Inviter) open(ctx context.Context, by store.By, invitation *store.Invitation, open opener) (link string, err error) {
	if invitation.Email, err = Address(invitation.Email); err != nil {
		return "", err
	}
	if i.mailer == nil {
		return openInvitation(ctx, open, i.public, by, invitation)
	}
	mail, err := i.mayMail(ctx, by, invitation.Email)
	if err != nil {
		return "", err
	}
	defer mail.end()
	if link, err = openInvitation(ctx, open, i.public, by, invitation); err != nil {
		return "", err
	}
	return link, mail.failed(ctx)
}

// mayMail begins an invitation that is to be mailed. Every developer may invite:
// nobody's mailbox is flooded by it, and no one sends mails without end.
func (i *Inviter) mayMail(ctx context.Context, by store.By, email string) (*attempt, error) {
	try, err := i.throttle.begin(ctx, counterOf("invitation", email, freeOfMail), counterOf("invitations of", by.UserID, freeOfInviter))
	var throttled *Throttled
	if errors.As(err, &throttled) {
		return nil, &Refusal{"many invitations", "Enough invitations were mailed just now. Try again in " + words(throttled.Wait) + "."}
	}
	return try, err
}

// ResetLink makes a link by which a developer sets a new password, and mails it to
// them. Where there is no mail it is returned, for an administrator to hand on; where
// there is, nobody but its owner gets it: ErrNotMailed when it cannot be sent.
// Administrators get theirs themselves, by mail or on the command line: one must not be
// able to take the place of another (ErrNoReset).
func (i *Inviter) ResetLink(ctx context.Context, by store.By, user store.User) (link string, mailed bool, err error) {
	if user.Role == store.RoleAdmin || !user.Disabled.IsZero() {
		return "", false, ErrNoReset
	}
	token, err := newResetToken(ctx, i.store, user.ID, resetLife)
	if err != nil {
		return "", false, err
	}
	link = resetLink(i.public, token)
	if i.mailer != nil {
		subject, text := resetMail(link)
		if err := i.mailer.Send(ctx, user.Email, subject, text); err != nil {
			i.log.LogAttrs(ctx, slog.LevelError, "link for a new password was not mailed", slog.String("user", user.ID), slog.String("problem", err.Error()))
			return "", false, ErrNotMailed
		}
		link, mailed = "", true
	}
	return link, mailed, i.store.Record(ctx, by, "user.reset-link", "user", user.ID, nil)
}

// FirstAdmin returns a link by which the owner of an e-mail address becomes an
// administrator: an invitation, or, when the address has an account, a link that
// sets a new password. It is for whoever runs the portal, at its beginning or
// when no administrator gets in any more: the account is enabled, and loses its
// password and its second factor until the link is used. It is returned as it was
// before; zero = there was none.
func FirstAdmin(ctx context.Context, s *store.Store, publicURL, email string) (link string, before store.User, err error) {
	email, err = Address(email)
	if err != nil {
		return "", before, err
	}
	public := strings.TrimSuffix(publicURL, "/")
	before, err = s.UserByEmail(ctx, email)
	if errors.Is(err, store.ErrNotFound) {
		link, err = openInvitation(ctx, s.Invite, public, store.System, &store.Invitation{Email: email, Role: store.RoleAdmin})
		return link, before, err
	}
	if err != nil {
		return "", before, err
	}
	if err := recoverAdmin(ctx, s, before); err != nil {
		return "", before, err
	}
	token, err := newResetToken(ctx, s, before.ID, firstAdminLife)
	return resetLink(public, token), before, err
}

// recoverAdmin makes of a user an administrator who has neither a password nor a
// second factor.
func recoverAdmin(ctx context.Context, s *store.Store, user store.User) error {
	if err := s.SetPassword(ctx, store.System, user.ID, ""); err != nil {
		return err
	}
	if user.TOTP != nil {
		if err := s.RemoveTOTP(ctx, store.System, user.ID); err != nil {
			return err
		}
	}
	if user.Role != store.RoleAdmin {
		if err := s.SetRole(ctx, store.System, user.ID, store.RoleAdmin); err != nil {
			return err
		}
	}
	if !user.Disabled.IsZero() {
		return s.Enable(ctx, store.System, user.ID)
	}
	return nil
}

// opener is how the store makes an invitation.
type opener func(context.Context, store.By, store.Invitation) (store.Invitation, string, error)

// openInvitation fills an invitation, opens it and returns its link.
func openInvitation(ctx context.Context, open opener, public string, by store.By, invitation *store.Invitation) (string, error) {
	if invitation.Expires.IsZero() {
		invitation.Expires = time.Now().UTC().Add(invitationLife).Truncate(time.Second)
	}
	opened, token, err := open(ctx, by, *invitation)
	if err != nil {
		return "", err
	}
	*invitation = opened
	return public + "/invitation/" + url.PathEscape(token), nil
}
