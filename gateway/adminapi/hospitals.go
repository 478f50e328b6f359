package adminapi

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Hospital is a route and how its hospital is, as the node that answers knows.
type Hospital struct {
	ID           string              `json:"id"`
	Name         string              `json:"name"`
	Vendor       string              `json:"vendor,omitempty"`
	Environment  string              `json:"environment"` // production or sandbox
	TimeZone     string              `json:"time_zone"`
	Accept       []string            `json:"accept,omitempty"` // ways in; none = all
	Interactions map[string][]string `json:"interactions"`     // by resource type, or "system"
	Operations   map[string][]string `json:"operations,omitempty"`
	VendorRules  int                 `json:"vendor_rules"` // rules of the vendor's pack, both directions
	OwnRules     int                 `json:"own_rules"`    // rules of the route itself
	DenyRules    int                 `json:"deny_rules"`

	Breaker      string        `json:"breaker"`                 // closed, open or half-open
	LastAnswer   time.Time     `json:"last_answer,omitzero"`    // any answer of the hospital below 500; zero = none since the start
	LastFailure  time.Time     `json:"last_failure,omitzero"`   // no answer, or 500 and above; zero = none since the start
	FailureIssue string        `json:"failure_issue,omitempty"` // issue code of it
	FailureCause string        `json:"failure_cause,omitempty"` // of it in a few words, such as "connection refused"
	Auth         string        `json:"auth"`                    // kind of the route's auth
	Token        *Token        `json:"token,omitempty"`         // nil = none is held, or the kind has none
	Budget       *Budget       `json:"budget,omitempty"`        // nil = none is set
	Certificates []Certificate `json:"certificates,omitempty"`  // ours towards it, and the one it showed last
	KeyRing      *RingState    `json:"key_ring,omitempty"`      // nil = the route has none
}

// Token is the access token held for a hospital.
type Token struct {
	Obtained time.Time `json:"obtained,omitzero"` // zero = not known
	Expires  time.Time `json:"expires,omitzero"`  // zero = not known
}

// Budget is what is left of a hospital's budget.
type Budget struct {
	Requests    int      `json:"requests"` // per Per; 0 = no such limit
	Per         Duration `json:"per"`
	Left        int      `json:"left"`        // of Requests
	Concurrency int      `json:"concurrency"` // calls at once; 0 = no such limit
}

// Certificate is one whose end matters.
type Certificate struct {
	Role     string    `json:"role"` // "client" = ours, "server" = the hospital's
	Subject  string    `json:"subject"`
	NotAfter time.Time `json:"not_after"`
}

// RingState is the key ring that signs in to a hospital.
type RingState struct {
	Name    string    `json:"name"`
	KeyID   string    `json:"kid"`              // of the key that signs
	Expires time.Time `json:"expires,omitzero"` // when it is replaced; zero = by hand
}

// Check is what came of calling a hospital now.
type Check struct {
	Reachable bool     `json:"reachable"`
	Status    int      `json:"status,omitempty"` // of its CapabilityStatement
	Took      Duration `json:"took"`
	Problem   string   `json:"problem,omitempty"`
}

// CallError is a call that was refused or failed. It names nothing of a patient.
type CallError struct {
	At          time.Time `json:"at"`
	RequestID   string    `json:"request_id"`
	Consumer    string    `json:"consumer,omitempty"` // key id
	Hospital    string    `json:"hospital,omitempty"`
	Interaction string    `json:"interaction,omitempty"`
	Type        string    `json:"type,omitempty"`
	Status      int       `json:"status"`
	Issue       string    `json:"issue,omitempty"` // issue code of the gateway's refusal; "" = the hospital's own answer
}

// Simulated reports whether there is no real patient in the hospital, so that no
// person has to decide who may call it.
func (h Hospital) Simulated() bool { return h.Environment == "sandbox" }

// Hospitals returns all hospitals, by id.
func (c *Client) Hospitals(ctx context.Context) ([]Hospital, error) {
	return asked[[]Hospital](ctx, c, http.MethodGet, "/admin/hospitals")
}

// Hospital returns one hospital.
func (c *Client) Hospital(ctx context.Context, id string) (*Hospital, error) {
	return ask[Hospital](ctx, c, http.MethodGet, "/admin/hospitals/"+url.PathEscape(id), nil)
}

// Capabilities returns the CapabilityStatement of a hospital, as JSON, as the
// gateway serves it to whoever may do all that the hospital's route lists. The
// hospital is asked for it each time.
func (c *Client) Capabilities(ctx context.Context, id string) ([]byte, error) {
	return c.exchange(ctx, http.MethodGet, "/admin/hospitals/"+url.PathEscape(id)+"/metadata", nil)
}

// CheckHospital logs in at a hospital and asks for its CapabilityStatement, also
// while its breaker is open.
func (c *Client) CheckHospital(ctx context.Context, id string) (*Check, error) {
	return ask[Check](ctx, c, http.MethodPost, "/admin/hospitals/"+url.PathEscape(id)+"/check", nil)
}

// HospitalErrors returns the last calls to a hospital that failed, the newest first.
func (c *Client) HospitalErrors(ctx context.Context, id string) ([]CallError, error) {
	return asked[[]CallError](ctx, c, http.MethodGet, "/admin/hospitals/"+url.PathEscape(id)+"/errors")
}

// asked is ask for answers that are no pointers.
func asked[T any](ctx context.Context, c *Client, method, path string) (T, error) {
	out, err := ask[T](ctx, c, method, path, nil)
	if err != nil {
		var none T
		return none, err
	}
	return *out, nil
}
