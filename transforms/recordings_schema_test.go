package transforms

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/transforms/tree"
)

// TestRecordingsStayValid validates what recorded answers hold against the
// official JSON schema of FHIR R4, before and after the rules: these make
// nothing invalid that was valid. What is not valid is logged, without a value.
func TestRecordingsStayValid(t *testing.T) {
	validator := filepath.Join("..", "test", "clients")
	if _, err := os.Stat(filepath.Join(validator, "node_modules")); err != nil {
		t.Log("the validator is not installed (npm ci in test/clients): nothing validated")
		return
	}
	eachVendor(t, "", func(t *testing.T, answers []*recorded) {
		var before, after []specimen
		for _, a := range answers {
			if a.moved == nil || a.status != http.StatusOK {
				continue
			}
			before = append(before, specimensOf(a.moved)...)
			after = append(after, specimensOf(a.ruled)...)
		}
		require.Len(t, after, len(before))
		var changed []specimen
		for i := range before {
			before[i].Name, after[i].Name = strconv.Itoa(i), strconv.Itoa(i)
			if string(before[i].Resource) != string(after[i].Resource) {
				changed = append(changed, after[i])
			}
		}
		was := faults(t, validator, before)
		is := maps.Clone(was)
		found := faults(t, validator, changed)
		for _, one := range changed {
			if delete(is, one.Name); found[one.Name] != nil {
				is[one.Name] = found[one.Name]
			}
			require.Subset(t, was[one.Name], found[one.Name], "what the rules made of a %s", one.typ())
		}
		t.Logf("%d resources and bundles, %d changed by the rules: %d invalid as sent, %d by the rules", len(before), len(changed), len(was), len(is))
		logFaults(t, "as sent", before, was)
		if !maps.EqualFunc(was, is, slices.Equal) {
			logFaults(t, "by the rules", after, is)
		}
	})
}

// specimen is something to validate.
type specimen struct {
	Name     string          `json:"name"`
	Resource json.RawMessage `json:"resource"`
}

func (s specimen) typ() string { return gjson.GetBytes(s.Resource, "resourceType").Str }

// specimensOf returns the resources of an answer, and its Bundle without them.
func specimensOf(answer []byte) (found []specimen) {
	for _, one := range resourcesOf(answer) {
		found = append(found, specimen{Resource: one})
	}
	var d tree.Doc
	d.Reset(answer)
	if !d.Is(d.Get(d.Root(), "resourceType"), "Bundle") {
		return found
	}
	for entry := d.First(d.Get(d.Root(), "entry")); entry != tree.None; entry = d.Next(entry) {
		d.Remove(d.Get(entry, "resource"))
	}
	return append(found, specimen{Resource: d.AppendTo(nil)})
}

var index = regexp.MustCompile(`\[[0-9]+\]`)

// faults returns what the schema finds in specimens, by their name: paths
// without the places in lists, and messages that hold no value.
func faults(t *testing.T, validator string, specimens []specimen) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	if len(specimens) == 0 {
		return found
	}
	file, err := filepath.Abs(filepath.Join(t.TempDir(), "specimens.json"))
	require.NoError(t, err)
	text, err := json.Marshal(specimens)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))
	node := exec.CommandContext(t.Context(), "node", "validate.mjs", file)
	node.Dir = validator
	out, err := node.Output()
	require.NoError(t, err)
	for _, failure := range gjson.ParseBytes(out).Array() {
		var texts []string
		for _, fault := range failure.Get("errors").Array() {
			if fault.Str == "/ should match exactly one schema in oneOf" && len(texts) > 0 {
				continue // what is wrong stands before it
			}
			texts = append(texts, index.ReplaceAllString(fault.Str, "[]"))
		}
		slices.Sort(texts)
		found[failure.Get("name").Str] = slices.Compact(texts)
	}
	return found
}

// logFaults logs what is not valid, and in how many specimens of a type.
func logFaults(t *testing.T, when string, specimens []specimen, found map[string][]string) {
	t.Helper()
	counted := make(map[string]int)
	for _, one := range specimens {
		for _, fault := range found[one.Name] {
			counted[one.typ()+fault]++
		}
	}
	for _, fault := range slices.Sorted(maps.Keys(counted)) {
		t.Logf("%s, %4d times %.200s", when, counted[fault], fault)
	}
}
