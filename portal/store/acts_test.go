package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/store/storetest"
)

func TestActs(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		by := store.By{UserID: "user_ada", Name: "Ada \x00\xff", Address: netip.MustParseAddr("192.0.2.7")}
		require.NoError(t, w.Record(ctx, by, "gateway.reload", "gateway", "", map[string]string{"outcome": "taken\x00", "<&>": "ü"}))
		w.now = w.now.Add(time.Hour)
		require.NoError(t, w.Record(ctx, store.System, "gateway.check", "hospital", "nor\x00th", nil))
		found, err := w.Acts(ctx, store.ActFilter{}, store.Page{})
		require.NoError(t, err)
		require.Len(t, found.Items, 2)
		second, first := found.Items[0], found.Items[1]
		require.Regexp(t, "^[0-9a-f]{64}$", first.Hash)
		require.Equal(t, store.Act{
			Seq: 1, Time: w.now.Add(-time.Hour).Truncate(time.Microsecond), UserID: "user_ada", UserName: "Ada \uFFFD", Address: "192.0.2.7",
			Name: "gateway.reload", Kind: "gateway", Detail: map[string]string{"outcome": "taken", "<&>": "ü"}, Hash: first.Hash,
		}, first)
		require.Equal(t, first.Hash, second.Previous)
		for name, test := range map[string]struct {
			filter store.ActFilter
			want   []int64
		}{
			"all":       {store.ActFilter{}, []int64{2, 1}},
			"name":      {store.ActFilter{Name: "gateway.check"}, []int64{2}},
			"user":      {store.ActFilter{UserID: "user_ada"}, []int64{1}},
			"from":      {store.ActFilter{From: second.Time}, []int64{2}},
			"to":        {store.ActFilter{To: second.Time}, []int64{1}},
			"subject":   {store.ActFilter{Search: "NORTH"}, []int64{2}},
			"detail":    {store.ActFilter{Search: "taken"}, []int64{1}},
			"user name": {store.ActFilter{Search: "ada"}, []int64{1}},
			"subjects":  {store.ActFilter{Subjects: []string{"north", "south"}}, []int64{2}},
			"before":    {store.ActFilter{Before: 2}, []int64{1}},
			"across":    {store.ActFilter{Search: "fhirgate gateway.check"}, []int64{2}},
			"percent":   {store.ActFilter{Search: "%"}, nil},
			"blank":     {store.ActFilter{Search: " "}, []int64{2, 1}},
			"none":      {store.ActFilter{Search: "ada", Name: "gateway.check"}, nil},
		} {
			found, err := w.Acts(ctx, test.filter, store.Page{})
			require.NoError(t, err)
			var got []int64
			for _, a := range found.Items {
				got = append(got, a.Seq)
			}
			require.Equal(t, test.want, got, name)
		}
		verdict, err := w.VerifyActs(ctx)
		require.NoError(t, err)
		require.Equal(t, store.Verdict{Count: 2, Head: second.Hash}, verdict)
	})
}

func TestActsHaveNoGapsWhenManyActAtOnce(t *testing.T) {
	for _, dialect := range storetest.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			options := storetest.Options(t, dialect)
			stores := []*store.Store{storetest.OpenWith(t, options), storetest.OpenWith(t, options)}
			errs := atOnce(20, func(i int) error {
				for range 5 {
					if err := stores[i%2].Record(t.Context(), store.System, "test", "test", strconv.Itoa(i), nil); err != nil {
						return err
					}
				}
				return nil
			})
			require.Equal(t, 20, isIn(errs, nil), errs)
			verdict, err := stores[0].VerifyActs(t.Context())
			require.NoError(t, err)
			require.Empty(t, verdict.Problem)
			require.EqualValues(t, 100, verdict.Count)
		})
	}
}

func TestActsAreVerifiedWhileOthersAct(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		errs := atOnce(4, func(i int) error {
			for range 40 {
				if i > 0 {
					if err := w.Record(t.Context(), store.System, "test", "test", "", nil); err != nil {
						return err
					}
					continue
				}
				var out bytes.Buffer
				_, _, err := w.ExportActs(t.Context(), &out)
				verdict, err2 := w.VerifyActs(t.Context())
				stepped, err3 := w.VerifyActsInSteps(t.Context(), 5, func(int64, int64) {})
				if err := errors.Join(err, err2, err3); err != nil {
					return err
				}
				if problem := verdict.Problem + stepped.Problem + store.VerifyExport(&out, []byte(storetest.ActsKey)).Problem; problem != "" {
					return errors.New(problem)
				}
			}
			return nil
		})
		require.Equal(t, 4, isIn(errs, nil), errs)
	})
}

