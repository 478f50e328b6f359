package policies

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

const (
	pageFile  = "../docs/plans.md"
	pageBegin = "<!-- made by UPDATE=1 go test ./policies -run CostTable: do not edit -->\n"
	pageEnd   = "<!-- end -->\n"
)

// TestCostTable keeps the tables of the page as the defaults are. UPDATE writes
// them.
func TestCostTable(t *testing.T) {
	written, err := os.ReadFile(pageFile)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(written), pageBegin)
	require.True(t, found, "%s must hold the line %q", pageFile, pageBegin)
	_, after, found := strings.Cut(rest, pageEnd)
	require.True(t, found)
	page := before + pageBegin + keyTable(t) + "\n" + exampleTable(t) + pageEnd + after
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(pageFile, []byte(page), 0o644))
		return
	}
	require.Equal(t, page, string(written), "the tables are made by UPDATE=1 go test ./policies -run CostTable")
}

// keyTable tells the keys with the words of the schema.
func keyTable(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	var schema struct {
		Defs struct {
			Cost struct {
				Properties map[string]struct{ Description string }
			}
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(data, &schema))
	var out strings.Builder
	out.WriteString("| key of `cost` | default | what for |\n|---|---|---|\n")
	defaults := reflect.ValueOf(*DefaultCost())
	for i := range defaults.NumField() {
		key, value := defaults.Type().Field(i).Tag.Get("yaml"), fmt.Sprint(defaults.Field(i))
		if named, ok := defaults.Field(i).Interface().(map[string]Units); ok {
			var each []string
			for _, name := range slices.Sorted(maps.Keys(named)) {
				each = append(each, fmt.Sprintf("`%s` %d", name, named[name]))
			}
			value = strings.Join(each, ", ")
		}
		text := schema.Defs.Cost.Properties[key].Description
		require.NotEmpty(t, text, key)
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", key, value, text)
	}
	return out.String()
}

// exampleTable tells what some calls cost.
func exampleTable(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	out.WriteString("| call | costs |\n|---|---|\n")
	for _, call := range []string{
		"GET Patient/1", "GET Binary/1", "GET Appointment?date=2026-11-22", "GET Appointment?date=2026-11-22&_count=100",
		"GET Appointment?date=2026-11-22&_summary=count", "GET Patient/1/_history", "POST DocumentReference", "PATCH Appointment/1",
		"POST Patient/$match", "GET Patient/1/$everything", "GET metadata",
	} {
		method, target, _ := strings.Cut(call, " ")
		path, query, _ := strings.Cut(target, "?")
		req, err := fhir.Parse(method, path, make(http.Header), query)
		require.NoError(t, err)
		fmt.Fprintf(&out, "| `%s` | %d |\n", call, DefaultCost().Of(req, query))
	}
	return out.String()
}
