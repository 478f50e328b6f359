package store

import "time"

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
