package store

import "context"

// TeamInvitation is an open invitation into a team, with the names that people
// know.
type TeamInvitation struct {
	Invitation
	TeamName      string
	InvitedByName string // "" = the system
}

// openIntoTeam holds for invitations that somebody with an account can join by. One
// of an administrator is none of them: it is for a new account only, so that joining
// changes nothing but who is in a team.
const openIntoTeam = "role = 'developer' AND team_id IS NOT NULL AND accepted = 0 AND withdrawn = 0 AND expires > ?"

// forUser holds for invitations of the address of a user who is not disabled.
const forUser = "email = (SELECT users.email FROM users WHERE users.id = ? AND users.disabled = 0)"

// teamInvitations returns the invitations that can be joined by, and meet a
// condition, the newest first.
func (s *Store) teamInvitations(ctx context.Context, q queries, condition string, args ...any) ([]TeamInvitation, error) {
	scan := func(r row) (TeamInvitation, error) {
		var i TeamInvitation
		err := r.Scan(append(i.columns(), &i.TeamName, &i.InvitedByName)...)
		return i, err
	}
	return all(ctx, q, scan, "SELECT "+invitationColumns+`,
			(SELECT teams.name FROM teams WHERE teams.id = team_id),
			COALESCE((SELECT users.name FROM users WHERE users.id = invited_by), '')
		FROM invitations WHERE `+openIntoTeam+" AND "+condition+" ORDER BY created DESC, id",
		append([]any{stamp(s.now())}, args...)...)
}

// InvitationsInto returns the open invitations into a team, the newest first.
func (s *Store) InvitationsInto(ctx context.Context, teamID string) ([]TeamInvitation, error) {
	return s.teamInvitations(ctx, s.read(), "team_id = ?", teamID)
}

// InvitationsOf returns the open invitations into teams that are made for the
// address of a user, the newest first.
func (s *Store) InvitationsOf(ctx context.Context, userID string) ([]TeamInvitation, error) {
	return s.teamInvitations(ctx, s.read(), forUser, userID)
}

// invitationOf returns one of InvitationsOf, or ErrNotFound.
func (s *Store) invitationOf(ctx context.Context, q queries, userID, id string) (TeamInvitation, error) {
	found, err := s.teamInvitations(ctx, q, forUser+" AND id = ?", userID, id)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return TeamInvitation{}, err
	}
	return found[0], nil
}

// InviteToTeam makes an invitation into a team, by default as a member, and returns
// the token of its link. Who has an account joins by JoinTeam, who has none makes
// one by AcceptInvitation; nothing tells whoever invites which of both it is. An
// earlier invitation of the address into the team is void. ErrConflict when the
// owner of the address is in the team, ErrNotFound when there is no such team or
// whoever invites neither owns it nor is an administrator, ErrFull when the team has
// MaxInvitations [invitation.create].
func (s *Store) InviteToTeam(ctx context.Context, by By, invitation Invitation) (Invitation, string, error) {
	invitation.Role = RoleDeveloper
	return s.invite(ctx, by, invitation, func(q queries, i Invitation) error {
		may, err := one(ctx, q, value[int], `SELECT COUNT(*) FROM teams JOIN users u ON u.id = ? AND u.disabled = 0
			WHERE teams.id = ? AND (u.role = 'admin' OR EXISTS
				(SELECT 1 FROM members WHERE team_id = teams.id AND user_id = u.id AND role = 'owner'))`, by.UserID, i.TeamID)
		if err == nil && may == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		in, err := one(ctx, q, value[int], `SELECT COUNT(*) FROM members JOIN users u ON u.id = members.user_id
			WHERE members.team_id = ? AND u.email = ?`, i.TeamID, i.Email)
		if err == nil && in > 0 {
			err = ErrConflict
		}
		if err != nil {
			return err
		}
		var earlier conditions
		earlier.add("role = 'developer'")
		earlier.add("team_id = ?", i.TeamID)
		earlier.add("email = ?", i.Email)
		if err := s.withdrawAll(ctx, q, by, "invited again", earlier); err != nil {
			return err
		}
		return q.room(ctx, MaxInvitations, "SELECT COUNT(*) FROM invitations WHERE "+openIntoTeam+" AND team_id = ?", stamp(s.now()), i.TeamID)
	})
}

// JoinTeam lets whoever does it join the team of one of their InvitationsOf. What
// they are in the portal stays as it is. ErrNotFound when it is none of them (any
// more) [team.member].
func (s *Store) JoinTeam(ctx context.Context, by By, id string) (TeamInvitation, error) {
	var joined TeamInvitation
	err := s.change(ctx, by, func(q queries) (act, error) {
		var err error
		if joined, err = s.invitationOf(ctx, q, by.UserID, id); err != nil {
			return act{}, err
		}
		return act{"team.member", "team", joined.TeamID, map[string]string{
			"user": by.UserID, "role": string(joined.TeamRole), "invitation": id,
		}}, q.accept(ctx, joined.Invitation, by.UserID, s.now())
	})
	return joined, err
}

// DeclineInvitation makes one of the InvitationsOf whoever does it void. ErrNotFound
// when it is none of them (any more) [invitation.withdraw].
func (s *Store) DeclineInvitation(ctx context.Context, by By, id string) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		if _, err := s.invitationOf(ctx, q, by.UserID, id); err != nil {
			return act{}, err
		}
		_, err := q.exec(ctx, "UPDATE invitations SET withdrawn = ? WHERE id = ?", stamp(s.now()), id)
		return act{"invitation.withdraw", "invitation", id, map[string]string{"reason": "declined"}}, err
	})
}