// TestVerifyingTellsHowFarItIs acts while it is verified: what came last is read.
func TestVerifyingTellsHowFarItIs(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		record := func() { require.NoError(t, w.Record(t.Context(), store.System, "test", "test", "", nil)) }
		for range 7 {
			record()
		}
		var told [][2]int64
		verdict, err := w.VerifyActsInSteps(t.Context(), 3, func(read, of int64) {
			if told = append(told, [2]int64{read, of}); read == 6 {
				record()
			}
		})
		require.NoError(t, err)
		require.Equal(t, [][2]int64{{3, 7}, {6, 7}, {8, 8}}, told)
		require.Empty(t, verdict.Problem)
		require.EqualValues(t, 8, verdict.Count)

		ctx, cancel := context.WithCancel(t.Context())
		_, err = w.VerifyActsInSteps(ctx, 3, func(int64, int64) { cancel() })
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestActsAreAppendOnly(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		require.NoError(t, w.Record(t.Context(), store.System, "test", "test", "", nil))
		statements := []string{"UPDATE acts SET name = 'x'", "DELETE FROM acts"}
		if w.options.Postgres == "" {
			statements = append(statements, "REPLACE INTO acts SELECT seq, time, '', '', '', 'x', '', '', '{}', '', '' FROM acts")
		} else {
			statements = append(statements, "TRUNCATE acts")
		}
		for _, statement := range statements {
			_, err := w.raw(t).ExecContext(t.Context(), statement)
			require.ErrorContains(t, err, "acts are append-only", statement)
		}
	})
}

