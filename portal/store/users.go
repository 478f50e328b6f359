package store

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"
)

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

const userColumns = "id, email, name, role, password_hash, oidc_subject, totp, totp_since, disabled, created, last_login, edition"

func (u *User) columns() []any {
	return []any{
		&u.ID, &u.Email, &u.Name, &u.Role, &u.PasswordHash, &u.OIDCSubject, &u.TOTP,
		stamped{&u.TOTPSince},
		stamped{&u.Disabled},
		stamped{&u.Created},
		stamped{&u.LastLogin},
		&u.Edition,
	}
}

func scanUser(r row) (User, error) {
	var u User
	err := r.Scan(u.columns()...)
	return u, err
}

// address is an e-mail address as it is stored.
func address(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// User returns the user of an id.
func (s *Store) User(ctx context.Context, id string) (User, error) {
	return one(ctx, s.read(), scanUser, "SELECT "+userColumns+" FROM users WHERE id = ?", id)
}

// UserByEmail returns the user of an e-mail address, in whatever case.
func (s *Store) UserByEmail(ctx context.Context, email string) (User, error) {
	return one(ctx, s.read(), scanUser, "SELECT "+userColumns+" FROM users WHERE email = ?", address(email))
}

// UserBySubject returns the user of a subject of the identity provider.
func (s *Store) UserBySubject(ctx context.Context, subject string) (User, error) {
	if subject == "" {
		return User{}, ErrNotFound
	}
	return one(ctx, s.read(), scanUser, "SELECT "+userColumns+" FROM users WHERE oidc_subject = ?", subject)
}

// Users returns users whose name or e-mail address contains the text, by name.
func (s *Store) Users(ctx context.Context, search string, page Page) (List[User], error) {
	chosen := selection{columns: userColumns, table: "users", alias: "u", order: "lower(name), id"}
	chosen.where.contains(search, "name", "email")
	return list(ctx, s.read(), scanUser, chosen, page)
}

// CountUsers returns how many users there are, disabled ones included.
func (s *Store) CountUsers(ctx context.Context) (int, error) {
	return one(ctx, s.read(), value[int], "SELECT COUNT(*) FROM users")
}

// CreateUser makes an account; the role is RoleDeveloper by default. ErrConflict
// when the address or the subject has one [user.create].
func (s *Store) CreateUser(ctx context.Context, by By, user User) (User, error) {
	err := s.change(ctx, by, func(q queries) (act, error) {
		var err error
		user, err = s.insertUser(ctx, q, user)
		return act{"user.create", "user", user.ID, map[string]string{"email": user.Email, "role": string(user.Role)}}, err
	})
	return user, err
}

func (s *Store) insertUser(ctx context.Context, q queries, user User) (User, error) {
	user.ID, user.Email, user.Role = newID("user"), address(user.Email), cmp.Or(user.Role, RoleDeveloper)
	user.Created, user.Edition = s.seconds(), 1
	user.Disabled, user.LastLogin = time.Time{}, time.Time{}
	_, err := q.exec(ctx, `INSERT INTO users
		(id, email, name, role, password_hash, oidc_subject, totp, totp_since, created) VALUES (`+marks(9)+`)`,
		user.ID, user.Email, user.Name, user.Role, user.PasswordHash, user.OIDCSubject, user.TOTP,
		stamp(user.TOTPSince), stamp(user.Created))
	return user, err
}

// SetName changes what a user is called [user.rename].
func (s *Store) SetName(ctx context.Context, by By, id, name string) error {
	return s.update(ctx, by, act{"user.rename", "user", id, nil}, "UPDATE users SET name = ? WHERE id = ?", name, id)
}

// SetPassword changes a user's password, which is given hashed, and ends all
// sessions [user.password]. "" takes it away [user.no-password].
func (s *Store) SetPassword(ctx context.Context, by By, id, hash string) error {
	done := act{"user.password", "user", id, nil}
	if hash == "" {
		done = act{"user.no-password", "user", id, nil}
	}
	return s.update(ctx, by, done,
		"UPDATE users SET password_hash = ?, edition = edition + 1 WHERE id = ?", hash, id)
}

// EndSessions ends all sessions of a user [user.sessions].
func (s *Store) EndSessions(ctx context.Context, by By, id string) error {
	return s.update(ctx, by, act{"user.sessions", "user", id, nil}, "UPDATE users SET edition = edition + 1 WHERE id = ?", id)
}

// SetSubject binds a user to a subject of the identity provider, which takes the
// place of the password, and ends all sessions. Who set that password need not have
// been the owner of the e-mail address by which the provider's user was found.
// ErrConflict when another one has the subject [user.oidc].
func (s *Store) SetSubject(ctx context.Context, by By, id, subject string) error {
	return s.update(ctx, by, act{"user.oidc", "user", id, nil},
		"UPDATE users SET oidc_subject = ?, password_hash = '', edition = edition + 1 WHERE id = ?", subject, id)
}

// SetRole changes a user's role and ends all sessions. ErrConflict for the last
// active administrator [user.role].
func (s *Store) SetRole(ctx context.Context, by By, id string, role Role) error {
	return s.govern(ctx, by, act{"user.role", "user", id, map[string]string{"role": string(role)}},
		"UPDATE users SET role = ?, edition = edition + 1 WHERE id = ? AND role <> ?", role, id, role)
}

// Disable ends all sessions of a user and lets in no new ones. ErrConflict for
// the last active administrator [user.disable].
func (s *Store) Disable(ctx context.Context, by By, id string) error {
	return s.govern(ctx, by, act{"user.disable", "user", id, nil},
		"UPDATE users SET disabled = ?, edition = edition + 1 WHERE id = ? AND disabled = 0", stamp(s.now()), id)
}

// Enable lets a disabled user in again [user.enable].
func (s *Store) Enable(ctx context.Context, by By, id string) error {
	return s.govern(ctx, by, act{"user.enable", "user", id, nil},
		"UPDATE users SET disabled = 0, edition = edition + 1 WHERE id = ? AND disabled <> 0", id)
}

// govern changes what a user may do, so that an active administrator remains if
// there was one. Who is no active administrator then has no open invitations. There is no act when the user was so already.
func (s *Store) govern(ctx context.Context, by By, done act, statement string, args ...any) error {
	const admins = "SELECT COUNT(*) FROM users WHERE role = 'admin' AND disabled = 0"
	return s.change(ctx, by, func(q queries) (act, error) {
		before, err := one(ctx, q, value[int], admins)
		if err != nil {
			return act{}, err
		}
		err = q.move(ctx, "users", done.subject, statement, args...)
		if errors.Is(err, ErrConflict) {
			return act{}, nil
		}
		if err != nil {
			return act{}, err
		}
		after, err := one(ctx, q, value[int], admins)
		if err == nil && before > 0 && after == 0 {
			err = ErrConflict
		}
		if err == nil {
			err = s.withdrawInvitationsOf(ctx, q, by, done.subject, "")
		}
		return done, err
	})
}

// SignedIn notes that a user has signed in [user.login].
func (s *Store) SignedIn(ctx context.Context, by By, id string) error {
	return s.update(ctx, by, act{"user.login", "user", id, nil},
		"UPDATE users SET last_login = ? WHERE id = ?", stamp(s.now()), id)
}

// SignedInFrom reports whether a user has signed in from an address before.
func (s *Store) SignedInFrom(ctx context.Context, id string, from netip.Addr) (bool, error) {
	found, err := all(ctx, s.read(), value[int],
		"SELECT 1 FROM acts WHERE user_id = ? AND name = 'user.login' AND address = ? LIMIT 1", id, from.String())
	return len(found) > 0, err
}

// SignInRefused notes that somebody was not let in; the id is "" when nobody is
// known by the address that was given [user.login-refused].
func (s *Store) SignInRefused(ctx context.Context, by By, reason, userID string) error {
	return s.Record(ctx, by, "user.login-refused", "user", userID, map[string]string{"reason": reason})
}
