package transforms

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestTheTextsOfATest(t *testing.T) {
	for name, tc := range map[string]struct{ yaml, inline, file string }{
		"JSON":          {`'{"a": 1}'`, `{"a": 1}`, ""},
		"list":          {`'[1]'`, `[1]`, ""},
		"block":         {"|\n  {\"a\":\n    1.0}\n", "{\"a\":\n  1.0}\n", ""},
		"lines":         {"|\n  too many\n  calls\n", "too many\ncalls\n", ""},
		"HTML":          {"<p>too many</p>", "<p>too many</p>", ""},
		"nothing":       {"''", "", ""},
		"a file":        {"testdata/epic/note.json", "", "testdata/epic/note.json"},
		"a word":        {"same", "", "same"},
		"YAML":          {`{b: 1.50, a: [true, null, ~, "true", yes, 2026-11-22], "c\"": {}}`, `{"b":1.50,"a":[true,null,null,"true","yes","2026-11-22"],"c\"":{}}`, ""},
		"YAML in block": {"\n  resourceType: Patient\n  name:\n    - family: Ro\n", `{"resourceType":"Patient","name":[{"family":"Ro"}]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out struct{ Text testText }
			require.NoError(t, yaml.Unmarshal([]byte("text: "+tc.yaml), &out))
			require.Equal(t, tc.inline, string(out.Text.inline))
			require.Equal(t, tc.file, out.Text.file)
		})
	}
	for name, text := range map[string]string{"number": "[0x10]", "word": "{a: True}", "alias": "&a [*a]", "in an object": "{a: [.5]}"} {
		var out struct{ Text testText }
		require.Error(t, yaml.Unmarshal([]byte("text: "+text), &out), name)
	}
}

func TestWhatIsComparedHasNoWhiteSpaceBetweenValues(t *testing.T) {
	for text, want := range map[string]string{
		"{ \"a b\" : [ 1.0 ,\n2 ] }\n": `{"a b":[1.0,2]}`,
		"{ }\n\n[ ]":                   "{}\n[]\n",
		`"\u0041<"`:                    `"\u0041<"`,
		"":                             "",
		"{}\nno":                       "",
	} {
		require.Equal(t, want, string(compact([]byte(text))), text)
	}
	require.True(t, isLines([]byte("{}\n{}")))
	require.False(t, isLines([]byte("{}\n")))
	require.False(t, isLines([]byte("a\nb")))
}

// FuzzTestText checks that YAML in flow style becomes JSON, or a mistake.
func FuzzTestText(f *testing.F) {
	f.Add(`{a: 1, "b\n": [x, ~, 1.5e3]}`)
	f.Add("&a [*a]")
	f.Add("? [a]\n: b")
	f.Fuzz(func(t *testing.T, text string) {
		var node yaml.Node
		if yaml.Unmarshal([]byte(text), &node) != nil || len(node.Content) == 0 {
			return
		}
		if out, err := appendJSON(nil, node.Content[0]); err == nil {
			require.True(t, json.Valid(out), "%q", out)
		}
	})
}
