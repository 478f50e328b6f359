package store

import (
	"context"
	"time"
)

// TeamRole is what a member may do in a team.
type TeamRole string

// The roles in teams.
const (
	TeamOwner  TeamRole = "owner"  // also members, names and the end of apps
	TeamMember TeamRole = "member" // also requests and credentials
	TeamViewer TeamRole = "viewer" // sees
)

// Team is a number of users who share apps.
type Team struct {
	ID      string
	Name    string
	Created time.Time
}

// Member is a user in a team.
type Member struct {
	User  User
	Role  TeamRole
	Since time.Time
}

// Membership is a team from its member's side.
type Membership struct {
	Team Team
	Role TeamRole
	Apps int // that are not archived
}

const teamColumns = "teams.id, teams.name, teams.created"

func scanTeam(r row) (Team, error) {
	var t Team
	err := r.Scan(&t.ID, &t.Name, stamped{&t.Created})
	return t, err
}

// CreateTeam makes a team, of which the user becomes an owner. ErrConflict when
// the name is taken, in whatever case, ErrFull when the user owns MaxTeams
// [team.create].
func (s *Store) CreateTeam(ctx context.Context, by By, name string) (Team, error) {
	t := Team{ID: newID("team"), Name: name, Created: s.seconds()}
	err := s.change(ctx, by, func(q queries) (act, error) {
		err := q.room(ctx, MaxTeams, "SELECT COUNT(*) FROM members WHERE user_id = ? AND role = 'owner'", by.UserID)
		if err != nil {
			return act{}, err
		}
		_, err = q.exec(ctx, "INSERT INTO teams (id, name, created) VALUES (?, ?, ?)", t.ID, t.Name, stamp(t.Created))
		if err == nil && by.UserID != "" {
			_, err = q.exec(ctx, "INSERT INTO members (team_id, user_id, role, since) VALUES (?, ?, ?, ?)",
				t.ID, by.UserID, TeamOwner, stamp(t.Created))
		}
		return act{"team.create", "team", t.ID, map[string]string{"name": t.Name}}, err
	})
	return t, err
}

// RenameTeam changes what a team is called. ErrConflict when the name is taken
// [team.rename].
func (s *Store) RenameTeam(ctx context.Context, by By, id, name string) error {
	return s.update(ctx, by, act{"team.rename", "team", id, map[string]string{"name": name}},
		"UPDATE teams SET name = ? WHERE id = ?", name, id)
}

// Team returns the team of an id.
func (s *Store) Team(ctx context.Context, id string) (Team, error) {
	return one(ctx, s.read(), scanTeam, "SELECT "+teamColumns+" FROM teams WHERE id = ?", id)
}

// Teams returns all teams whose name contains the text, by name.
func (s *Store) Teams(ctx context.Context, search string, page Page) (List[Team], error) {
	chosen := selection{columns: teamColumns, table: "teams", alias: "teams", order: "lower(name), id"}
	chosen.where.contains(search, "name")
	return list(ctx, s.read(), scanTeam, chosen, page)
}

// TeamsOf returns the teams of a user, by name.
func (s *Store) TeamsOf(ctx context.Context, userID string) ([]Membership, error) {
	scan := func(r row) (Membership, error) {
		var m Membership
		err := r.Scan(&m.Team.ID, &m.Team.Name, stamped{&m.Team.Created}, &m.Role, &m.Apps)
		return m, err
	}
	return all(ctx, s.read(), scan, "SELECT "+teamColumns+`, members.role,
			(SELECT COUNT(*) FROM apps WHERE apps.team_id = teams.id AND apps.archived = 0)
		FROM members JOIN teams ON teams.id = members.team_id
		WHERE members.user_id = ? ORDER BY lower(teams.name)`, userID)
}
