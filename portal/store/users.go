package store

import "time"

// Role is what a user may do in the portal as a whole.
type Role string

// The roles of users.
const (
	RoleDeveloper Role = "developer"
	RoleAdmin     Role = "admin"
)

// User is a person with an account.
type User struct {
	ID           string
	Email        string // lower-case
	Name         string
	Role         Role
	PasswordHash string    // "" = signs in by OIDC only
	OIDCSubject  string    // "" = signs in by password only
	TOTP         []byte    // sealed secret of the second factor; nil = none
	TOTPSince    time.Time // when the second factor was confirmed; zero = not yet
	Disabled     time.Time // zero = may sign in
	Created      time.Time
	LastLogin    time.Time
	Edition      int // sessions that began with another edition are void
}

// HasSecondFactor reports whether the user's second factor is confirmed.
func (u User) HasSecondFactor() bool { return u.TOTP != nil && !u.TOTPSince.IsZero() }
