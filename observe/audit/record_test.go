package audit

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the goldens")

// fixed is a key that makes the same hashes in every run.
func fixed(t testing.TB) *keyring {
	t.Helper()
	ring, err := newKeyring(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: bytes.Repeat([]byte{7}, 32), KeyID: "2026-11-22-golden"}}})
	require.NoError(t, err)
	return ring
}

// calls are events of all kinds, by the names of their goldens.
func calls() map[string]Event {
	base := read("123")
	with := func(change func(*Event)) Event {
		e := base
		e.OnBehalfOf, e.Purpose = "", ""
		change(&e)
		return e
	}
	observation := []string{"Observation/7"}
	return map[string]Event{
		"read": base,
		"read-of-no-patient": with(func(e *Event) {
			e.Type, e.Patients, e.Resources = "Organization", nil, []string{"Organization/9"}
		}),
		"create": with(func(e *Event) {
			e.Interaction, e.Type, e.Status, e.Resources = "create", "Observation", 201, observation
			e.OnBehalfOf, e.Purpose = "Dr. Nurse", "for the night shift"
		}),
		"conditional-update": with(func(e *Event) { e.Interaction, e.Type, e.Resources = "conditional-update", "Observation", observation }),
		"patch":              with(func(e *Event) { e.Interaction, e.Type, e.Resources = "patch", "Observation", observation }),
		"delete": with(func(e *Event) {
			e.Interaction, e.Type, e.Status, e.Resources, e.Purpose = "delete", "Observation", 204, observation, "HOPERAT"
		}),
		"search": with(func(e *Event) {
			e.Interaction, e.Type, e.Resources = "search-type", "Observation", []string{"Observation/7", "Observation/8"}
			e.Patients, e.More = []string{"Patient/123", "Patient/124"}, true
		}),
		"history":         with(func(e *Event) { e.Interaction = "history-instance" }),
		"operation":       with(func(e *Event) { e.Interaction, e.Operation, e.Resources = "operation", "everything", nil }),
		"batch":           with(func(e *Event) { e.Interaction, e.Type, e.Patients, e.Resources = "batch", "", nil, nil }),
		"batch-entry":     with(func(e *Event) { e.Interaction, e.Entry = "vread", 3 }),
		"refused":         with(func(e *Event) { e.Status, e.Issue = 403, "forbidden" }),
		"hospital-failed": with(func(e *Event) { e.Status = 502 }),
		"broken-off":      with(func(e *Event) { e.Aborted = true }),
		"caller-left":     with(func(e *Event) { e.Status = 0 }),
		"unknown-caller": {
			Time: base.Time, RequestID: "req-2", Address: netip.MustParseAddr("2001:db8::7"), Status: 401, Issue: "login", Entry: -1,
		},
		"two-patients": with(func(e *Event) {
			e.Type, e.Resources, e.Patients = "Group", []string{"Group/1"}, []string{"Patient/1", "Patient/2"}
		}),
	}
}

// records are the records of calls, and of what befalls the trail.
func records(t testing.TB) map[string]*Record {
	t.Helper()
	key := fixed(t).active
	all := map[string]*Record{
		"gap":          {Kind: KindGap, Lost: 12, From: read("").Time, Until: read("").Time.Add(time.Minute)},
		"recovered":    {Kind: KindRecovered, Cut: 714},
		"head-missing": {Kind: KindRecovered, HeadMissing: true},
	}
	for name, e := range calls() {
		e = e.bounded()
		for _, list := range [][]string{e.Patients, e.Resources} {
			for i := range list {
				list[i] = key.conceal(e.Hospital, list[i])
			}
		}
		all[name] = &Record{Kind: KindCall, Event: e}
	}
	for _, r := range all {
		r.Node, r.Sequence, r.Key, r.Previous = "node-1", 2, key.id, key.link([]byte("before"))
		r.Written = read("").Time.Add(time.Second)
	}
	all["gap"].Sequence, all["gap"].Previous = 1, ""
	return all
}

const server = "https://gateway.example/fhir"

func TestGoldens(t *testing.T) {
	for name, r := range records(t) {
		t.Run(name, func(t *testing.T) {
			plain := r.encode(server)
			require.NotContains(t, string(plain), "/123")
			require.NotContains(t, string(plain), `"123"`)
			again, err := decodeRecord(plain)
			require.NoError(t, err)
			want := *r
			if len(want.Event.Patients) == 0 {
				want.Event.Patients = nil
			}
			if len(want.Event.Resources) == 0 {
				want.Event.Resources = nil
			}
			require.Equal(t, &want, again)

			var pretty bytes.Buffer
			require.NoError(t, json.Indent(&pretty, plain, "", "  "))
			golden := filepath.Join("testdata", name+".json")
			if *update {
				require.NoError(t, os.WriteFile(golden, append(pretty.Bytes(), '\n'), 0o600))
			}
			stored, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(stored), pretty.String()+"\n")
		})
	}
}

