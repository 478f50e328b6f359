package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
	"fhirgate/observe/audit"
)

// runAudit runs a command of audit and returns what it wrote to both outputs.
func runAudit(t *testing.T, stdin string, args ...string) (out string, err error) {
	t.Helper()
	var buf bytes.Buffer
	root := &cobra.Command{Use: "fhirgate", SilenceErrors: true, SilenceUsage: true}
	root.PersistentFlags().StringP("config", "c", "tyk.conf", "")
	root.AddCommand(newAudit())
	root.SetArgs(append([]string{"audit"}, args...))
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&buf)
	root.SetErr(&buf)
	err = root.ExecuteContext(t.Context())
	return buf.String(), err
}

// withTrail makes a folder with a tyk.conf and a trail of three calls, and
// returns the names of its files of records.
func withTrail(t *testing.T) []string {
	t.Helper()
	zone := time.Local
	time.Local = time.UTC // a day on the command line is one of this machine's zone
	t.Cleanup(func() { time.Local = zone })
	inFolder(t, nil)
	keys := envelope.NewSet()
	data, err := json.Marshal(keys)
	require.NoError(t, err)
	config := audit.Config{}
	require.Empty(t, config.Complete("data"))
	require.NoError(t, os.MkdirAll("data", 0o700))
	require.NoError(t, os.WriteFile(config.KeysFile, data, 0o600))
	trail, err := audit.Open(audit.Options{Config: config, Keys: keys, Node: "n1"})
	require.NoError(t, err)
	e := audit.Event{
		Time: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), RequestID: "req-1", Consumer: "key_pacs", OnBehalfOf: "dr-who", Purpose: "TREAT",
		Address: netip.MustParseAddr("192.0.2.7"), Hospital: "st-mary", Interaction: "read", Type: "Patient", Status: 200, Entry: -1,
		Patients: []string{"Patient/123"}, Resources: []string{"Patient/123"},
	}
	trail.Record(e)
	e.Time, e.RequestID, e.OnBehalfOf, e.Purpose = e.Time.AddDate(0, 0, 1), "req-2", "", ""
	e.Interaction, e.Operation, e.Status, e.Issue, e.Entry = "operation", "everything", 403, "forbidden", 2
	trail.Record(e)
	e.Time, e.RequestID, e.Operation, e.Interaction, e.Entry = e.Time.AddDate(0, 0, 1), "req-3", "", "search-type", -1
	e.Status, e.Issue, e.Aborted, e.Patients, e.Resources, e.More = 200, "", true, nil, nil, true
	trail.Record(e)
	require.NoError(t, trail.Close(t.Context()))
	names, err := filepath.Glob("data/audit/*.log")
	require.NoError(t, err)
	return names
}

func TestAuditFind(t *testing.T) {
	withTrail(t)
	for _, tc := range []struct {
		name  string
		stdin string
		args  string
		want  string
	}{
		{"a patient", "", "--hospital st-mary --patient 123", "123?"},
		{"as a reference", "", "--hospital st-mary --patient Patient/123", "123?"},
		{"from standard input", "123\n", "--hospital st-mary --patient -", "123?"},
		{"another patient", "", "--hospital st-mary --patient 124", "3?"},
		{"at another hospital", "", "--hospital harbor --patient 123", ""},
		{"a resource", "", "--hospital st-mary --resource Patient/123", "123?"},
		{"a consumer", "", "--consumer key_pacs", "123"},
		{"another consumer", "", "--consumer key_x", ""},
		{"since a day", "", "--since 2026-11-02", "23"},
		{"until a day, with it", "", "--until 2026-11-02", "12"},
		{"since a moment", "", "--since 2026-11-02T23:59:59+12:00", "23"},
		{"until a moment", "", "--until 2026-11-01T00:00:00Z", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := runAudit(t, tc.stdin, append([]string{"find", "--json"}, strings.Fields(tc.args)...)...)
			require.NoError(t, err)
			got := ""
			for line := range strings.Lines(out) {
				var call foundCall
				require.NoError(t, json.Unmarshal([]byte(line), &call))
				got += strings.TrimPrefix(call.RequestID, "req-")
				if call.Perhaps {
					got += "?"
				}
			}
			require.Equal(t, tc.want, got)
			require.NotContains(t, out, "Patient/123")
		})
	}
}

