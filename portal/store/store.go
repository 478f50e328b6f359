// Package store keeps what the portal knows in SQL: users, teams, apps, requests
// for access, credentials, usage and announcements, and the trail of everything
// that was done there. It speaks to SQLite and to PostgreSQL by the same queries.
//
// A method that changes something on somebody's behalf takes a [By] and writes
// its act, named in the method's comment, within the same transaction: there is
// no change without its act, and no act without its change. Such changes are made
// one at a time, so that what a method looks at still holds when it writes.
//
// Times are UTC and whole seconds. The zero time stands for "never" and "not".
package store

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"strings"
	"time"
)

// What goes wrong by what callers ask for. Every other error is a failure of the
// database.
var (
	// ErrNotFound says that there is no such thing, or none any more.
	ErrNotFound = errors.New("there is no such record")
	// ErrConflict says that a name or e-mail address is taken, or that the record
	// is in a state that does not allow the change.
	ErrConflict = errors.New("the record is in another state, or the name is taken")
	// ErrActsKey says that the trail of acts was written with another key. What was
	// written with this one would break it for good.
	ErrActsKey = errors.New("the key of the trail of acts is not the one that it was written with: put its file back from a backup")
	// ErrOwnRequest says that somebody wanted to decide their own request.
	ErrOwnRequest = errors.New("nobody decides their own request")
	// ErrOwnDecision says that somebody wanted a secret of an access that they have
	// approved.
	ErrOwnDecision = errors.New("nobody makes or rotates credentials of an access that they have approved")
	// ErrFull says that a team, an app or a user has as much as there may be.
	ErrFull = errors.New("there are as many as there may be")
)

// By is who does something, and from where.
type By struct {
	UserID  string     // "" = nobody who is signed in
	Name    string     // for people
	Address netip.Addr // the zero Addr when it does not come over the network
}

// System is the portal itself.
var System = By{Name: "fhirgate"}

// Options say where the data lies.
type Options struct {
	SQLite   string           // file name; made with mode 0600 when it does not exist
	Postgres string           // URL; takes the place of SQLite
	ActsKey  []byte           // HMAC key of the acts, at least 32 bytes; it must not lie in the database
	Now      func() time.Time // nil = time.Now
}

// Page is a part of a long list.
type Page struct {
	Number int // from 1, which is the default, to a million
	Size   int // default 50, at most 200
}

// The sizes of pages, and how many there may be.
const (
	defaultPageSize = 50
	maxPageSize     = 200
	maxPages        = 1_000_000
)

// filled is the page with its defaults in place.
func (p Page) filled() Page {
	p.Number = min(max(p.Number, 1), maxPages)
	if p.Size <= 0 {
		p.Size = defaultPageSize
	}
	p.Size = min(p.Size, maxPageSize)
	return p
}

// List is one page of a list.
type List[T any] struct {
	Items []T
	Total int  // on all pages
	Page  Page // with its defaults in place
}

// newID returns a new id: the prefix, "_" and 80 random bits.
func newID(prefix string) string {
	return prefix + "_" + strings.ToLower(rand.Text()[:16])
}

// Ping asks the database for a sign of life.
func (s *Store) Ping(ctx context.Context) error { return s.reads.PingContext(ctx) }

// Close ends all connections.
func (s *Store) Close() error {
	if s.writes == s.reads {
		return s.reads.Close()
	}
	return errors.Join(s.reads.Close(), s.writes.Close())
}
