package store

import "context"

// What the portal has given by itself is under no person's eye: whoever keeps
// watch over it asks here.

// ApprovedBySystem returns the approved accesses on which no person has decided,
// the oldest first.
func (s *Store) ApprovedBySystem(ctx context.Context) ([]AccessRequest, error) {
	return all(ctx, s.read(), scanRequest,
		requestQuery+" WHERE r.state = 'approved' AND r.decided_by = ? ORDER BY r.created, r.id", System.UserID)
}

// OwnCredentials returns the credentials of the portal itself that work, or may
// work again, the newest first.
func (s *Store) OwnCredentials(ctx context.Context) ([]Credential, error) {
	return all(ctx, s.read(), scanCredential, consumerQuery+` WHERE c.app_id IS NULL AND c.origin = ?
		AND c.state IN ('active', 'rotating', 'lost') AND (c.expires = 0 OR c.expires > ?) ORDER BY c.created DESC, c.id DESC`,
		OriginPortal, stamp(s.now()))
}
