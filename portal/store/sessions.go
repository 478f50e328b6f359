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

// ended stands in the place of the data of a session that was ended. The row stays
// until no request can be under way any more that has loaded the session before,
// and would store it again.
const ended = "x"

// endedLasts is how long that is: well over what a request may take.
const endedLasts = 10 * time.Minute

// FindCtx returns the data of a session, unless it is over.
func (s *SessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	found, err := all(ctx, s.store.read(), value[[]byte],
		"SELECT data FROM sessions WHERE hash = ? AND expires > ? AND data <> ?", hashed(token), s.store.now().UnixMilli(), []byte(ended))
	if err != nil || len(found) == 0 {
		return nil, false, err
	}
	return found[0], true, nil
}

// CommitCtx stores a session, unless it was ended.
func (s *SessionStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	if now := s.store.now(); s.store.swept.due(now) {
		if _, err := s.store.write(ctx, "DELETE FROM sessions WHERE expires <= ?", now.UnixMilli()); err != nil {
			return err
		}
	}
	_, err := s.store.write(ctx, `INSERT INTO sessions (hash, data, expires) VALUES (?, ?, ?)
		ON CONFLICT (hash) DO UPDATE SET data = excluded.data, expires = excluded.expires WHERE sessions.data <> ?`,
		hashed(token), data, expiry.UnixMilli(), []byte(ended))
	return err
}

// DeleteCtx ends a session. It need not exist.
func (s *SessionStore) DeleteCtx(ctx context.Context, token string) error {
	_, err := s.store.write(ctx, "UPDATE sessions SET data = ?, expires = ? WHERE hash = ?",
		[]byte(ended), s.store.now().Add(endedLasts).UnixMilli(), hashed(token))
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
