package store

import "time"

// Invitation lets the owner of an e-mail address make an account.
type Invitation struct {
	ID        string
	Email     string
	Role      Role
	TeamID    string // team that the new user joins; "" = none
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
