package store

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"time"
)

// Store is an open database.
type Store struct{ reads, writes *sql.DB }

var errSoon = errors.New("not there yet")

// Open opens the database.
func Open(context.Context, Options) (*Store, error) { return nil, errSoon }

// VerifyExport verifies what ExportActs wrote.
func VerifyExport(io.Reader, []byte) Verdict { return Verdict{} }

// User comes soon.
func (s *Store) User(ctx context.Context, id string) (User, error) { return User{}, errSoon }

// UserByEmail comes soon.
func (s *Store) UserByEmail(ctx context.Context, email string) (User, error) { return User{}, errSoon }

// UserBySubject comes soon.
func (s *Store) UserBySubject(ctx context.Context, subject string) (User, error) {
	return User{}, errSoon
}

// Users comes soon.
func (s *Store) Users(ctx context.Context, search string, page Page) (List[User], error) {
	return List[User]{}, errSoon
}

// CountUsers comes soon.
func (s *Store) CountUsers(ctx context.Context) (int, error) { return 0, errSoon }

// CreateUser comes soon.
func (s *Store) CreateUser(ctx context.Context, by By, user User) (User, error) {
	return User{}, errSoon
}

// SetName comes soon.
func (s *Store) SetName(ctx context.Context, by By, id, name string) error { return errSoon }

// SetPassword comes soon.
func (s *Store) SetPassword(ctx context.Context, by By, id, hash string) error { return errSoon }

// SetSubject comes soon.
func (s *Store) SetSubject(ctx context.Context, by By, id, subject string) error { return errSoon }

// SetTOTP comes soon.
func (s *Store) SetTOTP(ctx context.Context, by By, id string, sealed []byte) error { return errSoon }

// ConfirmTOTP comes soon.
func (s *Store) ConfirmTOTP(ctx context.Context, by By, id string, recoveryHashes []string) error {
	return errSoon
}

// SetRecoveryCodes comes soon.
func (s *Store) SetRecoveryCodes(ctx context.Context, by By, id string, hashes []string) error {
	return errSoon
}

// RemoveTOTP comes soon.
func (s *Store) RemoveTOTP(ctx context.Context, by By, id string) error { return errSoon }

// TakeTOTPStep comes soon.
func (s *Store) TakeTOTPStep(ctx context.Context, id string, step int64) (bool, error) {
	return false, errSoon
}

// TakeRecoveryCode comes soon.
func (s *Store) TakeRecoveryCode(ctx context.Context, by By, id, hash string) (bool, error) {
	return false, errSoon
}

// RecoveryCodesLeft comes soon.
func (s *Store) RecoveryCodesLeft(ctx context.Context, id string) (int, error) { return 0, errSoon }

// SetRole comes soon.
func (s *Store) SetRole(ctx context.Context, by By, id string, role Role) error { return errSoon }

// Disable comes soon.
func (s *Store) Disable(ctx context.Context, by By, id string) error { return errSoon }

// Enable comes soon.
func (s *Store) Enable(ctx context.Context, by By, id string) error { return errSoon }

// SignedIn comes soon.
func (s *Store) SignedIn(ctx context.Context, by By, id string) error { return errSoon }

// SignInRefused comes soon.
func (s *Store) SignInRefused(ctx context.Context, by By, reason, userID string) error {
	return errSoon
}

// Invite comes soon.
func (s *Store) Invite(ctx context.Context, by By, invitation Invitation) (Invitation, string, error) {
	return Invitation{}, "", errSoon
}

// InvitationByToken comes soon.
func (s *Store) InvitationByToken(ctx context.Context, token string) (Invitation, error) {
	return Invitation{}, errSoon
}

// AcceptInvitation comes soon.
func (s *Store) AcceptInvitation(ctx context.Context, by By, token string, user User) (User, error) {
	return User{}, errSoon
}

// Invitations comes soon.
func (s *Store) Invitations(ctx context.Context, page Page) (List[Invitation], error) {
	return List[Invitation]{}, errSoon
}

// WithdrawInvitation comes soon.
func (s *Store) WithdrawInvitation(ctx context.Context, by By, id string) error { return errSoon }

// NewToken comes soon.
func (s *Store) NewToken(ctx context.Context, kind, email string, life time.Duration) (string, error) {
	return "", errSoon
}

// TakeToken comes soon.
func (s *Store) TakeToken(ctx context.Context, kind, token string) (string, error) {
	return "", errSoon
}

// PeekToken comes soon.
func (s *Store) PeekToken(ctx context.Context, kind, token string) (string, error) {
	return "", errSoon
}

