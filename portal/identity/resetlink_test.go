package identity

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/identity/identitytest"
	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

func TestResetLinkOfAnAdministrator(t *testing.T) {
	s := storetest.Open(t, storetest.SQLite)
	inviter := NewInviter(s, "https://portal.example", nil, nil)
	for name, user := range map[string]store.User{
		"dev": {Role: store.RoleDeveloper}, "boss": {Role: store.RoleAdmin},
	} {
		user.Email, user.Name = name+"@pacs.example", name
		made, err := s.CreateUser(t.Context(), store.System, user)
		require.NoError(t, err)
		link, mailed, err := inviter.ResetLink(t.Context(), store.System, made)
		if user.Role == store.RoleAdmin {
			require.ErrorIs(t, err, ErrNoReset, "an administrator does not take the place of another")
			continue
		}
		require.NoError(t, err)
		require.False(t, mailed)
		token := strings.TrimPrefix(link, "https://portal.example/reset-password?token=")
		owner, err := s.PeekToken(t.Context(), kindReset, token)
		require.NoError(t, err)
		require.Equal(t, made.ID, owner)
		acts, err := s.Acts(t.Context(), store.ActFilter{Name: "user.reset-link"}, store.Page{})
		require.NoError(t, err)
		require.Len(t, acts.Items, 1)
		require.NotContains(t, acts.Items[0].Detail, token)
	}
}

// Where there is mail, an administrator does not get the link, whatever happens to it.
func TestResetLinksAreMailedToTheirOwners(t *testing.T) {
	w := newWorld(t)
	user := w.user(ann)
	link, mailed, err := w.Inviter().ResetLink(w.ctx, by, user)
	require.NoError(t, err)
	require.True(t, mailed)
	require.Empty(t, link)
	mail := w.smtp.Next(t)
	require.Equal(t, ann, mail.To)
	owner, err := w.store.PeekToken(w.ctx, kindReset, tokenOf(t, mail.Link()))
	require.NoError(t, err)
	require.Equal(t, user.ID, owner)

	refusing := identitytest.NewSMTP(t, true, "STARTTLS")
	mailer, err := NewMailer(MailOptions{Address: refusing.Address, From: "portal@gate.example", Roots: refusing.Roots})
	require.NoError(t, err)
	link, mailed, err = NewInviter(w.store, portalURL, mailer, nil).ResetLink(w.ctx, by, user)
	require.Same(t, ErrNotMailed, err)
	require.False(t, mailed)
	require.Empty(t, link)
}
