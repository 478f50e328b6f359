package store

import (
	"cmp"
	"context"
	"time"
)

// Invitation lets the owner of an e-mail address make an account, or join a team
// with the one that there is.
type Invitation struct {
	ID        string
	Email     string
	Role      Role
	TeamID    string // team that the user joins; "" = none
	TeamRole  TeamRole
	InvitedBy string // id of a user; "" = the system
	Created   time.Time
	Expires   time.Time
	Accepted  time.Time // zero = not yet
	Withdrawn time.Time // zero = not
}

// Open reports whether the invitation can be accepted at the given time.
func (i Invitation) Open(now time.Time) bool {
	return i.Accepted.IsZero() && i.Withdrawn.IsZero() && now.Before(i.Expires)
}

const invitationColumns = "id, email, role, COALESCE(team_id, ''), team_role, invited_by, created, expires, accepted, withdrawn"

func (i *Invitation) columns() []any {
	return []any{
		&i.ID, &i.Email, &i.Role, &i.TeamID, &i.TeamRole, &i.InvitedBy,
		stamped{&i.Created},
		stamped{&i.Expires},
		stamped{&i.Accepted},
		stamped{&i.Withdrawn},
	}
}

func scanInvitation(r row) (Invitation, error) {
	var i Invitation
	err := r.Scan(i.columns()...)
	return i, err
}

// Invite makes an invitation, by default of a developer and as a member of the
// team, and returns the token of its link, which is stored hashed only.
// ErrConflict when the address has an account, ErrNotFound when there is no such
// team [invitation.create].
func (s *Store) Invite(ctx context.Context, by By, invitation Invitation) (Invitation, string, error) {
	return s.invite(ctx, by, invitation, func(q queries, i Invitation) error {
		known, err := one(ctx, q, value[int], "SELECT COUNT(*) FROM users WHERE email = ?", i.Email)
		if err == nil && known > 0 {
			err = ErrConflict
		}
		return err
	})
}

// invite makes an invitation unless it may not be.
func (s *Store) invite(ctx context.Context, by By, i Invitation, mayBe func(queries, Invitation) error) (Invitation, string, error) {
	token := newToken()
	i.ID, i.Email, i.InvitedBy, i.Created = newID("inv"), address(i.Email), by.UserID, s.seconds()
	i.Role, i.Accepted, i.Withdrawn = cmp.Or(i.Role, RoleDeveloper), time.Time{}, time.Time{}
	i.TeamRole = cmp.Or(i.TeamRole, TeamMember)
	if i.TeamID == "" {
		i.TeamRole = ""
	}
	err := s.change(ctx, by, func(q queries) (act, error) {
		if err := mayBe(q, i); err != nil {
			return act{}, err
		}
		_, err := q.exec(ctx, `INSERT INTO invitations
			(id, email, role, team_id, team_role, invited_by, token_hash, created, expires)
			VALUES (?, ?, ?, NULLIF(CAST(? AS TEXT), ''), ?, ?, ?, ?, ?)`,
			i.ID, i.Email, i.Role, i.TeamID, i.TeamRole, i.InvitedBy, hashed(token), stamp(i.Created), stamp(i.Expires))
		return act{"invitation.create", "invitation", i.ID, map[string]string{
			"email": i.Email, "role": string(i.Role), "team": i.TeamID, "team_role": string(i.TeamRole),
		}}, err
	})
	return i, token, err
}

// InvitationByToken returns the invitation of a link as long as it can be
// accepted.
func (s *Store) InvitationByToken(ctx context.Context, token string) (Invitation, error) {
	return s.openInvitation(ctx, s.read(), token)
}

func (s *Store) openInvitation(ctx context.Context, q queries, token string) (Invitation, error) {
	return one(ctx, q, scanInvitation, "SELECT "+invitationColumns+` FROM invitations
		WHERE token_hash = ? AND accepted = 0 AND withdrawn = 0 AND expires > ?`, hashed(token), stamp(s.now()))
}

