package strict

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheLineOfASyntaxMistake names the line at which a person would look: that
// of the mistake, or where begins what is not closed.
func TestTheLineOfASyntaxMistake(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"list not closed":           {"a: 1\nb: [1\nc: 2\n", "2:1: did not find expected ',' or ']'"},
		"mapping not closed":        {"a: 1\nb: {x: 1, y\n", "2:1: did not find expected ',' or '}'"},
		"closed by the other":       {"a: 1\nb: 2\n# c\nd: {e: [f}\ng: 1\n", "4:1: did not find expected ',' or ']'"},
		"not closed in line 1":      {"a: [1", "1:1: did not find expected ',' or ']'"},
		"nothing but a bracket":     {"[", "1:1: did not find expected node content"},
		"a bracket at the end":      {"a: 1\nb: [\n\n", "2:1: did not find expected node content"},
		"a comma at the end":        {"a: [\n  1,\n", "2:1: did not find expected node content"},
		"a bracket too many":        {"a: 1\nb: ]\n", "2:1: did not find expected node content"},
		"indented less":             {"a:\n  b: 1\n c: 2\n", "3:1: did not find expected key"},
		"a key below a list":        {"a:\n  - 1\n b: 1\n", "3:1: did not find expected key"},
		"an item below a key":       {"a: 1\n- b\n", "2:1: did not find expected key"},
		"a key below an item":       {"- a\nb: 1\n", "2:1: did not find expected '-' indicator"},
		"indented more":             {"a: 1\nb: 2\n c: 3\n", "3:1: mapping values are not allowed in this context"},
		"a colon without a space":   {"a: 1\nb:c\nd: 1\n", "2:1: could not find expected ':'"},
		"two colons":                {"a: 1\nb: x: y\nc: 1\n", "2:1: mapping values are not allowed in this context"},
		"a tab":                     {"a: 1\nb:\n\tc: 2\n", "3:1: found character that cannot start any token"},
		"quote not closed":          {"a: 1\nb: \"x\nc: 1\n", "2:1: found unexpected end of stream"},
		"quote not closed, line 1":  {"a: 'x\nb: 1\nc: 1\n", "1:1: found unexpected end of stream"},
		"escape":                    {"a: 1\nb: \"\\q\"\n", "2:1: found unknown escape character"},
		"JSON without a comma":      {"{\n \"a\": 1\n \"b\": 2\n}\n", "3:1: did not find expected ',' or '}'"},
		"JSON with a comma more":    {"{\n \"a\": 1,\n \"b\": 2,,\n}\n", "3:1: did not find expected node content"},
		"JSON without a colon":      {"{\n\t\"a\": 1,\n\t\"b\" 2\n}\n", "3:1: did not find expected ',' or '}'"},
		"JSON list not closed":      {"{\n \"a\": [1, 2\n \"b\": 2\n}\n", "2:1: did not find expected ',' or ']'"},
		"JSON not closed":           {"{\n \"a\": 1,\n \"b\": 2\n", "1:1: did not find expected ',' or '}'"},
		"not UTF-8":                 {"a: 1\nb: \xff\n", "2:4: invalid leading UTF-8 octet"},
		"a character of no text":    {"a: 1\nb: é\x01\n", "2:6: control characters are not allowed"},
		"an anchor that is nowhere": {"a: 1\nb: *x\n", "2:4: unknown anchor 'x' referenced"},
	} {
		t.Run(name, func(t *testing.T) {
			var out any
			problems := Decode("f.yaml", []byte(tc.in), &out).Problems()
			require.Len(t, problems, 1)
			require.Equal(t, "f.yaml:"+tc.want, problems[0].Error())
		})
	}
}