// Failures comes soon.
func (s *Store) Failures(ctx context.Context, name string) (int, time.Time, error) {
	return 0, time.Time{}, errSoon
}

// AddFailure comes soon.
func (s *Store) AddFailure(ctx context.Context, name string) error { return errSoon }

// ClearFailures comes soon.
func (s *Store) ClearFailures(ctx context.Context, name string) error { return errSoon }

// CreateTeam comes soon.
func (s *Store) CreateTeam(ctx context.Context, by By, name string) (Team, error) {
	return Team{}, errSoon
}

// RenameTeam comes soon.
func (s *Store) RenameTeam(ctx context.Context, by By, id, name string) error { return errSoon }

// TeamsOf comes soon.
func (s *Store) TeamsOf(ctx context.Context, userID string) ([]Membership, error) {
	return nil, errSoon
}

// Team comes soon.
func (s *Store) Team(ctx context.Context, id string) (Team, error) { return Team{}, errSoon }

// Teams comes soon.
func (s *Store) Teams(ctx context.Context, search string, page Page) (List[Team], error) {
	return List[Team]{}, errSoon
}

// Members comes soon.
func (s *Store) Members(ctx context.Context, teamID string) ([]Member, error) { return nil, errSoon }

// RoleIn comes soon.
func (s *Store) RoleIn(ctx context.Context, userID, teamID string) (TeamRole, error) {
	return "", errSoon
}

// SetMember comes soon.
func (s *Store) SetMember(ctx context.Context, by By, teamID, userID string, role TeamRole) error {
	return errSoon
}

// RemoveMember comes soon.
func (s *Store) RemoveMember(ctx context.Context, by By, teamID, userID string) error { return errSoon }

// CreateApp comes soon.
func (s *Store) CreateApp(ctx context.Context, by By, app App) (App, error) { return App{}, errSoon }

// UpdateApp comes soon.
func (s *Store) UpdateApp(ctx context.Context, by By, app App) error { return errSoon }

// ArchiveApp comes soon.
func (s *Store) ArchiveApp(ctx context.Context, by By, id string) error { return errSoon }

// App comes soon.
func (s *Store) App(ctx context.Context, id string) (App, error) { return App{}, errSoon }

// AppsOf comes soon.
func (s *Store) AppsOf(ctx context.Context, userID string) ([]App, error) { return nil, errSoon }

// AppsOfTeam comes soon.
func (s *Store) AppsOfTeam(ctx context.Context, teamID string) ([]App, error) { return nil, errSoon }

// CreateRequest comes soon.
func (s *Store) CreateRequest(ctx context.Context, by By, request AccessRequest) (AccessRequest, error) {
	return AccessRequest{}, errSoon
}

// WithdrawRequest comes soon.
func (s *Store) WithdrawRequest(ctx context.Context, by By, id string) error { return errSoon }

// Approve comes soon.
func (s *Store) Approve(ctx context.Context, by By, id, reason string, ends time.Time) error {
	return errSoon
}

// Refuse comes soon.
func (s *Store) Refuse(ctx context.Context, by By, id, reason string) error { return errSoon }

// EndAccess comes soon.
func (s *Store) EndAccess(ctx context.Context, by By, id, reason string) error { return errSoon }

// Request comes soon.
func (s *Store) Request(ctx context.Context, id string) (AccessRequest, error) {
	return AccessRequest{}, errSoon
}

// RequestsOfApp comes soon.
func (s *Store) RequestsOfApp(ctx context.Context, appID string) ([]AccessRequest, error) {
	return nil, errSoon
}

// Requests comes soon.
func (s *Store) Requests(ctx context.Context, filter RequestFilter, page Page) (List[AccessRequest], error) {
	return List[AccessRequest]{}, errSoon
}

// CountPending comes soon.
func (s *Store) CountPending(ctx context.Context) (int, error) { return 0, errSoon }

// BeginCredential comes soon.
func (s *Store) BeginCredential(ctx context.Context, by By, credential Credential) (Credential, error) {
	return Credential{}, errSoon
}

// FinishCredential comes soon.
func (s *Store) FinishCredential(ctx context.Context, id string, expires time.Time, hints []SecretHint) (bool, error) {
	return false, errSoon
}

// FailCredential comes soon.
func (s *Store) FailCredential(ctx context.Context, by By, id, note string) (bool, error) {
	return false, errSoon
}

// BeginRotation comes soon.
func (s *Store) BeginRotation(ctx context.Context, by By, id string) error { return errSoon }

// FinishRotation comes soon.
func (s *Store) FinishRotation(ctx context.Context, id string, hints []SecretHint, expires time.Time) (bool, error) {
	return false, errSoon
}

