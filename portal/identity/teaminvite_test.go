package identity

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/identity/identitytest"
	"fhirgate/portal/store"
)

// owner makes a user who owns a team.
func (w *world) owner() (store.By, store.Team) {
	w.t.Helper()
	by := byUser(by, w.user("owner@pacs.example"))
	team, err := w.store.CreateTeam(w.ctx, by, "Imaging")
	require.NoError(w.t, err)
	return by, team
}

// TestNobodyLearnsByAnInvitationWhoHasAnAccount invites an address that has an
// account, one of a disabled account, and one without: all is the same but the
// address and the token.
func TestNobodyLearnsByAnInvitationWhoHasAnAccount(t *testing.T) {
	w := newWorld(t)
	owner, team := w.owner()
	w.user("known@pacs.example")
	require.NoError(t, w.store.Disable(w.ctx, store.System, w.user("off@pacs.example").ID))
	silent := NewInviter(w.store, portalURL, nil, w.Service.log)
	var answers, texts, refusals []string
	for _, email := range []string{"known@pacs.example", "off@pacs.example", "nobody@pacs.example"} {
		invite := func() (string, bool, error) {
			return w.Inviter().InviteToTeam(w.ctx, owner, store.Invitation{Email: strings.ToUpper(email), TeamID: team.ID, TeamRole: store.TeamViewer})
		}
		before := len(w.acts())
		link, mailed, err := invite()
		require.NoError(t, err)
		require.True(t, mailed)
		require.Empty(t, link)
		mail := w.smtp.Next(t)
		require.Equal(t, email, mail.To)
		require.NotContains(t, mail.Text, "Imaging", "nothing that somebody has written")
		texts = append(texts, strings.ReplaceAll(mail.Text, mail.Link(), "LINK"))
		answers = append(answers, strings.Join(w.acts()[before:], ", "))
		invitation, err := w.Invitation(w.ctx, tokenOf(t, mail.Link()))
		require.NoError(t, err)
		require.Equal(t, store.TeamViewer, invitation.TeamRole)
		require.WithinDuration(t, time.Now().Add(invitationLife), invitation.Expires, time.Hour)

		for range freeOfMail - 1 {
			_, _, err = invite()
			require.NoError(t, err)
			w.smtp.Next(t)
		}
		var refusal *Refusal
		_, _, err = invite()
		require.ErrorAs(t, err, &refusal)
		refusals = append(refusals, refusal.Text)

		link, mailed, err = silent.InviteToTeam(w.ctx, owner, store.Invitation{Email: email, TeamID: team.ID})
		require.NoError(t, err)
		require.False(t, mailed)
		require.Contains(t, link, "/invitation/", "without mail it is handed on, in both cases")
	}
	for _, same := range [][]string{texts, answers, refusals} {
		require.Equal(t, []string{same[0], same[0], same[0]}, same)
	}
}

func TestInvitationsIntoATeamThatAreRefused(t *testing.T) {
	w := newWorld(t)
	owner, team := w.owner()
	invite := func(by store.By, email string) error {
		_, _, err := w.Inviter().InviteToTeam(w.ctx, by, store.Invitation{Email: email, TeamID: team.ID})
		return err
	}
	require.Same(t, ErrAddress, invite(owner, "nonsense"))
	for range 2 * freeOfMail {
		require.ErrorIs(t, invite(owner, "Owner@pacs.example"), store.ErrConflict, "what is not mailed does not count")
	}
	require.ErrorIs(t, invite(byUser(by, w.user(ann)), "x@pacs.example"), store.ErrNotFound, "not an owner")
	require.Zero(t, w.smtp.Waiting())
}

// TestInvitationIntoATeamWhenMailFails: whoever opens a link sees whether its address
// has an account, so that it goes to nobody else.
func TestInvitationIntoATeamWhenMailFails(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		refusing := identitytest.NewSMTP(t, true, "STARTTLS")
		var err error
		o.Mailer, err = NewMailer(MailOptions{Address: refusing.Address, From: "portal@gate.example", Roots: refusing.Roots})
		require.NoError(t, err)
	})
	owner, team := w.owner()
	known := w.user(ann)
	for _, email := range []string{ann, "nobody@pacs.example"} {
		link, mailed, err := w.Inviter().InviteToTeam(w.ctx, owner, store.Invitation{Email: email, TeamID: team.ID})
		require.Same(t, ErrNotMailed, err)
		require.False(t, mailed)
		require.Empty(t, link)
	}
	open, err := w.store.InvitationsInto(w.ctx, team.ID)
	require.NoError(t, err)
	require.Empty(t, open)
	waiting, err := w.store.InvitationsOf(w.ctx, known.ID)
	require.NoError(t, err)
	require.Empty(t, waiting)
	require.Contains(t, w.log.String(), "invitation was not mailed")
	require.NotContains(t, w.log.String(), "pacs.example")
}
