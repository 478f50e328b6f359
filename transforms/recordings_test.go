package transforms

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
	"fhirgate/transforms/links"
)

// recordings are vendors' recorded answers, which some machines have beside
// the project: vendor, base URLs of its site; the first one is that of the
// calls.
var recordings = map[string][]string{
	"athenahealth":   {"https://api.preview.platform.athenahealth.com/fhir/r4"},
	"eclinicalworks": {"https://fhir4.healow.com/fhir/r4/JAFJCD", "http://fhir4.eclinicalworks.com/fhir/r4/JAFJCD"},
	"epic":           {"https://fhir.epic.com/interconnect-fhir-oauth/api/FHIR/R4"},
}

// recordedAt is the time of the recorded calls, for rules that look at it.
var recordedAt = time.Date(2025, time.June, 1, 12, 0, 0, 0, time.UTC)

const recordedGateway = "https://gateway.example/fhir/recorded"

// everyOperation changes much in the recordings of every vendor, so that what is
// checked here does not hang on what the shipped files hold today.
const everyOperation = `
version: 1
vendor: every
response:
  - name: lossy
    effect: lossy
    when: {type: [Practitioner, Organization, Encounter, AllergyIntolerance]}
    do:
      - trim: {path: identifier.value}
      - absent.drop: [name, address]
      - name.currentFirst: {path: name}
      - prefix: {path: identifier.system, with: "https://"}
      - drop: [meta.lastUpdated, period.end]
      - dropIf: {path: active, is: [true]}
      - default: {path: language, value: en}
      - time.ensure: {path: period.start, at: start}
  - name: genders
    effect: reversible
    when: {type: Patient}
    do:
      - code.map: {path: gender, map: {female: F, male: M, unknown: U}}
      - move: {from: maritalStatus, to: status}
      - patient.merged: {}
  - name: systems
    effect: reversible
    do:
      - identifier.system: {where: {type.text: INTERNAL}, system: "urn:oid:2.999.1"}
      - code.map: {path: code.coding, from: {system: "http://loinc.org"}, to: {system: "urn:oid:2.999.2"}, map: {8867-4: pulse, 8310-5: warmth}}
      - code.map: {path: category.coding, from: {system: "http://terminology.hl7.org/CodeSystem/observation-category"}, to: {system: "urn:oid:2.999.3"}, map: {vital-signs: vitals}}
  - name: bundles
    do:
      - total.drop: {}
      - entry.complete: {}
      - outcome.drop: ["4101", "4119"]
      - outcome.warn: ["59204"]
`

// recorded is a recorded answer that is JSON, and what becomes of it.
type recorded struct {
	vendor *Vendor
	call   Call
	query  string
	status int
	header http.Header

	body  []byte // as the hospital sent it
	moved []byte // with its locators moved
	ruled []byte // and the rules applied as well

	changes  []change // what the rules told of it
	dropped  []byte   // Bundle.total, if a rule left it out
	resource int      // how many it holds
}

// change is what one rule told of one resource or entry.
type change struct {
	rule          string
	before, after []byte
}

// eachVendor runs check for each vendor of the recordings with the rules of its
// own file, and again with the rules of another, if there is one.
func eachVendor(t *testing.T, another string, check func(t *testing.T, answers []*recorded)) {
	t.Helper()
	folder := filepath.Join("..", "..", "shared", "recordings")
	if _, err := os.Stat(folder); err != nil {
		t.Log("no recordings beside the project: nothing compared")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(recordings)) {
		t.Run(name, func(t *testing.T) {
			file, err := Shipped.ReadFile(name + ".yaml")
			require.NoError(t, err)
			vendor, problems := Parse(name+".yaml", file)
			require.Empty(t, problems)
			check(t, readRecordings(t, vendor, folder, name))
		})
		if another == "" {
			continue
		}
		t.Run(name+" by other rules", func(t *testing.T) {
			every, problems := Parse("every.yaml", []byte(another))
			require.Empty(t, problems)
			check(t, readRecordings(t, every, folder, name))
		})
	}
}

// readRecordings reads the recorded answers of the vendor called name, for the
// rules of vendor. Those that are no JSON have a body alone.
func readRecordings(t *testing.T, vendor *Vendor, folder, name string) (answers []*recorded) {
	t.Helper()
	f, err := os.Open(filepath.Join(folder, name+".jsonl"))
	require.NoError(t, err)
	defer f.Close()
	bases := recordings[name]
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line struct {
			Method, URL, Body string
			Status            int
			Headers           map[string]string
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		a := &recorded{vendor: vendor, status: line.Status, header: make(http.Header), body: []byte(line.Body)}
		for name, value := range line.Headers {
			a.header.Set(name, value)
		}
		asked := Call{Hospital: "recorded", Vars: recordedVars(vendor)}
		a.call, a.query, err = ParseCall(asked, line.Method+" "+strings.TrimPrefix(strings.TrimPrefix(line.URL, bases[0]), "/"))
		if err != nil { // a call that the gateway would not let through
			require.NotEqual(t, http.StatusOK, a.status)
			continue
		}
		if strings.HasPrefix(strings.TrimSpace(line.Body), "{") {
			a.pass(t, bases)
		}
		answers = append(answers, a)
	}
	require.NoError(t, lines.Err())
	return answers
}

// recordedVars are values for the vars that a vendor's rules read.
func recordedVars(vendor *Vendor) map[string]string {
	vars := make(map[string]string)
	for _, name := range vendor.CheckVars("recorded", nil, nil) {
		vars[name] = "urn:example:" + name
	}
	return vars
}

