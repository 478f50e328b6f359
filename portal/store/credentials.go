package store

import "time"

// CredentialState is how far a credential has come, here and at the gateway.
type CredentialState string

// The states of credentials. Those that end in -ing were begun here, and whether
// the gateway has followed is not known yet.
const (
	CredentialCreating CredentialState = "creating"
	CredentialActive   CredentialState = "active"
	CredentialRotating CredentialState = "rotating"
	CredentialRevoking CredentialState = "revoking"
	CredentialRevoked  CredentialState = "revoked"
	CredentialFailed   CredentialState = "failed"
)

// Where credentials come from.
const (
	OriginPortal      = "portal"
	OriginCommandLine = "command-line"
)

// Credential is the portal's record of a consumer of the gateway.
type Credential struct {
	ID        string
	AppID     string // "" = of no app: it was made at the command line
	AppName   string
	TeamID    string
	TeamName  string
	RequestID string // under which it was made; "" = none
	KeyID     string // key_…: the consumer's id at the gateway
	Name      string
	Kind      string // as record.Kind
	Plan      string
	Hospitals []string // none = all that the plan reaches
	Origin    string
	State     CredentialState
	Note      string // why it failed or ended
	CreatedBy string // id of a user; "" = nobody of the portal
	Created   time.Time
	Expires   time.Time // zero = never
	Changed   time.Time // when its state changed last
	Hints     []SecretHint
	LastUsed  time.Time
}

// SecretHint tells people which secret is meant.
type SecretHint struct {
	Hash    string    `json:"hash"` // as the gateway names it
	Hint    string    `json:"hint"` // its last characters
	Created time.Time `json:"created,omitzero"`
	Until   time.Time `json:"until,omitzero"` // end of a rotation's grace; zero = none
}

// CredentialFilter chooses credentials. Empty fields choose all.
type CredentialFilter struct {
	Search   string // in the names of credential, app and team, and the key id
	State    CredentialState
	Plan     string
	Kind     string
	Hospital string // that it names; one that names none reaches all of its plan and is left out
}

// Mirror is what the gateway says about a consumer.
type Mirror struct {
	KeyID     string
	Name      string
	Plan      string
	Hospitals []string
	Expires   time.Time
	LastUsed  time.Time
	Hints     []SecretHint
}

// PlanCount is how much a plan is used.
type PlanCount struct {
	Credentials int // that work or are about to
	Apps        int // that have such a credential
}