// TestTampering changes acts behind the store's back, by somebody who may change
// the tables and does not know the key.
func TestTampering(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.user(t, "ada", store.RoleDeveloper)
		for i := range 5 {
			require.NoError(t, w.Record(ctx, store.System, "test", "test", strconv.Itoa(i), map[string]string{"n": strconv.Itoa(i)}))
		}
		good, err := w.VerifyActs(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(6), good.Count)
		db := w.raw(t)
		triggers := []string{"DROP TRIGGER acts_stay", "DROP TRIGGER acts_remain", "DROP TRIGGER acts_append"}
		if w.options.Postgres != "" {
			triggers = []string{"DROP TRIGGER acts_remain ON acts"}
		}
		for _, statement := range append(triggers, "CREATE TABLE kept AS SELECT * FROM acts", "CREATE TABLE kept_head AS SELECT * FROM acts_head") {
			_, err := db.ExecContext(ctx, statement)
			require.NoError(t, err)
		}
		for name, test := range map[string]struct {
			statements string
			broken     int64
			problem    string
		}{
			"changed subject":     {"UPDATE acts SET subject = 'x' WHERE seq = 3", 3, "changed"},
			"changed detail":      {`UPDATE acts SET detail = '{"n":"9"}' WHERE seq = 3`, 3, "changed"},
			"unreadable detail":   {`UPDATE acts SET detail = '{"n"' WHERE seq = 3`, 3, "changed"},
			"detail of numbers":   {`UPDATE acts SET detail = '{"n":1}' WHERE seq = 3`, 3, "changed"},
			"no detail":           {`UPDATE acts SET detail = 'null' WHERE seq = 3`, 3, "changed"},
			"detail with a twin":  {`UPDATE acts SET detail = '{"n":"9","n":"1"}' WHERE seq = 3`, 3, "changed"},
			"changed time":        {"UPDATE acts SET time = time + 1 WHERE seq = 3", 3, "changed"},
			"changed user":        {"UPDATE acts SET user_id = 'user_x' WHERE seq = 1", 1, "changed"},
			"changed hash":        {"UPDATE acts SET hash = 'x' WHERE seq = 6", 6, "changed"},
			"removed":             {"DELETE FROM acts WHERE seq = 3", 3, "act 3 is missing"},
			"removed, closed up":  {"DELETE FROM acts WHERE seq = 3; UPDATE acts SET seq = seq - 10 WHERE seq > 3; UPDATE acts SET seq = seq + 9 WHERE seq < 0", 3, "does not follow"},
			"before the first":    {"INSERT INTO acts SELECT -7, time, user_id, user_name, address, name, kind, subject, detail, previous, hash FROM acts WHERE seq = 6", 1, "act 1 is missing"},
			"far behind the last": {"INSERT INTO acts SELECT 5000, time, user_id, user_name, address, name, kind, subject, detail, hash, 'x' FROM acts WHERE seq = 6", 7, "act 7 is missing"},
			"first removed":       {"DELETE FROM acts WHERE seq = 1", 1, "act 1 is missing"},
			"reordered":           {"UPDATE acts SET seq = 100 WHERE seq = 3; UPDATE acts SET seq = 3 WHERE seq = 4; UPDATE acts SET seq = 4 WHERE seq = 100", 3, "does not follow"},
			"inserted":            {"INSERT INTO acts SELECT 7, time, user_id, user_name, address, name, kind, subject, detail, hash, 'x' FROM acts WHERE seq = 6", 7, "changed"},
			"inserted again":      {"INSERT INTO acts SELECT 7, time, user_id, user_name, address, name, kind, subject, detail, previous, hash FROM acts WHERE seq = 6", 7, "does not follow"},
			"tail cut":            {"DELETE FROM acts WHERE seq > 4", 5, "the acts from 5 to 6 are missing"},
			"all cut":             {"DELETE FROM acts", 1, "the acts from 1 to 6 are missing"},
			"tail and head cut":   {"DELETE FROM acts WHERE seq > 4; UPDATE acts_head SET count = 4, hash = (SELECT hash FROM acts WHERE seq = 4)", 5, "head of the trail was changed"},
			"head removed":        {"DELETE FROM acts_head", 7, "head of the trail was changed"},
			"all and head cut":    {"DELETE FROM acts; DELETE FROM acts_head", 1, "head of the trail was changed"},
			"head without a seal": {"UPDATE acts_head SET mac = ''", 7, "head of the trail was changed"},
		} {
			for _, statement := range strings.Split(test.statements, "; ") {
				_, err := db.ExecContext(ctx, statement)
				require.NoError(t, err, name)
			}
			verdict, err := w.VerifyActs(ctx)
			require.NoError(t, err, name)
			_, err = w.Acts(ctx, store.ActFilter{}, store.Page{})
			require.NoError(t, err, "the others are shown: %s", name)
			require.Equal(t, test.broken, verdict.Broken, name)
			require.Contains(t, verdict.Problem, test.problem, name)
			for step := range int64(7) {
				stepped, err := w.VerifyActsInSteps(ctx, step+1, func(int64, int64) {})
				require.NoError(t, err, name)
				require.Equal(t, verdict, stepped, "%s, in steps of %d", name, step+1)
			}
			if strings.Contains(test.statements, "DELETE FROM acts_head") {
				again, err := storetest.OpenWith(t, w.options).VerifyActs(ctx)
				require.NoError(t, err)
				require.Equal(t, verdict, again, "a head that was taken away is not made anew")
				require.Error(t, w.Record(ctx, store.System, "test", "test", "", nil), name)
			}
			for _, statement := range []string{"DELETE FROM acts", "DELETE FROM acts_head", "INSERT INTO acts SELECT * FROM kept", "INSERT INTO acts_head SELECT * FROM kept_head"} {
				_, err := db.ExecContext(ctx, statement)
				require.NoError(t, err)
			}
			verdict, err = w.VerifyActs(ctx)
			require.NoError(t, err)
			require.Equal(t, good, verdict)
		}
		options := w.options
		options.ActsKey = []byte("another key of the same length...")
		_, err = store.Open(ctx, options)
		require.ErrorIs(t, err, store.ErrActsKey, "the key counts")
	})
}

