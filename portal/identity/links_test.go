package identity

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/identity/identitytest"
	"fhirgate/portal/store"
)

const fresh = "another four words"

func TestForgottenPassword(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann)
	require.NoError(t, w.RequestReset(w.ctx, by, " Ann@PACS.example"))
	mail := w.smtp.Next(t)
	require.Equal(t, ann, mail.To)
	require.Equal(t, "portal@gate.example", mail.From)
	require.Equal(t, "Set a new password", mail.Subject)
	require.Equal(t, "auto-generated", mail.Header.Get("Auto-Submitted"))
	require.Regexp(t, `^<[A-Z2-7]+@gate\.example>$`, mail.Header.Get("Message-ID"), "it does not tell the name of this machine")
	require.Contains(t, mail.Text, "within 60 minutes")
	require.True(t, mail.Secure)
	token := tokenOf(t, mail.Link())

	owner, err := w.ResetOwner(w.ctx, token)
	require.NoError(t, err)
	require.Equal(t, u.ID, owner.ID)
	var refusal *Refusal
	require.ErrorAs(t, w.ResetPassword(w.ctx, by, token, "short"), &refusal)
	require.NoError(t, w.ResetPassword(w.ctx, by, token, fresh), "a password that is refused does not use up the link")
	require.Greater(t, w.again(u).Edition, u.Edition, "all sessions are over")
	_, err = w.Login(w.ctx, by, ann, fresh)
	require.NoError(t, err)

	require.Same(t, ErrLink, w.ResetPassword(w.ctx, by, token, "yet another four words"), "each link once")
	_, err = w.ResetOwner(w.ctx, token)
	require.Same(t, ErrLink, err)
}

func TestResetEndsTheDelay(t *testing.T) {
	for name, before := range map[string]bool{"from a new address": false, "from one of before": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.user(ann)
			if before {
				require.NoError(t, w.SignedIn(w.ctx, by, u))
			}
			for range freeOfAccount + 1 {
				w.fails(ann, by)
			}
			require.NoError(t, w.RequestReset(w.ctx, by, ann))
			require.NoError(t, w.ResetPassword(w.ctx, by, tokenOf(t, w.smtp.Next(t).Link()), fresh))
			_, err := w.Login(w.ctx, by, ann, fresh)
			require.NoError(t, err)
		})
	}
}

// TestTheTrailTellsWhoMadeAnAccount by an invitation, in whose browser it was.
func TestTheTrailTellsWhoMadeAnAccount(t *testing.T) {
	w := newWorld(t)
	boss := byUser(by, w.user("boss@pacs.example", admin))
	for email, made := range map[string]store.By{"carl@elsewhere.example": by, "dora@elsewhere.example": boss} {
		_, _, err := w.Inviter().Invite(w.ctx, boss, store.Invitation{Email: email, Role: store.RoleDeveloper})
		require.NoError(t, err)
		u, err := w.AcceptInvitation(w.ctx, made, tokenOf(t, w.smtp.Next(t).Link()), "Somebody", fresh)
		require.NoError(t, err)
		found, err := w.store.Acts(w.ctx, store.ActFilter{Name: "user.create", Subjects: []string{u.ID}}, store.Page{})
		require.NoError(t, err)
		require.Len(t, found.Items, 1)
		require.Equal(t, made.UserID, found.Items[0].UserID)
		require.Equal(t, cmp.Or(made.Name, email), found.Items[0].UserName)
	}
}

