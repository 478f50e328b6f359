package strict

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	notIndented  = `this line is not indented like the others of its block, or it is a list item ("- ...") and they are none`
	notAnItem    = `this line is not indented like the others of its block, or they are list items ("- ...") and it is none`
	behindTheEnd = "this stands behind the end of the file: it is indented less than the first line, or a bracket is closed too early"
	notAKey      = "a colon stands where no key can: indent the line like the others of its block, or put the value before the colon in quotes"
)

// TestTheLineOfASyntaxMistake names the line at which a person would look: that
// of the mistake, or where begins what is not closed.
func TestTheLineOfASyntaxMistake(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"list not closed":       {"a: 1\nb: [1\nc: 2\n", "3:1: a ',' or ']' is missing in or before this line: its bracket is opened in line 2"},
		"mapping not closed":    {"a: 1\nb: {x: 1, y\n", "2:1: a '}' is missing: the file ends before the bracket of this line is closed"},
		"closed by the other":   {"a: 1\nb: 2\n# c\nd: {e: [f}\ng: 1\n", "4:1: a ',' or ']' is missing in or before this line"},
		"not closed in line 1":  {"a: [1", "1:1: a ']' is missing: the file ends before the bracket of this line is closed"},
		"nothing but a bracket": {"[", "1:1: the file ends before a bracket is closed"},
		"nothing but a brace":   {"{", "1:1: the file ends before a bracket is closed"},
		"a bracket at the end":  {"a: 1\nb: [\n\n", "2:1: the file ends before a bracket is closed"},
		"a comma at the end":    {"a: [\n  1,\n", "2:1: the file ends before a bracket is closed"},
		"a bracket too many":    {"a: 1\nb: ]\n", "2:1: a value is missing, or there is a comma or bracket too many"},
		"indented less":         {"a:\n  b: 1\n c: 2\n", "3:1: " + notIndented},
		"indented less, behind others": {
			"# A hospital.\nversion: 1\nid: harbor\nupstream:\n  base_url: https://ehr.example\n  auth: {kind: none}\n private_network: true\n  proxy: http://proxy.example\nvars: {a: b}\n",
			"7:1: " + notIndented,
		},
		"indented less, in a block":  {"a:\n  b:\n    c: 1\n   d: 2\n  e: [\n", "4:1: " + notIndented},
		"indented less, in an item":  {"a:\n  - b: 1\n    c: 2\n   d: 3\n  - e: 1\n", "4:1: " + notAnItem},
		"a key below a list":         {"a:\n  - 1\n b: 1\n", "3:1: " + notIndented},
		"an item below a key":        {"z: 0\na: 1\n- b\n", "3:1: " + notIndented},
		"a key below an item":        {"- z\n- a\nb: 1\n", "3:1: " + notAnItem},
		"a quote in a value":         {"b: 1\nc: 2\na: 'it's'\n", "3:1: a value ends before its line does: look at its quotes and brackets"},
		"a quote in line 1":          {"a: 'it's'\n", "1:1: a value ends before its line does: look at its quotes and brackets"},
		"a bracket behind the end":   {"# c\na: 1\nb: {c: 1}}\nd: 1\n", "3:1: a value ends before its line does: look at its quotes and brackets"},
		"closed by the next quote":   {"a: 1\nb: \"x\nc: \"y\"\n", "3:1: a value ends before its line does: look at its quotes and brackets"},
		"Windows' line ends":         {"# c\r\na:\r\n  b: 1\r\n c: 2\r\n", "4:1: " + notIndented},
		"a long file":                {"# c\na:\n  b: 1\n c: 2\n" + strings.Repeat("#\n", maxSearched), "2:1: did not find expected key"},
		"indented more":              {"a: 1\nb: 2\n c: 3\n", "3:1: " + notAKey},
		"a colon without a space":    {"a: 1\nb:c\nd: 1\n", `2:1: this line is no "key: value": a colon with a space behind it is missing`},
		"two colons":                 {"a: 1\nb: x: y\nc: 1\n", "2:1: " + notAKey},
		"a tab":                      {"a: 1\nb:\n\tc: 2\n", "3:1: a tab indents, or a value begins with one of @ ` %: indent with spaces, and put such a value in quotes"},
		"quote not closed":           {"a: 1\nb: \"x\nc: 1\n", "2:1: a quote that begins here is not closed"},
		"quote not closed, line 1":   {"a: 'x\nb: 1\nc: 1\n", "1:1: a quote that begins here is not closed"},
		"escape":                     {"a: 1\nb: \"\\q\"\n", "2:1: found unknown escape character"},
		"JSON without a comma":       {"{\n \"a\": 1\n \"b\": 2\n}\n", "3:1: a ',' or '}' is missing in or before this line"},
		"JSON with a comma more":     {"{\n \"a\": 1,\n \"b\": 2,,\n}\n", "3:1: a value is missing, or there is a comma or bracket too many"},
		"JSON without a colon":       {"{\n\t\"a\": 1,\n\t\"b\" 2\n}\n", "3:1: a ',' or '}' is missing in or before this line"},
		"JSON list not closed":       {"{\n \"a\": [1, 2\n \"b\": 2\n}\n", "3:1: a ',' or ']' is missing in or before this line: its bracket is opened in line 2"},
		"JSON without a comma, deep": {"{\n\"a\": [{\n\"b\": 1\n}, {\n\"b\": 1,\n\"c\": 1\n\"d\": 1\n}]\n}\n", "7:1: a ',' or '}' is missing in or before this line: its bracket is opened in line 4"},
		"JSON not closed":            {"{\n \"a\": 1,\n \"b\": 2\n", "1:1: a '}' is missing: the file ends before the bracket of this line is closed"},
		"the first line indented":    {"# c\n version: 1\nid: a\n", "3:1: " + behindTheEnd},
		"a bracket behind all":       {"{\n\"a\": 1\n}}\n", "3:1: " + behindTheEnd},
		"JSON twice":                 {"{}\n{}\n", "2:1: " + behindTheEnd},
		"a second document":          {"a: 1\n---\nb: 1\n", "2:1: a second document begins here, but a file holds one"},
		"in a second document":       {"a: 1\n---\nb:\n  c: 1\n d: 2\n", "5:1: " + notIndented},
		"not UTF-8":                  {"a: 1\nb: \xff\n", "2:4: invalid leading UTF-8 octet"},
		"a character of no text":     {"a: 1\nb: é\x01\n", "2:6: control characters are not allowed"},
		"an anchor that is nowhere":  {"a: 1\nb: *x\n", "2:4: unknown anchor 'x' referenced"},
	} {
		t.Run(name, func(t *testing.T) {
			var out any
			problems := Decode("f.yaml", []byte(tc.in), &out).Problems()
			require.Len(t, problems, 1)
			require.Equal(t, "f.yaml:"+tc.want, problems[0].Error())
		})
	}
}

// FuzzASyntaxMistakeHasAPlace wants a line of the file for whatever is wrong.
func FuzzASyntaxMistakeHasAPlace(f *testing.F) {
	for _, in := range []string{"a:\n  b: 1\n c: 2\n", "a: [1\nb: 2\n", "{\n\"a\": 1,,\n}", "a: \"b\n", "- a\nb: 1", "a: 'it's'"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		lines := 1
		for _, lineBreak := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} { // all that yaml counts
			lines += bytes.Count(in, []byte(lineBreak))
		}
		var out any
		for _, p := range Decode("f.yaml", in, &out).Problems() {
			require.GreaterOrEqual(t, p.Line, 1)
			require.LessOrEqual(t, p.Line, lines)
			require.NotEmpty(t, p.Text)
		}
	})
}