func TestAuditFindPrintsATable(t *testing.T) {
	withTrail(t)
	out, err := runAudit(t, "", "find", "--hospital", "st-mary", "--patient", "123")
	require.NoError(t, err)
	var rows []string
	for line := range strings.Lines(out) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	at := func(day int) string {
		return time.Date(2026, 11, day, 12, 0, 0, 0, time.UTC).Local().Format(time.DateTime)
	}
	require.Equal(t, []string{
		"TIME CONSUMER ON BEHALF OF PURPOSE INTERACTION TYPE OUTCOME REQUEST",
		at(1) + " key_pacs dr-who TREAT read Patient 200 req-1",
		at(2) + " key_pacs - - operation $everything [2] Patient 403 forbidden req-2",
		at(3) + " key_pacs - - search-type Patient 200 broken off req-3 perhaps",
		"perhaps: 1 record holds not all references that were touched",
	}, rows)
}

// An empty table must not be read as "nobody" when it may be a slip of the pen.
func TestAuditFindSaysThatNothingMatches(t *testing.T) {
	withTrail(t)
	out, err := runAudit(t, "", "find", "--hospital", "st-marry", "--patient", "123")
	require.NoError(t, err)
	require.Contains(t, out, "no record matches")
	out, err = runAudit(t, "", "find", "--hospital", "st-marry", "--patient", "123", "--json")
	require.NoError(t, err)
	require.Empty(t, out)
}

func TestAuditSaysWhereTheDemoKeepsItsKeys(t *testing.T) {
	withTrail(t)
	require.NoError(t, os.Remove("data/audit-keys"))
	_, err := runAudit(t, "", "find")
	require.ErrorContains(t, err, "add --demo")
	_, err = runAudit(t, "", "find", "--keys-file", "data/audit-keys")
	require.NotContains(t, err.Error(), "--demo")
}

func TestAuditFindRefuses(t *testing.T) {
	withTrail(t)
	for args, want := range map[string]string{
		"find --patient 123":                    "name it",
		"find --since yesterday":                `--since: must be a day such as "2026-11-01"`,
		"find --until 11/22":                    "--until: must be a day",
		"find --hospital st-mary --patient -":   "nothing to look for stands on standard input",
		"find --hospital harbor --resource 7":   "--resource: must be a type and an id",
		"find --keys-file nowhere":              "nowhere: no such file",
		"find --folder nowhere":                 "nowhere: no such file",
		"find -c nowhere.conf":                  "the configuration file",
		"verify --folder data --keys-file none": "none: no such file",
		"verify --folder routes":                "routes: no such file",
		"verify --folder data":                  "data: holds no audit trail",
	} {
		_, err := runAudit(t, "", strings.Fields(args)...)
		require.ErrorContains(t, err, want, args)
	}
}

func TestAuditVerify(t *testing.T) {
	files := withTrail(t)
	out, err := runAudit(t, "", "verify")
	require.NoError(t, err)
	require.Regexp(t, `^node n1: 1 file, 3 records \(1 to 3\), the last [\w-]{43}\n  intact\n$`, out)

	// Without tyk.conf, as where a copy is looked at.
	require.NoError(t, os.Remove("tyk.conf"))
	offline := []string{"verify", "--folder", "data/audit", "--keys-file", "data/audit-keys"}
	_, err = runAudit(t, "", offline...)
	require.NoError(t, err)

	data, err := os.ReadFile(files[0])
	require.NoError(t, err)
	lines := bytes.SplitAfter(data, []byte("\n"))
	require.NoError(t, os.WriteFile(files[0], append(append([]byte{}, lines[0]...), lines[2]...), 0o600))
	out, err = runAudit(t, "", offline...)
	require.EqualError(t, err, "1 problem in the audit trail")
	require.Contains(t, out, "audit-n1-1.log:2: records 2 to 2 are missing before this one\n")
	require.NotContains(t, out, "intact")

	require.NoError(t, os.WriteFile(files[0], append(append([]byte("x\ny\n"), lines[0]...), lines[2]...), 0o600))
	out, err = runAudit(t, "", append([]string{"find"}, offline[1:]...)...)
	require.ErrorContains(t, err, ":1: not sealed, or changed since, and 1 more errors")
	require.Contains(t, out, "req-3", "what can be read is found")
}
