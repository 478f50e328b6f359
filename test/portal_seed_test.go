package test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

// amount is how much a portal has to do with.
type amount struct{ keys, days int }

// What there is besides, whatever the amount.
const (
	seededUsers    = 500
	seededTeams    = 400
	seededApps     = 1000
	seededBigTeam  = 200 // apps of the first team
	seededBigApp   = 200 // keys of its first app
	seededPending  = 200 // requests
	seededActs     = 100_000
	seededExpiring = 50 // every so many keys one that ends soon
)

// seedID returns the n-th id of a kind, as random as ids are.
func seedID(kind string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", kind, n))
	return kind + "_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
}

// makeKeys makes the keys at the gateway.
func (p *portal) makeKeys(count int) []*record.Key {
	p.t.Helper()
	client := adminapi.NewClient(p.gateway.admin, strings.TrimSpace(p.read("data/admin-secret")))
	made := make([]*record.Key, count)
	var group errgroup.Group
	group.SetLimit(16)
	for n := range made {
		group.Go(func() error {
			life := 300 * 24 * time.Hour
			if n%seededExpiring == 0 {
				life = 20 * 24 * time.Hour
			}
			issued, err := client.Create(p.t.Context(), adminapi.NewKey{
				ID: seedID("key", n), Name: fmt.Sprintf("Night worklist %d", n), Plan: "e2e", Hospitals: []string{"harbor", "lakeside", "st-mary"}, Life: adminapi.Duration(life),
			})
			if err == nil {
				made[n] = issued.Key
			}
			return err
		})
	}
	require.NoError(p.t, group.Wait())
	return made
}

// appOfKey returns which app has the n-th key.
func appOfKey(n int) int {
	if n < seededBigApp {
		return 0
	}
	return n % seededApps
}

// teamOfApp returns which team has the n-th app.
func teamOfApp(n int) int {
	if n < seededBigTeam {
		return 0
	}
	return n % seededTeams
}

// seeder fills the tables of a portal that does not run.
type seeder struct {
	t  *testing.T
	db *sql.DB
}

func (s *seeder) exec(statement string) {
	s.t.Helper()
	_, err := s.db.ExecContext(s.t.Context(), statement)
	require.NoError(s.t, err)
}

// insert writes rows, some hundreds at once.
func (s *seeder) insert(into string, count int, row func(n int) []any) {
	s.t.Helper()
	var values []string
	for n := range count {
		fields := row(n)
		literals := make([]string, len(fields))
		for i, field := range fields {
			if text, ok := field.(string); ok {
				literals[i] = "'" + strings.ReplaceAll(text, "'", "''") + "'"
			} else {
				literals[i] = fmt.Sprint(field)
			}
		}
		values = append(values, "("+strings.Join(literals, ",")+")")
		if len(values) == 500 || n == count-1 {
			s.exec("INSERT INTO " + into + " VALUES " + strings.Join(values, ","))
			values = nil
		}
	}
}