// pass takes the answer through the pass that moves locators, with and without
// the rules.
func (a *recorded) pass(t *testing.T, bases []string) {
	t.Helper()
	m := &links.Map{Base: recordedGateway}
	for _, base := range bases {
		m.Prefixes = append(m.Prefixes, links.Prefix{From: base, To: recordedGateway})
	}
	var err error
	a.moved, err = links.Rewrite(nil, a.body, m)
	require.NoError(t, err)
	a.resource = len(resourcesOf(a.moved))

	rules := a.vendor.Answer(a.call, a.query, a.status, recordedGateway, recordedAt)
	defer rules.Release()
	if rules != nil {
		rules.Trace = func(rule string, before, after []byte) {
			a.changes = append(a.changes, change{rule, before, after})
		}
	}
	m.Edit = rules.Edit()
	a.ruled, err = links.Rewrite(nil, a.body, m)
	require.NoError(t, err)
	if m.Edit != nil && m.Edit.DropTotal {
		a.dropped = totalOf(a.moved)
	}
}

// TestRecordingsKeepTheirValues compares every recorded answer with what the
// caller gets of it, value by value: what differs is what the rules told that
// they changed, and no number has other digits.
func TestRecordingsKeepTheirValues(t *testing.T) {
	eachVendor(t, everyOperation, func(t *testing.T, answers []*recorded) {
		seen, resources, values, totals := 0, 0, 0, 0
		rules := make(map[string]int)
		for _, a := range answers {
			if a.moved == nil {
				continue
			}
			require.True(t, json.Valid(a.ruled))
			before, after := valuesOf(a.moved), valuesOf(a.ruled)
			told := make(counts)
			for _, c := range a.changes {
				told.add(valuesOf(c.after), 1)
				told.add(valuesOf(c.before), -1)
				rules[c.rule]++
			}
			if a.dropped != nil {
				told["total="+string(a.dropped)]--
				totals++
			}
			differences := make(counts)
			differences.add(after, 1)
			differences.add(before, -1)
			require.Equal(t, told.settled(), differences.settled())
			keptNumbers(t, a)

			seen, resources, values = seen+1, resources+a.resource, values+before.total()
		}
		require.Positive(t, seen)
		t.Logf("%d answers, %d resources, %d values compared; totals left out: %d", seen, resources, values, totals)
		for _, rule := range slices.Sorted(maps.Keys(rules)) {
			t.Logf("%5d changed by %q", rules[rule], rule)
		}
	})
}

// keptNumbers checks that the numbers of an answer come out with the same
// digits in the same order, but for the total and those of what rules left out.
func keptNumbers(t *testing.T, a *recorded) {
	t.Helper()
	left := 0
	for _, c := range a.changes {
		left += len(numbersOf(c.before)) - len(numbersOf(c.after))
	}
	if a.dropped != nil {
		left++
	}
	sent, got := numbersOf(a.body), numbersOf(a.ruled)
	require.Len(t, got, len(sent)-left)
	at := 0
	for _, number := range sent {
		if at < len(got) && got[at] == number {
			at++
		}
	}
	require.Equal(t, len(got), at, "no number is new, and none has other digits or another place")
}

// TestRecordingsGoBack sends every resource of every recorded answer back, as an
// update that changes nothing: the hospital gets what it has, or the update is
// refused.
func TestRecordingsGoBack(t *testing.T) {
	eachVendor(t, everyOperation, func(t *testing.T, answers []*recorded) {
		same, refused := 0, make(map[string]int)
		for _, a := range answers {
			if a.moved == nil || a.status != http.StatusOK {
				continue
			}
			had, has := resourcesOf(a.moved), resourcesOf(a.ruled)
			require.Len(t, has, len(had))
			for i := range has {
				var read struct{ ResourceType string }
				require.NoError(t, json.Unmarshal(has[i], &read))
				call := Call{Hospital: a.call.Hospital, Type: read.ResourceType, Interaction: fhir.Update, Vars: a.call.Vars}
				if a.vendor.Lossy(call) != nil {
					refused[read.ResourceType]++
					continue
				}
				back, err := a.vendor.takenBack(call, recordedAt, has[i])
				require.NoError(t, err, read.ResourceType)
				require.Equal(t, string(had[i]), string(back))
				same++
			}
		}
		t.Logf("%d resources came back to the byte, %d updates are refused because rules are lossy %v", same, sum(refused), refused)
	})
}

// TestRecordedErrors tells what recorded errors mean by the rules.
func TestRecordedErrors(t *testing.T) {
	eachVendor(t, "", func(t *testing.T, answers []*recorded) {
		meanings := make(map[string]int)
		for _, a := range answers {
			if a.status < http.StatusBadRequest {
				continue
			}
			meant := a.vendor.Refuse(a.call, a.query, a.status, a.header, a.body, recordedAt)
			require.GreaterOrEqual(t, meant.Status, http.StatusBadRequest)
			body := "other"
			if a.moved != nil {
				body = "JSON"
			}
			meanings[fmt.Sprintf("%d, %s body -> %d %s by %q", a.status, body, meant.Status, meant.Code, meant.Rules)]++
		}
		for _, meaning := range slices.Sorted(maps.Keys(meanings)) {
			t.Logf("%3d times %s", meanings[meaning], meaning)
		}
	})
}

func sum(numbers map[string]int) (total int) {
	for _, n := range numbers {
		total += n
	}
	return total
}
