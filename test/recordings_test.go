package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/sandbox"
)

// recordedVendors are the vendors whose recorded answers some machines have
// beside the project, with the other bases under which their servers write
// links.
var recordedVendors = map[string][]string{
	"athenahealth":   nil,
	"eclinicalworks": {"http://fhir4.eclinicalworks.com/fhir/r4/JAFJCD"},
	"epic":           nil,
}

// TestRecordings asks a gateway for everything that was recorded at real
// vendors. Each answer must be the recording, byte for byte, but for the
// locators of the vendor's server; what is no FHIR becomes an OperationOutcome.
func TestRecordings(t *testing.T) {
	folder := filepath.Join(root, "..", "shared", "recordings")
	if _, err := os.Stat(folder); err != nil {
		t.Log("no recordings beside the project: nothing compared")
		return
	}
	g := prepare(t, options{})
	sites := map[string]*recordedSite{}
	for vendor, aliases := range recordedVendors {
		sites[vendor] = openSite(t, g, vendor, filepath.Join(folder, vendor+".jsonl"), aliases)
	}
	g.process = serve(t, g.conf)
	g.waitReady()
	c := g.newClient(t, "e2e")
	for _, vendor := range slices.Sorted(maps.Keys(sites)) {
		t.Run(vendor, func(t *testing.T) {
			own := *c
			own.t = t
			sites[vendor].compareAll(t, &own)
		})
	}
	g.stopCleanly()
}

// recordedSite is a vendor's server, replayed behind a gateway.
type recordedSite struct {
	*sandbox.Replay
	public string   // base at the gateway
	bases  []string // recorded
	lines  int      // of the recording
}

// openSite replays a recording and writes the hospital's file for it.
func openSite(t *testing.T, g *gateway, vendor, file string, aliases []string) *recordedSite {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	replay, err := sandbox.OpenReplay(file)
	require.NoError(t, err)
	require.NoError(t, replay.Start("127.0.0.1:0"))
	t.Cleanup(func() { _ = replay.Close() })
	s := &recordedSite{
		Replay: replay,
		public: g.url + "/fhir/" + vendor,
		bases:  append([]string{replay.RecordedBase()}, aliases...),
		lines:  len(bytes.Split(bytes.TrimSpace(text), []byte("\n"))),
	}
	interactions := map[string][]string{}
	for _, entry := range s.Entries() {
		path, _, _ := strings.Cut(s.rest(t, entry), "?")
		interactions[strings.Split(path, "/")[1]] = []string{"read", "search-type"}
	}
	g.write("routes/"+vendor+".yaml", encode(t, map[string]any{ // JSON is YAML too
		"version": 1, "id": vendor, "name": vendor, "environment": "sandbox", "interactions": interactions,
		"upstream": map[string]any{"base_url": replay.BaseURL(), "aliases": s.bases, "private_network": true},
	}))
	return s
}

// rest is an entry's path and query below the recorded base.
func (s *recordedSite) rest(t *testing.T, entry sandbox.Recorded) string {
	t.Helper()
	rest, ok := strings.CutPrefix(entry.URL, s.RecordedBase())
	require.True(t, ok)
	return rest
}

// compareAll makes every recorded call through the gateway.
func (s *recordedSite) compareAll(t *testing.T, c *client) {
	compared, replaced, moved := 0, 0, 0
	for i, entry := range s.Entries() {
		got := c.call(entry.Method, s.public+s.rest(t, entry), "")
		at := fmt.Sprintf("line %d", i+1)
		require.Equal(t, entry.Status, got.StatusCode, "%s: %.500s", at, got.body)
		require.Contains(t, got.Header.Get("Content-Type"), "json", at)
		for name, values := range got.Header {
			s.requireNoHost(t, strings.Join(values, " "), at+", header "+name)
		}
		if !gjson.Valid(entry.Body) || gjson.Get(entry.Body, "resourceType").Str == "" {
			require.GreaterOrEqual(t, entry.Status, http.StatusBadRequest, at)
			got.refused(entry.Status, issueCodes[entry.Status])
			s.requireNoHost(t, string(got.body), at)
			replaced++
			continue
		}
		moved += s.compare(t, []byte(entry.Body), got.body, at)
		compared++
	}
	require.Equal(t, s.lines, compared+replaced, "every line of the recording was asked for")
	require.Positive(t, moved, "recordings hold locators")
	t.Logf("%d answers compared, with %d locators moved; %d replaced by OperationOutcomes", compared, moved, replaced)
}

