package test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

// trailHead is the head of the trail of acts, as the portal seals it.
type trailHead struct {
	Count int64  `json:"count"`
	Hash  string `json:"hash"`
	MAC   string `json:"mac"`
}

// acts writes acts of a year behind those that there are, chained as the portal
// chains them and far faster.
func (s *seeder) acts(key string, now time.Time) {
	s.t.Helper()
	mac := func(what string, v any) string {
		text, err := json.Marshal(v)
		require.NoError(s.t, err)
		sum := hmac.New(sha256.New, []byte(key))
		sum.Write(append([]byte(what+"\n"), text...))
		return hex.EncodeToString(sum.Sum(nil))
	}
	var head trailHead
	require.NoError(s.t, s.db.QueryRowContext(s.t.Context(), "SELECT count, hash FROM acts_head").Scan(&head.Count, &head.Hash))
	first := head.Count + 1
	s.insert("acts (seq, time, user_id, user_name, address, name, kind, subject, detail, previous, hash)", seededActs, func(n int) []any {
		a := seededAct(n)
		a.Seq, a.Previous = first+int64(n), head.Hash
		a.Time = now.Add(-365 * 24 * time.Hour / seededActs * time.Duration(seededActs-n)).Truncate(time.Microsecond)
		a.Hash = mac("act", a)
		head.Count, head.Hash = a.Seq, a.Hash
		detail, err := json.Marshal(a.Detail)
		require.NoError(s.t, err)
		return []any{a.Seq, a.Time.UnixMicro(), a.UserID, a.UserName, a.Address, a.Name, a.Kind, a.Subject, string(detail), a.Previous, a.Hash}
	})
	head.MAC = mac("head", head)
	s.exec(fmt.Sprintf("UPDATE acts_head SET count = %d, hash = '%s', mac = '%s'", head.Count, head.Hash, head.MAC))
}

// seededAct is the n-th act: half of them are sign-ins, the others what is done with
// keys and requests.
func seededAct(n int) store.Act {
	user := n % seededUsers
	a := store.Act{UserID: seedID("user", user), UserName: fmt.Sprintf("dev%d@pacs.example", user), Address: fmt.Sprintf("192.0.2.%d", user%250)}
	credential := map[string]string{
		"app": seedID("app", n%seededApps), "request": seedID("req", n%seededApps), "key": seedID("key", n), "kind": "key", "plan": "e2e", "name": fmt.Sprintf("Night worklist %d", n),
	}
	switch n % 10 {
	case 0, 1:
		a.Name, a.Kind, a.Subject, a.Detail = "credential.create", "credential", seedID("cred", n), credential
	case 2:
		a.Name, a.Kind, a.Subject, a.Detail = "credential.update", "credential", seedID("cred", n), map[string]string{"name": "Night worklist"}
	case 3:
		a.Name, a.Kind, a.Subject, a.Detail = "access.request", "request", seedID("req", n), map[string]string{"app": seedID("app", n%seededApps), "plan": "e2e", "hospitals": "harbor lakeside st-mary"}
	case 4:
		a.Name, a.Kind, a.Subject, a.Detail = "access.approve", "request", seedID("req", n), map[string]string{"reason": "Fits the agreement"}
	default:
		a.Name, a.Kind, a.Subject, a.Detail = "user.login", "user", a.UserID, map[string]string{"by": "password"}
	}
	return a
}
