package console

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

var namesAnAct = regexp.MustCompile(`^[a-z]+\.[a-z]+(-[a-z]+)*$`)

// actsInSources returns the names of all acts that the portal's sources write: the
// names in act literals, and those given to what writes one.
func actsInSources(t *testing.T) []string {
	t.Helper()
	var names []string
	take := func(e ast.Expr) {
		if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			text, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			if namesAnAct.MatchString(text) {
				names = append(names, text)
			}
		}
	}
	sources := os.DirFS("../..")
	require.NoError(t, fs.WalkDir(sources, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(sources, path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if kind, ok := n.Type.(*ast.Ident); ok && kind.Name == "act" && len(n.Elts) > 0 {
					take(n.Elts[0])
				}
			case *ast.CallExpr:
				if called, ok := n.Fun.(*ast.SelectorExpr); ok && (called.Sel.Name == "Record" || called.Sel.Name == "settle") {
					for _, argument := range n.Args {
						take(argument)
					}
				}
			}
			return true
		})
		return nil
	}))
	slices.Sort(names)
	return slices.Compact(names)
}

func TestEveryActHasWords(t *testing.T) {
	written := actsInSources(t)
	require.Contains(t, written, "credential.rotation-broken")
	require.Contains(t, written, "gateway.reload")
	var worded []string
	for _, known := range actNames() {
		worded = append(worded, known.Name)
		require.Regexp(t, `^[A-Z][a-z' -]+$`, known.Words, known.Name)
	}
	require.Equal(t, written, worded)
}

func TestActsInWords(t *testing.T) {
	shown := actsShown([]store.Act{
		{Name: "user.create", Detail: map[string]string{"team": "team_1", "email": "x@example.org", "role": "admin", "note": ""}},
		{Name: "credential.create", Detail: map[string]string{"hospitals": "north south"}},
		{Name: "of.later"},
	})
	require.Equal(t, []string{"Made an account", "Made a key", ""}, []string{shown[0].Words, shown[1].Words, shown[2].Words})
	require.Equal(t, []actDetail{{"e-mail address", "x@example.org", ""}, {"role", "admin", ""}, {"team", "team_1", "/console/teams/team_1"}}, shown[0].Details)
	require.Equal(t, []actDetail{{"hospitals", "north, south", ""}}, shown[1].Details)
	require.Empty(t, shown[2].Details)
}
