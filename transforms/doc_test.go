package transforms

import (
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

var yamlBlock = regexp.MustCompile("(?s)\n```yaml\n(.*?)```\n")

// TestTheExamplesOfTheDocumentWork runs the YAML of docs/add-a-vendor-rule.md:
// a block of tests together with the block of rules beside it.
func TestTheExamplesOfTheDocumentWork(t *testing.T) {
	document, err := os.ReadFile("../docs/add-a-vendor-rule.md")
	require.NoError(t, err)
	schema := schema(t)
	var rules, tests []string
	for _, match := range yamlBlock.FindAllStringSubmatch(string(document), -1) {
		switch block := match[1]; {
		case strings.Contains(block, "tests:\n"):
			tests = append(tests, block)
		case strings.Contains(block, "version: 1\n"):
			rules = append(rules, strings.Replace(block, "vendor: acme ", "vendor: v"+strconv.Itoa(len(rules))+" ", 1))
		default:
			rules = append(rules, "version: 1\nvendor: v"+strconv.Itoa(len(rules))+"\n"+block)
		}
	}
	require.Len(t, tests, len(rules))
	fsys := make(fstest.MapFS)
	for i := range rules {
		require.NoError(t, valid(t, schema, []byte(rules[i])))
		fsys["v"+strconv.Itoa(i)+".yaml"] = &fstest.MapFile{Data: []byte(rules[i])}
		fsys["v"+strconv.Itoa(i)+testSuffix] = &fstest.MapFile{Data: []byte(tests[i])}
	}
	results, err := RunTests(fsys, ".")
	require.NoError(t, err)
	for _, result := range results {
		require.True(t, result.OK, "%s\n%s", result.Name, result.Diff)
	}
	require.Equal(t, strings.Count(string(document), "\n    request: "), len(results))

	forms := reflect.TypeFor[step]()
	for i := range forms.NumField() {
		name := forms.Field(i).Tag.Get("yaml")
		require.Contains(t, strings.Join(rules, ""), "- "+name+":", "the document shows every operation")
	}
	for _, word := range interactions {
		require.Contains(t, string(document), "`"+word+"`", "the document names every interaction")
	}
}
