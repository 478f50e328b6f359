package store

import "context"

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
// ErrConflict for the last owner [team.member].
func (s *Store) SetMember(ctx context.Context, by By, teamID, userID string, role TeamRole) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		err := q.mustChange(ctx, ErrNotFound, "UPDATE members SET role = ? WHERE team_id = ? AND user_id = ?", role, teamID, userID)
		if err == nil && role != TeamOwner {
			err = s.leftOwners(ctx, q, by, teamID, userID)
		}
		return act{"team.member", "team", teamID, map[string]string{"user": userID, "role": string(role)}}, err
	})
}

// RemoveMember takes a user out of a team. ErrConflict for the last owner
// [team.member-removed].
func (s *Store) RemoveMember(ctx context.Context, by By, teamID, userID string) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		err := q.mustChange(ctx, ErrNotFound, "DELETE FROM members WHERE team_id = ? AND user_id = ?", teamID, userID)
		if err == nil {
			err = s.leftOwners(ctx, q, by, teamID, userID)
		}
		return act{"team.member-removed", "team", teamID, map[string]string{"user": userID}}, err
	})
}

// leftOwners sees to a user who is no owner of a team now: others must be, and the
// user's invitations into the team are void.
func (s *Store) leftOwners(ctx context.Context, q queries, by By, teamID, userID string) error {
	if err := q.hasOwner(ctx, teamID); err != nil {
		return err
	}
	return s.withdrawInvitationsOf(ctx, q, by, userID, teamID)
}

// hasOwner returns ErrConflict when a team has no owner any more.
func (q queries) hasOwner(ctx context.Context, teamID string) error {
	owners, err := one(ctx, q, value[int], "SELECT COUNT(*) FROM members WHERE team_id = ? AND role = 'owner'", teamID)
	if err == nil && owners == 0 {
		err = ErrConflict
	}
	return err
}
