package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"
)

// sweepEvery is how often sessions that are over are deleted.
const sweepEvery = 10 * time.Minute

// sweep remembers when that was done last, in seconds since 1970.
type sweep struct{ last atomic.Int64 }

// due reports whether it is time again, to one caller only.
func (s *sweep) due(now time.Time) bool {
	last := s.last.Load()
	return now.Unix()-last >= int64(sweepEvery/time.Second) && s.last.CompareAndSwap(last, now.Unix())
}

// SessionStore keeps sessions for scs. It knows them by the SHA-256 of their
// tokens only, and can therefore not list them.
type SessionStore struct{ store *Store }

var _ scs.CtxStore = (*SessionStore)(nil)

// Sessions returns the store of the sessions.
func (s *Store) Sessions() *SessionStore { return &SessionStore{store: s} }

// FindCtx returns the data of a session, unless it is over.
func (s *SessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	found, err := all(ctx, s.store.read(), value[[]byte],
		"SELECT data FROM sessions WHERE hash = ? AND expires > ?", hashed(token), s.store.now().UnixMilli())
	if err != nil || len(found) == 0 {
		return nil, false, err
	}
	return found[0], true, nil
}

// CommitCtx stores a session.
func (s *SessionStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	if now := s.store.now(); s.store.swept.due(now) {
		if _, err := s.store.write(ctx, "DELETE FROM sessions WHERE expires <= ?", now.UnixMilli()); err != nil {
			return err
		}
	}
	_, err := s.store.write(ctx, `INSERT INTO sessions (hash, data, expires) VALUES (?, ?, ?)
		ON CONFLICT (hash) DO UPDATE SET data = excluded.data, expires = excluded.expires`,
		hashed(token), data, expiry.UnixMilli())
	return err
}

// DeleteCtx ends a session. It need not exist.
func (s *SessionStore) DeleteCtx(ctx context.Context, token string) error {
	_, err := s.store.write(ctx, "DELETE FROM sessions WHERE hash = ?", hashed(token))
	return err
}

// Find is FindCtx without a context.
func (s *SessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context.
func (s *SessionStore) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx without a context.
func (s *SessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }
