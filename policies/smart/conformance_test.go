package smart

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const page = "../../docs/scopes.md"

// made finds the parts of the page that this test makes.
var made = regexp.MustCompile(`(?s)(<!-- made: (\w+) -->\n).*?(<!-- end -->)`)

// TestConformanceTable keeps the tables of docs/scopes.md as the code is.
// UPDATE in the environment writes them anew; the sentences around them are
// written by hand.
func TestConformanceTable(t *testing.T) {
	data, err := os.ReadFile(page)
	require.NoError(t, err)
	makers := map[string]func(*testing.T) string{
		"conformance": conformanceTable, "patient": patientTable, "parameters": parameterTable, "operations": operationTable,
	}
	want := made.ReplaceAllStringFunc(string(data), func(part string) string {
		m := made.FindStringSubmatch(part)
		make := makers[m[2]]
		require.NotNil(t, make, "the page asks for a part that nothing makes: %s", m[2])
		delete(makers, m[2])
		return m[1] + make(t) + m[3]
	})
	require.Empty(t, slices.Collect(maps.Keys(makers)), "parts that the page does not have")
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(page, []byte(want), 0o600))
		return
	}
	require.Equal(t, want, string(data), "the tables of docs/scopes.md are made by UPDATE=1 go test ./policies/smart -run ConformanceTable")
}

// conformanceTable is the matrix for a type that is neither Patient nor one
// that a call brings in; the matrix says the same of every type.
func conformanceTable(t *testing.T) string {
	var columns []form
	for _, f := range forms {
		if f.name != "" && f.condition != "patient" {
			columns = append(columns, f)
		}
	}
	return table(t, columns, func(r row, f form) verdict {
		_, v := given(t, r, f, "Observation")
		require.Equal(t, expected(r, f, "Observation") == refused, v == refused)
		return expected(r, f, "Observation")
	})
}

// patientTable is the matrix for patient/*.cruds and the kinds of types.
func patientTable(t *testing.T) string {
	f := patientForms[slices.IndexFunc(patientForms, func(f form) bool { return f.name == "`patient/*.cruds`" })]
	kinds := []string{"Patient", "Observation", "Practitioner", "Binary"}
	var columns []form
	for _, kind := range kinds {
		columns = append(columns, form{name: kind})
	}
	return table(t, columns, func(r row, column form) verdict {
		_, v := given(t, r, f, column.name)
		require.Equal(t, expected(r, f, column.name) == refused, v == refused)
		return expected(r, f, column.name)
	})
}

func table(t *testing.T, columns []form, cell func(row, form) verdict) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| interaction |")
	for _, f := range columns {
		b.WriteString(" " + f.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, r := range rows {
		b.WriteString("| " + r.name + " |")
		for _, f := range columns {
			b.WriteString(" " + string(cell(r, f)) + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func parameterTable(*testing.T) string {
	var b strings.Builder
	b.WriteString("| type | parameters |\n|---|---|\n")
	line := func(typ string, list []param) {
		names := make([]string, len(list))
		for i, p := range list {
			names[i] = "`" + p.name + "`"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", typ, strings.Join(names, ", "))
	}
	line("every type, and `*`", commonParams)
	for _, typ := range slices.Sorted(maps.Keys(paramsByType)) {
		line(typ, paramsByType[typ])
	}
	return b.String()
}

func operationTable(*testing.T) string {
	var own, all []string
	for _, name := range slices.Sorted(maps.Keys(readOnly)) {
		if readOnly[name] == AllTypes {
			all = append(all, "`"+name+"`")
		} else {
			own = append(own, "`"+name+"`")
		}
	}
	return "| operation | needs |\n|---|---|\n" +
		"| " + strings.Join(all, ", ") + " | `rs` on `*` |\n" +
		"| " + strings.Join(own, ", ") + " | `rs` on the type it is called on, on `*` at the system level |\n" +
		"| every other | `cruds` on the type it is called on, on `*` at the system level |\n"
}
