// Package page is what all pages of the portal have in common: who may open
// them, the session, forms, errors and rendering. A package of pages lists its
// routes and its templates; the server joins them.
package page

import "fhirgate/portal/store"

// Access says who may open a route.
type Access int

// The kinds of access. Each is for those of the kinds below it as well, Pending
// apart, which is for the way between the two factors.
const (
	Public    Access = iota // everybody
	Pending                 // whose password was right and whose second factor is awaited
	SetUp                   // who is signed in, also an administrator without a second factor yet
	Developer               // who is signed in; an administrator has a second factor
	Admin                   // an administrator with a second factor
)

// String returns the name of the kind.
func (a Access) String() string {
	return [...]string{"public", "pending", "set-up", "developer", "admin"}[a]
}

// Route is one page, or what a form of it does.
type Route struct {
	Method string // GET or POST. All that changes something is POST.
	Path   string // as http.ServeMux has it: /apps/{app}
	Access Access
	Handle func(*Request) error
}

// stage is how far a session has come.
type stage string

const (
	stagePassword stage = "password" // the second factor is awaited
	stageFull     stage = "full"
)

// admits reports whether who has an access may open routes of this one.
func (a Access) admits(has Access) bool {
	switch a {
	case Public:
		return true
	case Pending:
		return has == Pending
	default:
		return has >= a
	}
}

// accessOf returns the access of a user whose session is at a stage.
func accessOf(user store.User, at stage) Access {
	switch {
	case user.ID == "" || !user.Disabled.IsZero():
		return Public
	case at == stagePassword:
		return Pending
	case user.Role == store.RoleAdmin && !user.HasSecondFactor():
		return SetUp
	case user.Role == store.RoleAdmin:
		return Admin
	default:
		return Developer
	}
}