// BreakRotation comes soon.
func (s *Store) BreakRotation(ctx context.Context, by By, id, note string) (bool, error) {
	return false, errSoon
}

// BeginRevocation comes soon.
func (s *Store) BeginRevocation(ctx context.Context, by By, id, reason string) error { return errSoon }

// FinishRevocation comes soon.
func (s *Store) FinishRevocation(ctx context.Context, id string) (bool, error) { return false, errSoon }

// Adopt comes soon.
func (s *Store) Adopt(ctx context.Context, credential Credential) (bool, error) {
	return false, errSoon
}

// Lost comes soon.
func (s *Store) Lost(ctx context.Context, id, note string) (bool, error) { return false, errSoon }

// UpdateCredential comes soon.
func (s *Store) UpdateCredential(ctx context.Context, by By, id, name string) error { return errSoon }

// Mirror comes soon.
func (s *Store) Mirror(ctx context.Context, mirrors []Mirror) error { return errSoon }

// Credential comes soon.
func (s *Store) Credential(ctx context.Context, id string) (Credential, error) {
	return Credential{}, errSoon
}

// CredentialByKey comes soon.
func (s *Store) CredentialByKey(ctx context.Context, keyID string) (Credential, error) {
	return Credential{}, errSoon
}

// CredentialsOfApp comes soon.
func (s *Store) CredentialsOfApp(ctx context.Context, appID string) ([]Credential, error) {
	return nil, errSoon
}

// Credentials comes soon.
func (s *Store) Credentials(ctx context.Context, filter CredentialFilter, page Page) (List[Credential], error) {
	return List[Credential]{}, errSoon
}

// Pending comes soon.
func (s *Store) Pending(ctx context.Context) ([]Credential, error) { return nil, errSoon }

// KeyStates comes soon.
func (s *Store) KeyStates(ctx context.Context) (map[string]CredentialState, error) {
	return nil, errSoon
}

// Expiring comes soon.
func (s *Store) Expiring(ctx context.Context, userID string, within time.Duration) ([]Credential, error) {
	return nil, errSoon
}

// PlanUse comes soon.
func (s *Store) PlanUse(ctx context.Context) (map[string]PlanCount, error) { return nil, errSoon }

// PutUsage comes soon.
func (s *Store) PutUsage(ctx context.Context, rows []UsageRow) error { return errSoon }

// DropUsage comes soon.
func (s *Store) DropUsage(ctx context.Context, before Day) error { return errSoon }

// Usage comes soon.
func (s *Store) Usage(ctx context.Context, query UsageQuery) (Usage, error) { return Usage{}, errSoon }

// Cursor comes soon.
func (s *Store) Cursor(ctx context.Context, name string) (string, error) { return "", errSoon }

// SetCursor comes soon.
func (s *Store) SetCursor(ctx context.Context, name, value string) error { return errSoon }

// Announce comes soon.
func (s *Store) Announce(ctx context.Context, by By, announcement Announcement) (Announcement, error) {
	return Announcement{}, errSoon
}

// EndAnnouncement comes soon.
func (s *Store) EndAnnouncement(ctx context.Context, by By, id string) error { return errSoon }

// CurrentAnnouncements comes soon.
func (s *Store) CurrentAnnouncements(ctx context.Context) ([]Announcement, error) {
	return nil, errSoon
}

// Announcements comes soon.
func (s *Store) Announcements(ctx context.Context, page Page) (List[Announcement], error) {
	return List[Announcement]{}, errSoon
}

// Record comes soon.
func (s *Store) Record(ctx context.Context, by By, name, kind, subject string, detail map[string]string) error {
	return errSoon
}

// Acts comes soon.
func (s *Store) Acts(ctx context.Context, filter ActFilter, page Page) (List[Act], error) {
	return List[Act]{}, errSoon
}

// ExportActs comes soon.
func (s *Store) ExportActs(ctx context.Context, w io.Writer) (string, int64, error) {
	return "", 0, errSoon
}

// VerifyActs comes soon.
func (s *Store) VerifyActs(ctx context.Context) (Verdict, error) { return Verdict{}, errSoon }

func (s *SessionStore) DeleteCtx(ctx context.Context, token string) error { return errSoon }

func (s *SessionStore) Delete(token string) error { return errSoon }

func (s *SessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	return nil, false, errSoon
}

func (s *SessionStore) Find(token string) ([]byte, bool, error) { return nil, false, errSoon }

func (s *SessionStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	return errSoon
}

func (s *SessionStore) Commit(token string, data []byte, expiry time.Time) error { return errSoon }