func TestExport(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, key := t.Context(), []byte(storetest.ActsKey)
		by := store.By{UserID: "user_ada", Name: `Ada <"&> ` + "\u2028"}
		for i := range 4 {
			require.NoError(t, w.Record(ctx, by, "test", "test", strconv.Itoa(i), map[string]string{"b": "1", "a": "2"}))
			w.now = w.now.Add(time.Microsecond)
		}
		var out bytes.Buffer
		head, count, err := w.ExportActs(ctx, &out)
		require.NoError(t, err)
		require.EqualValues(t, 4, count)
		require.Equal(t, store.Verdict{Count: 4, Head: head}, store.VerifyExport(bytes.NewReader(out.Bytes()), key))
		lines := strings.SplitAfter(strings.TrimSuffix(out.String(), "\n"), "\n")
		require.Len(t, lines, 5)
		for _, line := range lines {
			require.True(t, json.Valid([]byte(line)), line)
		}
		join := func(lines ...string) string { return strings.Join(lines, "") }
		for name, test := range map[string]struct {
			export  string
			broken  int64
			problem string
		}{
			"empty":            {"", 1, "without the head"},
			"no head":          {join(lines[:4]...), 5, "without the head"},
			"cut":              {join(lines[0], lines[1], lines[4]), 3, "the acts from 3 to 4 are missing"},
			"removed":          {join(lines[0], lines[2], lines[3], lines[4]), 2, "act 2 is missing"},
			"reordered":        {join(lines[1], lines[0], lines[2], lines[3], lines[4]), 1, "act 1 is missing"},
			"changed":          {strings.Replace(out.String(), `"a":"2"`, `"a":"3"`, 1), 1, "changed"},
			"a field added":    {strings.Replace(out.String(), `"a":"2"`, `"a":"2","c":""`, 1), 1, "changed"},
			"other field":      {strings.Replace(out.String(), `"seq"`, `"x":1,"seq"`, 1), 1, "no act"},
			"a second line":    {join(lines[0], lines[0]), 2, "act 2 is missing"},
			"no JSON":          {join(lines[0], "x"), 2, "no act"},
			"an empty object":  {join(lines[0], "{}"), 2, "no act"},
			"behind the head":  {join(append(lines, "\n", lines[0])...), 5, "something follows"},
			"head as an act":   {join(lines[0], strings.Replace(lines[1], `}`, `},"head":{}`, 1)), 2, "no act"},
			"the head changed": {strings.Replace(out.String(), `"count":4`, `"count":5`, 1), 5, "head of the trail was changed"},
		} {
			verdict := store.VerifyExport(strings.NewReader(test.export), key)
			require.Equal(t, test.broken, verdict.Broken, name)
			require.Contains(t, verdict.Problem, test.problem, name)
		}
		require.Equal(t, int64(1), store.VerifyExport(bytes.NewReader(out.Bytes()), []byte("another key")).Broken)
	})
}

// TestActsHoldNoSecrets does everything that is done with secrets.
func TestActsHoldNoSecrets(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		user, err := w.CreateUser(ctx, store.System, store.User{Email: "a@example.org", PasswordHash: "secret-1", OIDCSubject: "secret-2"})
		require.NoError(t, err)
		by := store.By{UserID: user.ID}
		require.NoError(t, w.SetPassword(ctx, by, user.ID, "secret-3"))
		require.NoError(t, w.SetSubject(ctx, by, user.ID, "secret-4"))
		require.NoError(t, w.SetTOTP(ctx, by, user.ID, []byte("secret-5")))
		require.NoError(t, w.ConfirmTOTP(ctx, by, user.ID, []string{"secret-6"}))
		_, err = w.TakeRecoveryCode(ctx, by, user.ID, "secret-6")
		require.NoError(t, err)
		_, token, err := w.Invite(ctx, by, store.Invitation{Email: "b@example.org", Expires: w.now.Add(time.Hour)})
		require.NoError(t, err)
		_, err = w.AcceptInvitation(ctx, by, token, store.User{PasswordHash: "secret-7"})
		require.NoError(t, err)
		_, err = w.Adopt(ctx, store.Credential{KeyID: "key_one", Hints: []store.SecretHint{{Hash: "secret-8", Hint: "secret-9"}}})
		require.NoError(t, err)
		var out bytes.Buffer
		_, count, err := w.ExportActs(ctx, &out)
		require.NoError(t, err)
		require.EqualValues(t, 8, count)
		require.NotContains(t, out.String(), "secret-")
		require.NotContains(t, out.String(), token)
	})
}

// TestACutTrailIsNotSealedAnew cuts the last acts away, and lets the portal work on.
func TestACutTrailIsNotSealedAnew(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for i := range 4 {
			require.NoError(t, w.Record(ctx, store.System, "test", "test", strconv.Itoa(i), nil))
		}
		drop := "DROP TRIGGER acts_remain"
		if w.options.Postgres != "" {
			drop += " ON acts"
		}
		for _, statement := range []string{
			drop, "DELETE FROM acts WHERE seq > 2", "UPDATE acts_head SET count = 2, hash = (SELECT hash FROM acts WHERE seq = 2)",
		} {
			_, err := w.raw(t).ExecContext(ctx, statement)
			require.NoError(t, err)
		}
		require.NoError(t, w.Record(ctx, store.System, "test", "test", "after", nil))
		require.NoError(t, w.Record(ctx, store.System, "test", "test", "after", nil))
		verdict, err := w.VerifyActs(ctx)
		require.NoError(t, err)
		require.Contains(t, verdict.Problem, "head of the trail was changed")
	})
}
