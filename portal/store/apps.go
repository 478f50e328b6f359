package store

import "time"

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
