package store

import "time"

// RequestState is how far a request for access has come.
type RequestState string

// The states of requests.
const (
	RequestPending   RequestState = "pending"
	RequestApproved  RequestState = "approved"
	RequestRefused   RequestState = "refused"
	RequestWithdrawn RequestState = "withdrawn"
	RequestEnded     RequestState = "ended" // was approved
)

// AccessRequest asks that an app may use hospitals under a plan.
type AccessRequest struct {
	ID              string
	AppID           string
	AppName         string
	TeamID          string
	TeamName        string
	Plan            string
	Hospitals       []string // at least one
	Purpose         string
	RequestedBy     string // id of a user
	RequestedByName string
	Created         time.Time
	State           RequestState
	DecidedBy       string // id of a user; "" = not decided
	DecidedByName   string
	Reason          string // of the decision, or of the end
	Decided         time.Time
	Ends            time.Time // of the access; zero = open end
}

// RequestFilter chooses requests. Empty fields choose all.
type RequestFilter struct {
	State  RequestState
	Search string // in the names of app, team and requester, the plan and the purpose
}
