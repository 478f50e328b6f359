package store

import "github.com/alexedwards/scs/v2"

// SessionStore keeps sessions for scs. It knows them by the SHA-256 of their
// tokens only.
type SessionStore struct{ store *Store }

var _ scs.CtxStore = (*SessionStore)(nil)

// Sessions returns the store of the sessions.
func (s *Store) Sessions() *SessionStore { return &SessionStore{store: s} }