// issueCodes are the issue types that go with the statuses of recorded answers
// that are no FHIR.
var issueCodes = map[int]string{
	http.StatusBadRequest: "invalid",
	http.StatusForbidden:  "forbidden",
	http.StatusNotFound:   "not-found",
}

// compare requires that got is the recorded body but for locators of the
// site, and returns how many of these there are. With them put back, got must
// have the recorded bytes.
func (s *recordedSite) compare(t *testing.T, recorded, got []byte, at string) (moved int) {
	t.Helper()
	want, have := tokens(t, recorded), tokens(t, got)
	require.Len(t, have, len(want), at)
	var restored []byte
	end := 0
	for i, w := range want {
		h := have[i]
		where := at + " at " + w.path
		require.Equal(t, w.path, h.path, at)
		if w.locator() {
			s.requireNoHost(t, fmt.Sprint(h.value), where)
		}
		if w.value != h.value {
			require.True(t, w.locator(), "%s: a value that is no locator was changed", where)
			s.requireMoved(t, w, h, where)
			restored = append(append(restored, got[end:h.from]...), recorded[w.from:w.to]...)
			end = h.to
			moved++
		}
	}
	restored = append(restored, got[end:]...)
	require.True(t, bytes.Equal(recorded, restored), "%s: bytes besides locators were changed", at)
	return moved
}

// requireMoved requires that a locator of the gateway stands for the recorded
// one.
func (s *recordedSite) requireMoved(t *testing.T, recorded, got token, where string) {
	t.Helper()
	want, have := fmt.Sprint(recorded.value), fmt.Sprint(got.value)
	var origins []string
	if relative, ok := strings.CutSuffix(have, "#relative"); ok {
		origins = append(origins, strings.TrimPrefix(relative, s.public+"/"))
	}
	for _, base := range s.bases {
		origins = append(origins, strings.ReplaceAll(have, s.public, base))
	}
	require.Contains(t, origins, want, "%s: the locator leads elsewhere", where)
}

// requireNoHost requires that text names no server of the site, neither the
// recorded ones nor the replaying one.
func (s *recordedSite) requireNoHost(t *testing.T, text, where string) {
	t.Helper()
	for _, base := range append([]string{s.BaseURL()}, s.bases...) {
		u, err := url.Parse(base)
		require.NoError(t, err)
		require.NotContains(t, text, u.Host, "%s: the site's own host shows", where)
	}
}

// token is a name, a value or a bracket of a JSON text.
type token struct {
	path     string // names of the members around it, and its own, with dots
	value    json.Token
	name     bool // of a member
	from, to int  // its bytes
}

// locator says whether this is a string that may hold a locator.
func (k token) locator() bool {
	if _, text := k.value.(string); !text || k.name {
		return false
	}
	parents := strings.Split(k.path, ".")
	own := parents[len(parents)-1]
	switch parent := parents[max(0, len(parents)-2)]; own {
	case "fullUrl", "reference", "location", "div", "diagnostics":
		return true
	case "url": // of an extension it is an identity
		return parent != "extension" && parent != "modifierExtension"
	}
	return false
}

// tokens splits a JSON text; numbers keep their digits.
func tokens(t *testing.T, text []byte) []token {
	t.Helper()
	type container struct {
		path   string
		object bool
		named  bool // the member's name was read
		member string
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var found []token
	stack := []container{{}}
	for {
		before := int(decoder.InputOffset())
		value, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		to := int(decoder.InputOffset())
		from := to - len(bytes.TrimLeft(text[before:to], " \t\r\n,:"))
		in := &stack[len(stack)-1]
		if value == json.Delim('}') || value == json.Delim(']') {
			found = append(found, token{in.path, value, false, from, to})
			stack = stack[:len(stack)-1]
			continue
		}
		if in.object && !in.named {
			in.named, in.member = true, in.path+"."+value.(string)
			found = append(found, token{in.member, value, true, from, to})
			continue
		}
		path := in.path // an array's elements are at its own
		if in.object {
			path, in.named = in.member, false
		}
		found = append(found, token{path, value, false, from, to})
		if bracket, opens := value.(json.Delim); opens {
			stack = append(stack, container{path: path, object: bracket == '{'})
		}
	}
}