// AcceptInvitation makes the account of an invitation, with the name and the
// password or the subject of the user that is given, and lets it join the team.
// Other invitations of the address are void from then on, but for those into other
// teams: they wait for JoinTeam. ErrNotFound when the invitation is not open any
// more, ErrConflict when the address has an account [user.create].
func (s *Store) AcceptInvitation(ctx context.Context, by By, token string, user User) (User, error) {
	err := s.change(ctx, by, func(q queries) (act, error) {
		i, err := s.openInvitation(ctx, q, token)
		if err != nil {
			return act{}, err
		}
		user.Email, user.Role = i.Email, i.Role
		if user, err = s.insertUser(ctx, q, user); err != nil {
			return act{}, err
		}
		err = q.accept(ctx, i, user.ID, user.Created)
		return act{"user.create", "user", user.ID, map[string]string{
			"email": i.Email, "role": string(i.Role), "team": i.TeamID, "team_role": string(i.TeamRole), "invitation": i.ID,
		}}, err
	})
	return user, err
}

// accept notes that a user has accepted an invitation, and lets them join its team.
// What else was to make an account of the address, or was into the same team, is
// void.
func (q queries) accept(ctx context.Context, i Invitation, userID string, now time.Time) error {
	if _, err := q.exec(ctx, "UPDATE invitations SET accepted = ? WHERE id = ?", stamp(now), i.ID); err != nil {
		return err
	}
	_, err := q.exec(ctx, `UPDATE invitations SET withdrawn = ? WHERE email = ? AND accepted = 0 AND withdrawn = 0
		AND (role <> 'developer' OR team_id IS NULL OR team_id = ?)`, stamp(now), i.Email, i.TeamID)
	if err == nil && i.TeamID != "" {
		_, err = q.exec(ctx, "INSERT INTO members (team_id, user_id, role, since) VALUES (?, ?, ?, ?)",
			i.TeamID, userID, i.TeamRole, stamp(now))
	}
	return err
}

// Invitations returns all invitations, newest first.
func (s *Store) Invitations(ctx context.Context, page Page) (List[Invitation], error) {
	chosen := selection{columns: invitationColumns, table: "invitations", alias: "i", order: "created DESC, id"}
	return list(ctx, s.read(), scanInvitation, chosen, page)
}

// WithdrawInvitation makes an invitation void. ErrConflict when it was accepted
// or withdrawn [invitation.withdraw].
func (s *Store) WithdrawInvitation(ctx context.Context, by By, id string) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		return act{"invitation.withdraw", "invitation", id, nil}, q.move(ctx, "invitations", id,
			"UPDATE invitations SET withdrawn = ? WHERE id = ? AND accepted = 0 AND withdrawn = 0", stamp(s.now()), id)
	})
}

// withdrawInvitationsOf makes the open invitations of a user void who may not
// invite any more: all of them, or those into a team. Nobody comes back by one
// that they have sent to themselves. Administrators may invite into every team
// [invitation.withdraw for each].
func (s *Store) withdrawInvitationsOf(ctx context.Context, q queries, by By, userID, teamID string) error {
	var chosen conditions
	chosen.add("invited_by = ?", userID)
	chosen.add("NOT EXISTS (SELECT 1 FROM users WHERE id = invited_by AND role = 'admin' AND disabled = 0)")
	chosen.is("team_id", teamID)
	return s.withdrawAll(ctx, q, by, "who invited may not any more", chosen)
}

// withdrawAll makes all invitations that are chosen void, if they are open
// [invitation.withdraw for each].
func (s *Store) withdrawAll(ctx context.Context, q queries, by By, reason string, chosen conditions) error {
	chosen.add("accepted = 0 AND withdrawn = 0")
	void, err := all(ctx, q, value[string], "UPDATE invitations SET withdrawn = ?"+chosen.String()+" RETURNING id",
		append([]any{stamp(s.now())}, chosen.args...)...)
	if err != nil {
		return err
	}
	for _, id := range void {
		detail := map[string]string{"reason": reason}
		if err := s.appendAct(ctx, q, by, act{"invitation.withdraw", "invitation", id, detail}); err != nil {
			return err
		}
	}
	return nil
}
