package store

import "time"

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
