package store

import (
	"context"
)

// mirrored is what the database holds of what the gateway says, as it holds it.
type mirrored struct {
	name, plan, hospitals, hints string
	expires, lastUsed            int64
}

// Mirror takes over what the gateway says about its consumers. Those that the
// portal does not know are left out, and those of which nothing differs are not
// written. It is no act. LastUsed never goes back.
func (s *Store) Mirror(ctx context.Context, mirrors []Mirror) error {
	known, err := s.mirrored(ctx)
	if err != nil {
		return err
	}
	differ := make([]Mirror, 0, len(mirrors))
	for _, m := range mirrors {
		if held, ok := known[m.KeyID]; ok && held != merge(held, m) {
			differ = append(differ, m)
		}
	}
	if len(differ) == 0 {
		return nil
	}
	return s.transact(ctx, "credentials", func(q queries) error {
		for _, m := range differ {
			now := merge(known[m.KeyID], m)
			_, err := q.exec(ctx, `UPDATE credentials
				SET name = ?, plan = ?, hospitals = ?, expires = ?, hints = ?, ends = ?, last_used = ? WHERE key_id = ?`,
				now.name, now.plan, now.hospitals, now.expires, now.hints, stamp(worksUntil(m.Expires, m.Hints)), now.lastUsed, m.KeyID)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func merge(held mirrored, m Mirror) mirrored {
	return mirrored{
		name: clean(m.Name), plan: clean(m.Plan), hospitals: asJSON(m.Hospitals), hints: asJSON(m.Hints),
		expires: stamp(m.Expires), lastUsed: max(held.lastUsed, stamp(m.LastUsed)),
	}
}

// mirrored returns what the database holds, by key id.
func (s *Store) mirrored(ctx context.Context) (map[string]mirrored, error) {
	known := make(map[string]mirrored)
	err := s.read().each(ctx, func(r row) error {
		var keyID string
		var m mirrored
		err := r.Scan(&keyID, &m.name, &m.plan, &m.hospitals, &m.hints, &m.expires, &m.lastUsed)
		known[keyID] = m
		return err
	}, "SELECT key_id, name, plan, hospitals, hints, expires, last_used FROM credentials")
	return known, err
}

// Cursor returns how far a reader of something has come, "" at the start.
func (s *Store) Cursor(ctx context.Context, name string) (string, error) {
	var cursor string
	err := s.read().each(ctx, func(r row) error { return r.Scan(&cursor) }, "SELECT value FROM cursors WHERE name = ?", name)
	return cursor, err
}

// SetCursor notes how far a reader of something has come.
func (s *Store) SetCursor(ctx context.Context, name, value string) error {
	_, err := s.write(ctx, `INSERT INTO cursors (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}
