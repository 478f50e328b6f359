package docs

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/policies"
	"fhirgate/routes"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks follows every relative link to a file and, in a page, to a heading.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		_, prose := blocks(t, page)
		for _, found := range link.FindAllStringSubmatch(prose, -1) {
			target, err := url.Parse(found[1])
			require.NoError(t, err, page)
			if target.IsAbs() {
				continue
			}
			file := page
			if target.Path != "" {
				file = filepath.Join(filepath.Dir(page), target.Path)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, found[1])
				continue
			}
			if target.Fragment != "" && !anchors(t, file)[target.Fragment] {
				t.Errorf("%s links to %s, but %s has no such heading", page, found[1], file)
			}
		}
	}
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)

// anchors returns the names by which a page's headings can be linked to, as
// GitHub makes them.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	_, prose := blocks(t, page)
	found := make(map[string]bool)
	for line := range strings.Lines(prose) {
		if heading := strings.TrimLeft(line, "#"); heading != line {
			name := notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			found[strings.ReplaceAll(name, " ", "-")] = true
		}
	}
	return found
}

// TestExampleFiles loads every hospital and plan that a page shows with the
// loaders of the gateway.
func TestExampleFiles(t *testing.T) {
	hospitals, plans := 0, 0
	for _, page := range pages(t) {
		found, _ := blocks(t, page)
		for _, b := range found {
			if len(b.info) < 2 {
				continue
			}
			name := b.info[1]
			switch {
			case b.is("yaml", "auth"):
				hospitals++
				checkHospital(t, page, "routes/example.yaml", minimal+indented(b.text))
			case b.is("yaml") && filepath.Base(filepath.Dir(name)) == "routes":
				hospitals++
				checkHospital(t, page, name, b.text)
			case b.is("json") && filepath.Base(filepath.Dir(name)) == "policies":
				plans++
				_, problems := policies.Parse(name, []byte(b.text))
				require.NoError(t, problems.Err(), "%s:%d", page, b.line)
			}
		}
	}
	require.NotZero(t, hospitals, "no page shows a hospital file")
	require.NotZero(t, plans, "no page shows a plan")
}

// minimal is a hospital file that goes on with upstream.
const minimal = `version: 1
id: example
environment: sandbox
interactions: {Patient: [read]}
upstream:
  base_url: https://ehr.example/r4
`

func indented(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ") + "\n"
}

var (
	fromEnv  = regexp.MustCompile(`\{env: (\w+)\}`)
	fromFile = regexp.MustCompile(`\{file: [^}]+\}`)
)

func checkHospital(t *testing.T, page, name, text string) {
	t.Helper()
	for _, found := range fromEnv.FindAllStringSubmatch(text, -1) {
		t.Setenv(found[1], "secret")
	}
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("secret"), 0o600))
	text = fromFile.ReplaceAllString(text, "{file: "+file+"}")
	_, problems := routes.Parse(name, []byte(text))
	require.NoError(t, problems.Err(), "%s: %s", page, name)
}
