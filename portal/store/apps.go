package store

import (
	"context"
	"time"
)

// App is a program of a team.
type App struct {
	ID          string
	TeamID      string
	TeamName    string
	Name        string
	Description string
	CreatedBy   string // id of a user
	Created     time.Time
	Archived    time.Time // zero = not
}

const (
	appColumns = `apps.id, apps.team_id, teams.name, apps.name, apps.description, apps.created_by, apps.created, apps.archived`
	appTables  = ` FROM apps JOIN teams ON teams.id = apps.team_id `

	// appsLike are the apps that have a text in their name or their team's.
	appsLike = "(SELECT apps.id" + appTables + "WHERE apps.name" + like + " OR teams.name" + like + ")"
)

func scanApp(r row) (App, error) {
	var a App
	err := r.Scan(&a.ID, &a.TeamID, &a.TeamName, &a.Name, &a.Description, &a.CreatedBy, stamped{&a.Created}, stamped{&a.Archived})
	return a, err
}

// CreateApp makes an app of a team. ErrConflict when another one of the team has
// the name, ErrFull when the team has MaxApps [app.create].
func (s *Store) CreateApp(ctx context.Context, by By, app App) (App, error) {
	id := newID("app")
	err := s.change(ctx, by, func(q queries) (act, error) {
		err := q.room(ctx, MaxApps, "SELECT COUNT(*) FROM apps WHERE team_id = ? AND archived = 0", app.TeamID)
		if err != nil {
			return act{}, err
		}
		_, err = q.exec(ctx, "INSERT INTO apps (id, team_id, name, description, created_by, created) VALUES ("+marks(6)+")",
			id, app.TeamID, app.Name, app.Description, by.UserID, stamp(s.now()))
		if err != nil {
			return act{}, err
		}
		app, err = q.app(ctx, id)
		return act{"app.create", "app", id, map[string]string{"name": app.Name, "team": app.TeamID}}, err
	})
	return app, err
}

// UpdateApp changes name and description. ErrConflict when another app of the
// team has the name, or this one is archived [app.update].
func (s *Store) UpdateApp(ctx context.Context, by By, app App) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		return act{"app.update", "app", app.ID, map[string]string{"name": app.Name}}, q.move(ctx, "apps", app.ID,
			"UPDATE apps SET name = ?, description = ? WHERE id = ? AND archived = 0", app.Name, app.Description, app.ID)
	})
}

// ArchiveApp puts an app away, for good, and withdraws what it still asks for.
// ErrConflict while one of its credentials works or may work again, or when it is
// archived [app.archive].
func (s *Store) ArchiveApp(ctx context.Context, by By, id string) error {
	return s.change(ctx, by, func(q queries) (act, error) {
		now := stamp(s.now())
		err := q.move(ctx, "apps", id, `UPDATE apps SET archived = ? WHERE id = ? AND archived = 0
			AND NOT EXISTS (SELECT 1 FROM credentials WHERE app_id = apps.id AND `+mayWork+`)`, now, id, now)
		if err != nil {
			return act{}, err
		}
		_, err = q.exec(ctx, "UPDATE access_requests SET state = 'withdrawn' WHERE app_id = ? AND state = 'pending'", id)
		return act{"app.archive", "app", id, nil}, err
	})
}

// App returns the app of an id, archived or not.
func (s *Store) App(ctx context.Context, id string) (App, error) { return s.read().app(ctx, id) }

func (q queries) app(ctx context.Context, id string) (App, error) {
	return one(ctx, q, scanApp, "SELECT "+appColumns+appTables+"WHERE apps.id = ?", id)
}

// AppsOf returns the apps of all teams of a user, by name, archived ones last.
func (s *Store) AppsOf(ctx context.Context, userID string) ([]App, error) {
	return all(ctx, s.read(), scanApp, "SELECT "+appColumns+appTables+`JOIN members ON members.team_id = apps.team_id
		WHERE members.user_id = ? ORDER BY apps.archived, lower(apps.name), apps.id`, userID)
}

// AppsOfTeam returns the apps of a team, by name, archived ones last.
func (s *Store) AppsOfTeam(ctx context.Context, teamID string) ([]App, error) {
	return all(ctx, s.read(), scanApp, "SELECT "+appColumns+appTables+`
		WHERE apps.team_id = ? ORDER BY apps.archived, lower(apps.name), apps.id`, teamID)
}