// seed fills the tables: users, teams, apps, requests, the records of keys, and
// their usage, and acts. Owner and viewer are made members of the big team. Pending
// requests are made as the portal makes them.
func (s *seeder) seed(portal *store.Store, actsKey string, keys []*record.Key, days int, owner, viewer string) {
	s.t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	long, lately := now.AddDate(-1, 0, 0).Unix(), now.AddDate(0, 0, -3).Unix()
	s.exec("BEGIN")
	s.insert("users (id, email, name, role, password_hash, oidc_subject, totp_since, created)", seededUsers, func(n int) []any {
		return []any{seedID("user", n), fmt.Sprintf("dev%d@pacs.example", n), fmt.Sprintf("Dev Eloper %d", n), "developer", "", "", 0, long}
	})
	s.insert("teams (id, name, created)", seededTeams, func(n int) []any {
		return []any{seedID("team", n), fmt.Sprintf("Imaging team %d", n), long}
	})
	s.insert("members (team_id, user_id, role, since)", seededUsers, func(n int) []any {
		if n < 40 {
			return []any{seedID("team", 0), seedID("user", n), "member", long}
		}
		return []any{seedID("team", n%seededTeams), seedID("user", n), "owner", long}
	})
	s.exec(fmt.Sprintf("INSERT INTO members (team_id, user_id, role, since) SELECT '%s', id, CASE email WHEN '%s' THEN 'owner' ELSE 'viewer' END, %d FROM users WHERE email IN ('%[2]s', '%[4]s')",
		seedID("team", 0), owner, long, viewer))
	s.insert("apps (id, team_id, name, description, created_by, created)", seededApps, func(n int) []any {
		return []any{seedID("app", n), seedID("team", teamOfApp(n)), fmt.Sprintf("Screening worklist %d", n), "Pulls the day's appointments for the screening worklist.", seedID("user", n%seededUsers), long}
	})
	hospitals := `["harbor","lakeside","st-mary"]`
	s.insert("access_requests (id, app_id, plan, hospitals, purpose, requested_by, created, state, decided_by, reason, decided)", seededApps, func(n int) []any {
		return []any{seedID("req", n), seedID("app", n), "e2e", hospitals, "Pull the day's appointments for the screening worklist", seedID("user", n%seededUsers), long, "approved", seedID("user", 1), "Fits the agreement", long}
	})
	s.insert("credentials (id, app_id, request_id, key_id, name, kind, plan, hospitals, origin, state, created_by, created, expires, changed, hints, ends, last_used)", len(keys), func(n int) []any {
		key, app := keys[n], appOfKey(n)
		hints, err := json.Marshal([]store.SecretHint{{Hash: key.Secrets[0].Hash, Hint: key.Secrets[0].Hint, Created: key.Secrets[0].Created}})
		require.NoError(s.t, err)
		return []any{
			seedID("cred", n), seedID("app", app), seedID("req", app), key.ID, key.Name, "key", key.Plan, hospitals, "portal", "active",
			seedID("user", n%seededUsers), key.Created.Unix(), key.Expires.Unix(), key.Created.Unix(), string(hints), key.Expires.Unix(), lately,
		}
	})
	s.usage(keys, days, now)
	s.acts(actsKey, now)
	s.exec("COMMIT")

	for n := range seededPending {
		by := store.By{UserID: seedID("user", n), Name: fmt.Sprintf("dev%d@pacs.example", n)}
		_, err := portal.CreateRequest(s.t.Context(), by, store.AccessRequest{AppID: seedID("app", n), Plan: "e2e", Hospitals: []string{"harbor"}, Purpose: "Read the reports of the screening programme"})
		require.NoError(s.t, err)
	}
	for n := range 30 {
		ends := now.AddDate(0, 0, 1)
		if n > 1 {
			ends = now.AddDate(0, 0, -n)
		}
		_, err := portal.Announce(s.t.Context(), store.System, store.Announcement{Title: fmt.Sprintf("Maintenance %d", n), Text: "Harbor renews its server on Sunday night, from two to four.", Level: store.LevelWarn, Ends: ends})
		require.NoError(s.t, err)
	}
}

// usage writes the usage of every key, on seven days of ten, and its sums. The
// rows come in the order of the table, which is several times faster.
func (s *seeder) usage(keys []*record.Key, days int, now time.Time) {
	s.t.Helper()
	s.exec("CREATE TABLE seed_keys (key_id TEXT PRIMARY KEY, n BIGINT)")
	s.exec("CREATE TABLE seed_days (day TEXT PRIMARY KEY, n BIGINT)")
	s.exec("CREATE TABLE seed_shapes (hospital TEXT, interaction TEXT, status BIGINT, every BIGINT)")
	s.insert("seed_keys", len(keys), func(n int) []any { return []any{keys[n].ID, n} })
	s.insert("seed_days", days, func(n int) []any { return []any{now.AddDate(0, 0, n+1-days).Format(time.DateOnly), n} })
	shapes := [][]any{{"harbor", "read", 200, 1}, {"harbor", "read", 404, 7}, {"harbor", "search-type", 200, 2}, {"lakeside", "create", 503, 13}, {"st-mary", "search-type", 200, 3}}
	s.insert("seed_shapes", len(shapes), func(n int) []any { return shapes[n] })
	s.exec(`INSERT INTO usage (key_id, day, hospital, interaction, status, calls)
		SELECT k.key_id, d.day, s.hospital, s.interaction, s.status, 1 + (k.n + 7 * d.n) % 400
		FROM (SELECT * FROM seed_keys ORDER BY key_id) k CROSS JOIN seed_days d CROSS JOIN seed_shapes s
		WHERE (7 * k.n + 3 * d.n) % 10 < 7 AND (k.n + d.n) % s.every = 0`)
	const ofAll = "FROM usage u"
	const ofApps = ofAll + " JOIN credentials c ON c.key_id = u.key_id JOIN apps ON apps.id = c.app_id"
	for _, sum := range []struct{ whose, from string }{{"'all'", ofAll}, {"apps.id", ofApps}, {"apps.team_id", ofApps}} {
		s.exec("INSERT INTO usage_statuses (whose, day, hospital, status, calls) SELECT " + sum.whose + ", u.day, u.hospital, u.status, CAST(SUM(u.calls) AS BIGINT) " + sum.from + " GROUP BY 1, 2, 3, 4")
		s.exec("INSERT INTO usage_interactions (whose, interaction, hospital, day, calls) SELECT " + sum.whose + ", u.interaction, u.hospital, u.day, CAST(SUM(u.calls) AS BIGINT) " + sum.from + " GROUP BY 1, 2, 3, 4")
	}
	for _, table := range []string{"seed_keys", "seed_days", "seed_shapes"} {
		s.exec("DROP TABLE " + table)
	}
}

// timed prints how long a step took.
func timed(t *testing.T, what string, do func()) {
	t.Helper()
	began := time.Now()
	do()
	t.Logf("%s: %.1f s", what, time.Since(began).Seconds())
}