func TestLinksThatAreOver(t *testing.T) {
	w := newWorld(t)
	u := w.user(ann)
	require.NoError(t, w.RequestReset(w.ctx, by, ann))
	first := tokenOf(t, w.smtp.Next(t).Link())
	require.NoError(t, w.RequestReset(w.ctx, by, ann))
	second := tokenOf(t, w.smtp.Next(t).Link())
	require.NoError(t, w.SignUp(w.ctx, by, "bob@pacs.example"))
	verify := tokenOf(t, w.smtp.Next(t).Link())

	check := func(name, token string) {
		t.Helper()
		require.Same(t, ErrLink, w.ResetPassword(w.ctx, by, token, fresh), name)
	}
	check("an earlier one", first)
	check("of another kind", verify)
	check("none", "")
	check("unknown", strings.Repeat("A", 43))
	_, err := w.FinishSignUp(w.ctx, by, second, "Ann", fresh)
	require.Same(t, ErrLink, err, "of another kind")
	w.clock.pass(resetLife)
	check("too late", second)

	require.NoError(t, w.RequestReset(w.ctx, by, ann))
	third := tokenOf(t, w.smtp.Next(t).Link())
	require.NoError(t, w.store.Disable(w.ctx, store.System, u.ID))
	check("of a disabled account", third)
	w.clock.pass(verifyLife)
	_, err = w.Verified(w.ctx, verify)
	require.Same(t, ErrLink, err)
}

// Nobody learns from answers or mails whether an account exists.
func TestNoMailGoesToStrangers(t *testing.T) {
	w := newWorld(t)
	gone := w.user("gone@pacs.example")
	require.NoError(t, w.store.Disable(w.ctx, store.System, gone.ID))
	require.NoError(t, w.RequestReset(w.ctx, by, "nobody@pacs.example"))
	require.NoError(t, w.RequestReset(w.ctx, by, "gone@pacs.example"))
	w.Close()
	require.Zero(t, w.smtp.Waiting())
	require.Empty(t, w.log.String())
}

func TestSignUp(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.SignUp(w.ctx, by, "Bob@Pacs.Example"))
	mail := w.smtp.Next(t)
	require.Equal(t, "bob@pacs.example", mail.To)
	require.Contains(t, mail.Text, "within 24 hours")
	token := tokenOf(t, mail.Link())
	email, err := w.Verified(w.ctx, token)
	require.NoError(t, err)
	require.Equal(t, "bob@pacs.example", email)

	for name, test := range map[string]struct{ name, password, reason string }{
		"no name":       {"  ", fresh, "name"},
		"a long name":   {strings.Repeat("ü", 81), fresh, "name"},
		"no text":       {"\xff", fresh, "name"},
		"weak password": {"Bob", "bob", "weak password"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.FinishSignUp(w.ctx, by, token, test.name, test.password)
			var refusal *Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, test.reason, refusal.Reason)
		})
	}
	u, err := w.FinishSignUp(w.ctx, by, token, " Bob   Builder ", fresh)
	require.NoError(t, err)
	require.Equal(t, "Bob Builder", u.Name)
	require.Equal(t, store.RoleDeveloper, u.Role)
	_, err = w.FinishSignUp(w.ctx, by, token, "Bob", fresh)
	require.Same(t, ErrLink, err, "each link once")

	require.NoError(t, w.SignUp(w.ctx, by, "bob@pacs.example"), "the same answer")
	mail = w.smtp.Next(t)
	require.Equal(t, "You have an account already", mail.Subject)
	require.NotContains(t, mail.Text, "token")
}

func TestSignUpsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	w.user("member@elsewhere.example")
	for email, want := range map[string]error{
		"nonsense": ErrAddress, "bob@elsewhere.example": ErrDomain, "member@elsewhere.example": ErrDomain,
		"bob@sub.pacs.example": ErrDomain, "bob@notpacs.example": ErrDomain, "bob@pacs.example.evil.example": ErrDomain,
	} {
		require.Same(t, want, w.SignUp(w.ctx, by, email), email)
	}
	silent := newWorld(t, func(o *Options) { o.Mailer = nil })
	require.Same(t, ErrNoMail, silent.SignUp(w.ctx, by, "bob@pacs.example"))
	require.Same(t, ErrNoMail, silent.RequestReset(w.ctx, by, ann))
	require.Empty(t, silent.SignUpDomains())
	require.Equal(t, []string{"pacs.example"}, w.SignUpDomains())
}

func TestTwoWhoFinishAtOnce(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.SignUp(w.ctx, by, "bob@pacs.example"))
	token := tokenOf(t, w.smtp.Next(t).Link())
	w.user("bob@pacs.example") // by an invitation, meanwhile
	_, err := w.FinishSignUp(w.ctx, by, token, "Bob", fresh)
	require.Same(t, ErrTaken, err)
}

