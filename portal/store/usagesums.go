package store

import "context"

// sums are what the sums of usage have to be changed by: those over all keys, and
// those of the apps and teams that the keys belong to.
type sums struct {
	owners       map[string][]string // ids of app and team by key
	statuses     map[statusSum]int64
	interactions map[interactionSum]int64
}

type statusSum struct {
	whose    string // id of an app or team; everybody = all
	day      Day
	hospital string
	status   int
}

type interactionSum struct {
	whose, interaction, hospital string
	day                          Day
}

// everybody is whose the sums over all keys are.
const everybody = "all"

// newSums returns sums for the keys of rows. A key has its app before it is used
// for the first time, and keeps it, and the app its team.
func (q queries) newSums(ctx context.Context, rows []UsageRow) (sums, error) {
	s := sums{make(map[string][]string), make(map[statusSum]int64), make(map[interactionSum]int64)}
	keys := [][]string{}
	for i, r := range rows { // sorted by key
		if i == 0 || r.KeyID != rows[i-1].KeyID {
			keys = append(keys, []string{clean(r.KeyID)})
		}
	}
	err := q.each(ctx, func(r row) error {
		var key, app, team string
		err := r.Scan(&key, &app, &team)
		s.owners[key] = []string{app, team}
		return err
	}, `SELECT c.key_id, apps.id, apps.team_id FROM credentials c JOIN apps ON apps.id = c.app_id
		WHERE c.key_id IN (SELECT value->>0 FROM json_each(?))`, asJSON(keys))
	return s, err
}

func (s sums) add(r UsageRow, calls int64) {
	for _, whose := range append([]string{everybody}, s.owners[clean(r.KeyID)]...) {
		s.statuses[statusSum{whose, r.Day, clean(r.Hospital), r.Status}] += calls
		s.interactions[interactionSum{whose, clean(r.Interaction), clean(r.Hospital), r.Day}] += calls
	}
}

// addSums changes the sums that are stored.
func (q queries) addSums(ctx context.Context, s sums) error {
	given := [][]any{}
	for of, calls := range s.statuses {
		given = append(given, []any{of.whose, of.day, of.hospital, of.status, calls})
	}
	_, err := q.exec(ctx, `INSERT INTO usage_statuses (whose, day, hospital, status, calls)
		SELECT value->>0, value->>1, value->>2, CAST(value->>3 AS BIGINT), CAST(value->>4 AS BIGINT) FROM json_each(?) WHERE true
		ON CONFLICT (whose, day, hospital, status) DO UPDATE SET calls = usage_statuses.calls + excluded.calls`, asJSON(given))
	if err != nil {
		return err
	}
	given = given[:0]
	for of, calls := range s.interactions {
		given = append(given, []any{of.whose, of.interaction, of.hospital, of.day, calls})
	}
	_, err = q.exec(ctx, `INSERT INTO usage_interactions (whose, interaction, hospital, day, calls)
		SELECT value->>0, value->>1, value->>2, value->>3, CAST(value->>4 AS BIGINT) FROM json_each(?) WHERE true
		ON CONFLICT (whose, interaction, hospital, day) DO UPDATE SET calls = usage_interactions.calls + excluded.calls`, asJSON(given))
	return err
}
