package store

import (
	"context"
	"time"
)

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
	CredentialLost     CredentialState = "lost" // was active, and the gateway does not know it any more
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

// Works reports whether calls with the credential are taken at a time.
func (c Credential) Works(at time.Time) bool {
	return (c.State == CredentialActive || c.State == CredentialRotating) && (c.Expires.IsZero() || at.Before(c.Expires))
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

const (
	consumerColumns = `c.id, COALESCE(c.app_id, ''), COALESCE(apps.name, ''), COALESCE(teams.id, ''), COALESCE(teams.name, ''),
		COALESCE(c.request_id, ''), c.key_id, c.name, c.kind, c.plan, c.hospitals, c.origin, c.state, c.note, c.created_by,
		c.created, c.expires, c.changed, c.hints, c.last_used`
	consumerJoins = `LEFT JOIN apps ON apps.id = c.app_id LEFT JOIN teams ON teams.id = apps.team_id`
	consumerQuery = "SELECT " + consumerColumns + " FROM credentials c " + consumerJoins

	// workingStates are those in which a credential works, or may.
	workingStates = "('creating', 'active', 'rotating', 'revoking')"

	// mayWork is the condition that a credential works at a time, or may again: a lost
	// one is found when the gateway's store is back. What has come to its end is over,
	// as the gateway changes no key that has expired.
	mayWork = "state NOT IN ('revoked', 'failed') AND (expires = 0 OR expires > ?)"
)

func scanCredential(r row) (Credential, error) {
	var c Credential
	err := r.Scan(&c.ID, &c.AppID, &c.AppName, &c.TeamID, &c.TeamName, &c.RequestID, &c.KeyID, &c.Name, &c.Kind, &c.Plan,
		fromJSON[[]string]{&c.Hospitals}, &c.Origin, &c.State, &c.Note, &c.CreatedBy, stamped{&c.Created}, stamped{&c.Expires},
		stamped{&c.Changed}, fromJSON[[]SecretHint]{&c.Hints}, stamped{&c.LastUsed})
	return c, err
}

// Credential returns the credential of an id.
func (s *Store) Credential(ctx context.Context, id string) (Credential, error) {
	return one(ctx, s.read(), scanCredential, consumerQuery+" WHERE c.id = ?", id)
}

// CredentialByKey returns the credential of a consumer of the gateway.
func (s *Store) CredentialByKey(ctx context.Context, keyID string) (Credential, error) {
	return one(ctx, s.read(), scanCredential, consumerQuery+" WHERE c.key_id = ?", keyID)
}

// CredentialsOfApp returns the credentials of an app, newest first.
func (s *Store) CredentialsOfApp(ctx context.Context, appID string) ([]Credential, error) {
	return all(ctx, s.read(), scanCredential, consumerQuery+" WHERE c.app_id = ? ORDER BY c.created DESC, c.id DESC", appID)
}

// CredentialsOf returns the credentials of all teams of a user, newest first.
func (s *Store) CredentialsOf(ctx context.Context, userID string) ([]Credential, error) {
	return all(ctx, s.read(), scanCredential, consumerQuery+` JOIN members ON members.team_id = apps.team_id
		WHERE members.user_id = ? ORDER BY c.created DESC, c.id DESC`, userID)
}

// WorkingByApp returns how many credentials work now, by app, of all teams of a
// user. Apps that have none are left out. SQLite joins in the order that CROSS JOIN
// gives; of its own it would begin with the credentials of everybody.
func (s *Store) WorkingByApp(ctx context.Context, userID string) (map[string]int, error) {
	working := make(map[string]int)
	err := s.read().each(ctx, func(r row) error {
		var app string
		var count int
		err := r.Scan(&app, &count)
		working[app] = count
		return err
	}, `SELECT c.app_id, COUNT(*) FROM members CROSS JOIN apps CROSS JOIN credentials c
		WHERE members.user_id = ? AND apps.team_id = members.team_id AND c.app_id = apps.id AND c.state IN ('active', 'rotating') AND (c.expires = 0 OR c.expires > ?) GROUP BY c.app_id`,
		userID, stamp(s.now()))
	return working, err
}

// Credentials returns credentials, newest first.
func (s *Store) Credentials(ctx context.Context, filter CredentialFilter, page Page) (List[Credential], error) {
	chosen := selection{columns: consumerColumns, table: "credentials", alias: "c", joins: consumerJoins, order: "c.created DESC, c.id DESC"}
	chosen.where.is("c.state", string(filter.State))
	chosen.where.is("c.plan", filter.Plan)
	chosen.where.is("c.kind", filter.Kind)
	if filter.Hospital != "" {
		chosen.where.contains(asJSON(filter.Hospital), "c.hospitals")
	}
	chosen.where.matches(filter.Search, "c.name"+like+" OR c.key_id"+like+" OR c.app_id IN "+appsLike)
	return list(ctx, s.read(), scanCredential, chosen, page)
}

// Pending returns the credentials of which it is not known whether the gateway
// has followed, the oldest first.
func (s *Store) Pending(ctx context.Context) ([]Credential, error) {
	return all(ctx, s.read(), scanCredential,
		consumerQuery+" WHERE c.state IN ('creating', 'rotating', 'revoking') ORDER BY c.changed, c.id")
}

// KeyStates returns the states of all credentials by key id.
func (s *Store) KeyStates(ctx context.Context) (map[string]CredentialState, error) {
	states := make(map[string]CredentialState)
	err := s.read().each(ctx, func(r row) error {
		var keyID string
		var state CredentialState
		err := r.Scan(&keyID, &state)
		states[keyID] = state
		return err
	}, "SELECT key_id, state FROM credentials")
	return states, err
}

// maxExpiring is how many credentials Expiring returns.
const maxExpiring = 50

// Expiring returns active credentials of a user's teams, or of everybody when the
// user is "", that stop to work within a time: by their own end, once two thirds
// of the life until there are over, or because all their secrets are in a
// rotation's grace. The first to do so come first, at most 50 of them.
func (s *Store) Expiring(ctx context.Context, userID string, within time.Duration) ([]Credential, error) {
	now := s.now()
	var where conditions
	where.add("c.state = 'active' AND c.ends > ? AND c.ends <= ?", stamp(now), stamp(now.Add(within)))
	where.add("(c.ends <> c.expires OR 3 * (c.ends - ?) <= c.ends - c.created)", stamp(now)) // a short life would always be about to end
	where.add("NOT (c.app_id IS NULL AND c.origin = '" + OriginPortal + "')")                // the portal renews its own key
	if userID != "" {
		where.add("apps.team_id IN (SELECT team_id FROM members WHERE user_id = ?)", userID)
	}
	return all(ctx, s.read(), scanCredential, consumerQuery+where.String()+" ORDER BY c.ends, c.id LIMIT ?",
		append(where.args, maxExpiring)...)
}

// PlanUse returns how much each plan is used. Plans that are not are left out.
func (s *Store) PlanUse(ctx context.Context) (map[string]PlanCount, error) {
	use := make(map[string]PlanCount)
	err := s.read().each(ctx, func(r row) error {
		var plan string
		var count PlanCount
		err := r.Scan(&plan, &count.Credentials, &count.Apps)
		use[plan] = count
		return err
	}, "SELECT plan, COUNT(*), COUNT(DISTINCT app_id) FROM credentials WHERE state IN "+workingStates+" GROUP BY plan")
	return use, err
}
