package transforms

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// page is one of the documents that show rules and their tests.
type page struct {
	text         string
	rules, tests []string // the YAML of vendor and test files, in the order of the page
	hospitals    []string // the YAML of hospital files
}

var (
	yamlBlock    = regexp.MustCompile("(?s)\n```yaml( [^\n]*)?\n(.*?)```\n")
	vendorOfFile = regexp.MustCompile(`(?m)^vendor: \S+`)
)

func readPage(t *testing.T, name string) (p page) {
	t.Helper()
	text, err := os.ReadFile("../docs/" + name)
	require.NoError(t, err)
	p.text = string(text)
	for _, match := range yamlBlock.FindAllStringSubmatch(p.text, -1) {
		vendor := "vendor: v" + strconv.Itoa(len(p.rules))
		switch path, block := match[1], match[2]; {
		case strings.HasPrefix(path, " routes/"):
			p.hospitals = append(p.hospitals, block)
		case strings.HasPrefix(block, "tests:\n"):
			p.tests = append(p.tests, block)
		case path != "":
			p.rules = append(p.rules, vendorOfFile.ReplaceAllString(block, vendor))
		default:
			p.rules = append(p.rules, "version: 1\n"+vendor+"\n"+block)
		}
	}
	require.Len(t, p.tests, len(p.rules), "%s: each block of rules has a block of tests", name)
	return p
}

// TestTheExamplesOfTheDocumentsWork runs the YAML of the documents: a block of
// tests together with the block of rules beside it.
func TestTheExamplesOfTheDocumentsWork(t *testing.T) {
	schema := schema(t)
	for _, name := range []string{"add-a-vendor-rule.md", "vendor-operations.md"} {
		p := readPage(t, name)
		fsys := make(fstest.MapFS)
		for i := range p.rules {
			require.NoError(t, valid(t, schema, []byte(p.rules[i])), p.rules[i])
			fsys["v"+strconv.Itoa(i)+".yaml"] = &fstest.MapFile{Data: []byte(p.rules[i])}
			fsys["v"+strconv.Itoa(i)+testSuffix] = &fstest.MapFile{Data: []byte(p.tests[i])}
		}
		results, err := RunTests(fsys, ".")
		require.NoError(t, err)
		for _, result := range results {
			if !result.OK {
				t.Errorf("%s: %s: %s\n%s", name, result.File, result.Name, result.Diff)
			}
		}
		require.Len(t, results, strings.Count(p.text, "\n    request: "), name)
	}
}

// TestTheHospitalsOfTheDocumentMayHaveTheirRules compiles the rules of the
// hospital files that the document shows.
func TestTheHospitalsOfTheDocumentMayHaveTheirRules(t *testing.T) {
	schema, shown := schema(t), 0
	for _, text := range readPage(t, "add-a-vendor-rule.md").hospitals {
		var hospital struct {
			Rules yaml.Node `yaml:"rules"`
		}
		require.NoError(t, yaml.Unmarshal([]byte(text), &hospital))
		if hospital.Rules.IsZero() {
			continue
		}
		shown++
		rules, err := yaml.Marshal(&hospital.Rules)
		require.NoError(t, err)
		require.NoError(t, valid(t, schema, slices.Concat([]byte("version: 1\nvendor: north\n"), rules)))
		vendor, problems := (*Vendor)(nil).Extend("north", "routes/north.yaml", &hospital.Rules)
		require.Empty(t, problems)
		require.Len(t, vendor.Rules(), 2)
	}
	require.NotZero(t, shown, "the document shows rules of a hospital")
}

// TestTheDocumentsNameEverything looks for every operation in an example, and
// for every other key of rules and tests, and every interaction, in the text.
func TestTheDocumentsNameEverything(t *testing.T) {
	task, reference := readPage(t, "add-a-vendor-rule.md"), readPage(t, "vendor-operations.md")
	examples := strings.Join(reference.rules, "")
	for _, form := range []reflect.Type{reflect.TypeFor[step](), reflect.TypeFor[answerStep]()} {
		for _, name := range keys(form) {
			require.Contains(t, examples, "- "+name+":", "an example shows every operation")
			require.Regexp(t, `(?m)^\| .*[\[ ]`+regexp.QuoteMeta(name)+`[\],]`, reference.text, "the table lists every operation")
		}
	}
	for _, form := range []reflect.Type{
		reflect.TypeFor[file](), reflect.TypeFor[Limits](), reflect.TypeFor[fileAnswer](), reflect.TypeFor[fileRule](),
		reflect.TypeFor[answerWhen](), reflect.TypeFor[testCase](), reflect.TypeFor[testContent](),
	} {
		for _, name := range keys(form) {
			require.Regexp(t, "`[^`\n]*\\b"+name+"\\b[^`\n]*`", task.text, "the document names every key")
		}
	}
	for _, word := range interactions {
		require.Contains(t, task.text, "`"+word+"`", "the document names every interaction")
	}
}