func TestMailboxesAreNotFlooded(t *testing.T) {
	w := newWorld(t)
	w.user(ann)
	var throttled *Throttled
	for _, email := range []string{ann, "nobody@pacs.example"} {
		for i := range freeOfMail {
			require.NoError(t, w.RequestReset(w.ctx, from(i), email))
		}
		require.ErrorAs(t, w.RequestReset(w.ctx, from(9), email), &throttled, "the same for both")
		require.ErrorAs(t, w.SignUp(w.ctx, from(9), email), &throttled)
	}
	w.Close()
	require.Equal(t, freeOfMail, w.smtp.Waiting())
	for i := range freeOfAddress {
		require.NoError(t, w.RequestReset(w.ctx, from(200), strings.Repeat("x", i+1)+"@pacs.example"))
	}
	require.ErrorAs(t, w.RequestReset(w.ctx, from(200), "other@pacs.example"), &throttled)
}

func TestInvitations(t *testing.T) {
	w := newWorld(t)
	boss := w.user("boss@pacs.example", admin)
	team, err := w.store.CreateTeam(w.ctx, byUser(by, boss), "Imaging")
	require.NoError(t, err)
	link, mailed, err := w.Inviter().Invite(w.ctx, byUser(by, boss), store.Invitation{
		Email: " Carl@Elsewhere.example", Role: store.RoleDeveloper, TeamID: team.ID, TeamRole: store.TeamMember,
	})
	require.NoError(t, err)
	require.True(t, mailed)
	require.Empty(t, link, "the mail shows that the address is its owner's")
	mail := w.smtp.Next(t)
	require.Equal(t, "carl@elsewhere.example", mail.To)
	require.NotContains(t, mail.Text, "Imaging", "nothing that somebody has written")
	token := tokenOf(t, mail.Link())
	invitation, err := w.Invitation(w.ctx, token)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(invitationLife), invitation.Expires, time.Hour)

	_, err = w.AcceptInvitation(w.ctx, by, token, "Carl", "carl carl carl")
	require.ErrorContains(t, err, "weak password")
	u, err := w.AcceptInvitation(w.ctx, by, token, "Carl", fresh)
	require.NoError(t, err)
	require.Equal(t, "carl@elsewhere.example", u.Email)
	role, err := w.store.RoleIn(w.ctx, u.ID, team.ID)
	require.NoError(t, err)
	require.Equal(t, store.TeamMember, role)
	_, err = w.AcceptInvitation(w.ctx, by, token, "Carl", fresh)
	require.Same(t, ErrLink, err, "each once")
}

func TestMailboxesAreNotFloodedWithInvitations(t *testing.T) {
	w := newWorld(t)
	boss := byUser(by, w.user("boss@pacs.example", admin))
	var refusal *Refusal
	invite := func(email string) error {
		_, _, err := w.Inviter().Invite(w.ctx, boss, store.Invitation{Email: email, Role: store.RoleDeveloper})
		return err
	}
	for range freeOfMail {
		require.NoError(t, invite("victim@elsewhere.example"))
	}
	require.ErrorAs(t, invite(" Victim@elsewhere.example"), &refusal)
	require.Equal(t, "many invitations", refusal.Reason)
	require.Equal(t, freeOfMail, w.smtp.Waiting())
	require.NoError(t, invite("other@elsewhere.example"))
	w.clock.pass(time.Second)
	require.NoError(t, invite("victim@elsewhere.example"), "by the service's clock")
	for range freeOfInviter {
		require.NoError(t, w.store.AddFailure(w.ctx, counterOf("invitations of", boss.UserID, freeOfInviter).name))
	}
	require.ErrorAs(t, invite("third@elsewhere.example"), &refusal)
}

func TestInvitationsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	w.user(ann)
	for email, want := range map[string]error{ann: ErrTaken, "nonsense": ErrAddress, "": ErrAddress} {
		_, _, err := w.Inviter().Invite(w.ctx, by, store.Invitation{Email: email, Role: store.RoleDeveloper})
		require.Same(t, want, err, email)
	}
	without := NewInviter(w.store, portalURL, nil, w.Service.log)
	link, mailed, err := without.Invite(w.ctx, by, store.Invitation{Email: "carl@elsewhere.example", Role: store.RoleDeveloper, Expires: w.clock.Now().Add(time.Hour)})
	require.NoError(t, err)
	require.False(t, mailed)
	token := tokenOf(t, link)
	invitation, err := w.Invitation(w.ctx, token)
	require.NoError(t, err)
	require.NoError(t, w.store.WithdrawInvitation(w.ctx, by, invitation.ID))
	_, err = w.AcceptInvitation(w.ctx, by, token, "Carl", fresh)
	require.Same(t, ErrLink, err, "withdrawn")

	link, _, err = without.Invite(w.ctx, by, store.Invitation{Email: "carl@elsewhere.example", Role: store.RoleDeveloper, Expires: w.clock.Now().Add(time.Hour)})
	require.NoError(t, err)
	w.clock.pass(time.Hour)
	_, err = w.Invitation(w.ctx, tokenOf(t, link))
	require.Same(t, ErrLink, err, "too late")
}

// TestInvitationWhenMailFails: with the link of an invitation to an address that takes
// no mail, an administrator would be two people.
func TestInvitationWhenMailFails(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		refusing := identitytest.NewSMTP(t, true, "STARTTLS")
		var err error
		o.Mailer, err = NewMailer(MailOptions{Address: refusing.Address, From: "portal@gate.example", Roots: refusing.Roots})
		require.NoError(t, err)
	})
	link, mailed, err := w.Inviter().Invite(w.ctx, by, store.Invitation{Email: "carl@elsewhere.example", Role: store.RoleDeveloper})
	require.Same(t, ErrNotMailed, err)
	require.False(t, mailed)
	require.Empty(t, link)
	invitations, err := w.store.Invitations(w.ctx, store.Page{})
	require.NoError(t, err)
	require.Len(t, invitations.Items, 1)
	require.False(t, invitations.Items[0].Open(w.clock.Now()))
	require.NoError(t, w.SignUp(w.ctx, by, "bob@pacs.example"))
	w.Close()
	require.Contains(t, w.log.String(), "invitation was not mailed")
	require.Contains(t, w.log.String(), "mail was not sent")
	for _, private := range []string{"carl", "bob", "elsewhere", "pacs.example"} {
		require.NotContains(t, w.log.String(), private)
	}
}

func TestFirstAdmin(t *testing.T) {
	w := newWorld(t)
	_, _, err := FirstAdmin(w.ctx, w.store, portalURL, "nonsense")
	require.Same(t, ErrAddress, err)
	link, before, err := FirstAdmin(w.ctx, w.store, portalURL, "Boss@pacs.example")
	require.NoError(t, err)
	require.Zero(t, before)
	u, err := w.AcceptInvitation(w.ctx, by, tokenOf(t, link), "Boss", password)
	require.NoError(t, err)
	require.Equal(t, store.RoleAdmin, u.Role)
	u, _, _ = w.enrolled(u)

	link, before, err = FirstAdmin(w.ctx, w.store, portalURL, "boss@pacs.example")
	require.NoError(t, err)
	require.True(t, before.HasSecondFactor())
	require.False(t, w.again(u).HasSecondFactor())
	_, err = w.Login(w.ctx, by, u.Email, password)
	require.Same(t, ErrCredentials, err, "who knows only the old password does not get in meanwhile")
	require.NoError(t, w.ResetPassword(w.ctx, by, tokenOf(t, link), fresh))
	_, err = w.Login(w.ctx, by, u.Email, fresh)
	require.NoError(t, err)

	dev := w.user(ann)
	require.NoError(t, w.store.Disable(w.ctx, store.System, dev.ID))
	link, before, err = FirstAdmin(w.ctx, w.store, portalURL, ann)
	require.NoError(t, err)
	require.Equal(t, store.RoleDeveloper, before.Role)
	require.Contains(t, w.acts(), "user.no-password")
	require.NoError(t, w.ResetPassword(w.ctx, by, tokenOf(t, link), fresh))
	u, err = w.Login(w.ctx, by, ann, fresh)
	require.NoError(t, err)
	require.Equal(t, store.RoleAdmin, u.Role)
}
