package store

import (
	"context"
	"slices"
)

// Members returns the members of a team, by name.
func (s *Store) Members(ctx context.Context, teamID string) ([]Member, error) {
	scan := func(r row) (Member, error) {
		var m Member
		err := r.Scan(append(m.User.columns(), &m.Role, stamped{&m.Since})...)
		return m, err
	}
	return all(ctx, s.read(), scan, `SELECT `+prefixed("u.", userColumns)+`, members.role, members.since
		FROM members JOIN users u ON u.id = members.user_id
		WHERE members.team_id = ? ORDER BY lower(u.name), u.id`, teamID)
}

// RoleIn returns what a user is in a team, or ErrNotFound.
func (s *Store) RoleIn(ctx context.Context, userID, teamID string) (TeamRole, error) {
	return one(ctx, s.read(), value[TeamRole], "SELECT role FROM members WHERE team_id = ? AND user_id = ?", teamID, userID)
}

// SetMember changes what a member is in a team. ErrNotFound for who is none: nobody
// is put into a team by it, not even back into one that they are just leaving.
// ErrConflict for the last owner who may sign in [team.member].
func (s *Store) SetMember(ctx context.Context, by By, teamID, userID string, role TeamRole) error {
	done := act{"team.member", "team", teamID, map[string]string{"user": userID, "role": string(role)}}
	return s.changeMember(ctx, by, done, userID,
		"UPDATE members SET role = ? WHERE team_id = ? AND user_id = ?", role, teamID, userID)
}

// RemoveMember takes a user out of a team. ErrConflict for the last owner who may
// sign in [team.member-removed].
func (s *Store) RemoveMember(ctx context.Context, by By, teamID, userID string) error {
	done := act{"team.member-removed", "team", teamID, map[string]string{"user": userID}}
	return s.changeMember(ctx, by, done, userID, "DELETE FROM members WHERE team_id = ? AND user_id = ?", teamID, userID)
}

// changeMember changes what a user is in the team that the act is about, so that an
// owner who may sign in remains if there was one. Who is no owner then has no open
// invitations into it.
func (s *Store) changeMember(ctx context.Context, by By, done act, userID, statement string, args ...any) error {
	teamID := done.subject
	return s.change(ctx, by, func(q queries) (act, error) {
		before, err := q.owners(ctx, teamID)
		if err != nil {
			return act{}, err
		}
		if err := q.mustChange(ctx, ErrNotFound, statement, args...); err != nil {
			return act{}, err
		}
		after, err := q.owners(ctx, teamID)
		if err == nil && len(before) > 0 && len(after) == 0 {
			err = ErrConflict
		}
		if err == nil && !slices.Contains(after, userID) {
			err = s.withdrawInvitationsOf(ctx, q, by, userID, teamID)
		}
		return done, err
	})
}

// owners returns the ids of the owners of a team who may sign in.
func (q queries) owners(ctx context.Context, teamID string) ([]string, error) {
	return all(ctx, q, value[string], `SELECT u.id FROM members JOIN users u ON u.id = members.user_id
		WHERE members.team_id = ? AND members.role = 'owner' AND u.disabled = 0`, teamID)
}