func TestProfiles(t *testing.T) {
	all := records(t)
	for name, want := range map[string]string{
		"read": "PatientRead", "read-of-no-patient": "Read", "create": "PatientCreate", "conditional-update": "PatientUpdate",
		"patch": "PatientUpdate", "delete": "PatientDelete", "batch-entry": "PatientRead",
		"search": "", "history": "", "operation": "", "batch": "", "refused": "", "hospital-failed": "", "broken-off": "",
		"caller-left": "", "unknown-caller": "", "two-patients": "", "gap": "", "recovered": "",
	} {
		plain := all[name].encode(server)
		var e auditEvent
		require.NoError(t, json.Unmarshal(plain, &e))
		if want == "" {
			require.Nil(t, e.Meta, name)
			continue
		}
		require.Equal(t, []string{balpProfile + want}, e.Meta.Profile, name)
		fulfils(t, name, e)
	}
	plain := all["read"].encode("") // the profiles want the server's address
	require.NotContains(t, string(plain), `"meta"`)
}

// fulfils checks what BALP demands of all its profiles that are claimed.
func fulfils(t *testing.T, name string, e auditEvent) {
	t.Helper()
	require.Equal(t, coding{eventTypes, "rest"}, e.Type, name)
	require.Len(t, e.Subtype, 1, name)
	require.Equal(t, "0", e.Outcome, name)
	require.GreaterOrEqual(t, len(e.Agent), 2, name)
	for _, agent := range e.Agent[:2] {
		require.NotNil(t, agent.Who, name)
		require.NotNil(t, agent.Network, name)
	}
	require.NotEqual(t, e.Agent[0].Type, e.Agent[1].Type, name)
	for _, user := range e.Agent[2:] {
		require.True(t, user.Requestor, name)
		require.Nil(t, user.Network, name)
	}
	count := map[coding]int{}
	for _, entity := range e.Entity {
		require.NotNil(t, entity.What, name)
		count[entity.Type]++
	}
	require.Equal(t, 1, count[coding{entityTypes, "2"}], name)
	require.Equal(t, 1, count[coding{balpEntities, "XrequestId"}], name)
	if strings.Contains(e.Meta.Profile[0], "Patient") {
		require.Equal(t, 1, count[coding{entityTypes, "1"}], name)
	}
}

// TestSchema validates all kinds of records against the official JSON schema of
// FHIR R4, with the validator that the tests of the whole gateway use.
func TestSchema(t *testing.T) {
	clients, err := filepath.Abs("../../test/clients")
	require.NoError(t, err)
	require.DirExists(t, filepath.Join(clients, "node_modules"), "make test/clients/node_modules")
	type specimen struct {
		Name     string          `json:"name"`
		Resource json.RawMessage `json:"resource"`
	}
	var all []specimen
	for name, r := range records(t) {
		plain := r.encode(server)
		all = append(all, specimen{name, plain})
	}
	all = append(all, specimen{"broken", []byte(`{"resourceType":"AuditEvent","why":1}`)})
	data, err := json.Marshal(all)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "records.json")
	require.NoError(t, os.WriteFile(file, data, 0o600))
	cmd := exec.Command("node", "validate.mjs", file)
	cmd.Dir = clients
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	var refused []specimen
	require.NoError(t, json.Unmarshal(out, &refused), "%s", out)
	require.Len(t, refused, 1, "%s", out)
	require.Equal(t, "broken", refused[0].Name)
}

func TestDecodeRefuses(t *testing.T) {
	good := records(t)["read"].encode(server)
	for name, change := range map[string][2]string{
		"another resource": {"AuditEvent", "Bundle"},
		"no sequence":      {`"sequence"`, `"x"`},
		"sequence 0":       {`"sequence","valueString":"2"`, `"sequence","valueString":"0"`},
		"no time":          {`"recorded":"2026`, `"recorded":"x`},
		"no status":        {`"status"`, `"x"`},
		"not written":      {`"written"`, `"x"`},
		"no JSON":          {`{`, ``},
	} {
		changed := strings.Replace(string(good), change[0], change[1], 1)
		require.NotEqual(t, string(good), changed, name)
		_, err := decodeRecord([]byte(changed))
		require.ErrorIs(t, err, errNoRecord, name)
	}
}

func TestBounds(t *testing.T) {
	e := read("1")
	e.RequestID, e.OnBehalfOf, e.Purpose = strings.Repeat("r", 9999), strings.Repeat("ü", 9999), strings.Repeat("p", 9999)
	for range maxReferences {
		e.Patients = append(e.Patients, "Patient/1")
	}
	b := e.bounded()
	require.Len(t, b.Patients, maxReferences)
	require.True(t, b.More)
	require.LessOrEqual(t, b.size(), 512+4*maxText+maxReferences*40)
	plain := (&Record{Kind: KindCall, Event: b, Sequence: 1}).encode(server)
	require.Less(t, len(plain)*2, maxLine)
}
