package store

import (
	"cmp"
	"context"
	"time"
)

// The levels of announcements.
const (
	LevelInfo = "info"
	LevelWarn = "warn"
)

// Announcement is a text that everybody sees.
type Announcement struct {
	ID        string
	Title     string
	Text      string
	Level     string // LevelInfo or LevelWarn
	CreatedBy string // id of a user
	Created   time.Time
	Ends      time.Time // zero = when somebody ends it
}

const announcementColumns = "id, title, text, level, created_by, created, ends"

func scanAnnouncement(r row) (Announcement, error) {
	var a Announcement
	err := r.Scan(&a.ID, &a.Title, &a.Text, &a.Level, &a.CreatedBy, stamped{&a.Created}, stamped{&a.Ends})
	return a, err
}

// Announce makes an announcement, of LevelInfo by default [announcement.create].
func (s *Store) Announce(ctx context.Context, by By, announcement Announcement) (Announcement, error) {
	a := announcement
	a.ID, a.Level, a.CreatedBy, a.Created = newID("ann"), cmp.Or(a.Level, LevelInfo), by.UserID, s.seconds()
	err := s.change(ctx, by, func(q queries) (act, error) {
		_, err := q.exec(ctx, "INSERT INTO announcements ("+announcementColumns+") VALUES ("+marks(7)+")",
			a.ID, a.Title, a.Text, a.Level, a.CreatedBy, stamp(a.Created), stamp(a.Ends))
		return act{"announcement.create", "announcement", a.ID, map[string]string{"title": a.Title, "level": a.Level}}, err
	})
	return a, err
}

// EndAnnouncement ends an announcement now. ErrConflict when it has ended
// [announcement.end].
func (s *Store) EndAnnouncement(ctx context.Context, by By, id string) error {
	now := stamp(s.now())
	return s.change(ctx, by, func(q queries) (act, error) {
		return act{"announcement.end", "announcement", id, nil}, q.move(ctx, "announcements", id,
			"UPDATE announcements SET ends = ? WHERE id = ? AND (ends = 0 OR ends > ?)", now, id, now)
	})
}

// CurrentAnnouncements returns those that have not ended, newest first.
func (s *Store) CurrentAnnouncements(ctx context.Context) ([]Announcement, error) {
	return all(ctx, s.read(), scanAnnouncement, "SELECT "+announcementColumns+` FROM announcements
		WHERE ends = 0 OR ends > ? ORDER BY created DESC, id`, stamp(s.now()))
}

// Announcements returns all announcements, newest first.
func (s *Store) Announcements(ctx context.Context, page Page) (List[Announcement], error) {
	chosen := selection{columns: announcementColumns, table: "announcements", alias: "a", order: "created DESC, id"}
	return list(ctx, s.read(), scanAnnouncement, chosen, page)
}
