package strict

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

type file struct {
	Name    string              `yaml:"name"`
	Port    int                 `yaml:"port"`
	Wait    time.Duration       `yaml:"wait"`
	Nested  nested              `yaml:"nested"`
	Kinds   map[string][]string `yaml:"kinds"`
	Pointer *nested             `yaml:"pointer"`
	Secret  Secret              `yaml:"secret"`
	Hidden  string              `yaml:"-"`
}

type nested struct {
	On bool `yaml:"on"`
}

func TestDecodeTellsEveryMistakeWithItsPlace(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want []string
	}{
		"good":            {"name: a\nport: 1\nwait: 3s\nnested: {on: true}\nkinds: {A: [x, y]}\n", nil},
		"json":            {"{\n\t\"name\": \"a\",\n\t\"port\": 1\n}", nil},
		"empty":           {"", []string{"f.yaml:1:1: the file is empty"}},
		"syntax":          {"name: a\nport: [1\n", []string{"f.yaml:2:1: a ']' is missing: the file ends before the bracket of this line is closed"}},
		"unknown key":     {"name: a\nprot: 1\n", []string{`f.yaml:2:1: unknown key "prot"; did you mean "port"?`}},
		"empty key":       {"\"\": x\n", []string{`f.yaml:1:1: unknown key ""; allowed are kinds, name, nested, pointer, port, secret, wait`}},
		"far from known":  {"zzzzzz: 1\n", []string{`f.yaml:1:1: unknown key "zzzzzz"; allowed are kinds, name, nested, pointer, port, secret, wait`}},
		"twice":           {"name: a\nname: b\n", []string{`f.yaml:2:1: the key "name" is given twice`}},
		"a word for true": {"nested: {on: \"yes\"}\n", []string{"f.yaml:1:14: nested.on: must be true or false"}},
		"a fraction":      {"port: 1.5\n", []string{"f.yaml:1:7: port: must be a whole number"}},
		"all at once":     {"port: x\nwait: soon\nnested: {on: 3, of: 1}\n", []string{"f.yaml:1:7: port: must be a whole number", `f.yaml:2:7: wait: must be a duration such as "500ms", "30s" or "5m"`, "f.yaml:3:14: nested.on: must be true or false", `f.yaml:3:17: nested: unknown key "of"; did you mean "on"?`}},
		"list for a map":  {"nested: [1]\n", []string{"f.yaml:1:9: nested: must be a mapping with the keys on"}},
		"scalar for list": {"kinds: {A: x}\n", []string{"f.yaml:1:12: kinds.A: must be a list"}},
		"secret form":     {"secret: {vault: x}\n", []string{"f.yaml:1:9: secret: must be {env: NAME} or {file: PATH}"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out file
			var got []string
			for _, p := range Decode("f.yaml", []byte(tc.in), &out).Problems() {
				got = append(got, p.Error())
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestFailNamesTheNearestPlace(t *testing.T) {
	var out file
	d := Decode("f.yaml", []byte("name: a\nkinds:\n  A: [x, y]\n"), &out)
	d.Fail("kinds.A.1", "no")
	d.Fail("kinds.B", "missing")
	d.Fail("nested.on", "missing")
	require.EqualError(t, d.Problems().Err(), "f.yaml:1:1: nested.on: missing\nf.yaml:3:3: kinds.B: missing\nf.yaml:3:10: kinds.A.1: no")
}

func TestASecretNeverPrints(t *testing.T) {
	t.Setenv("HUSH", "s3cret")
	var out file
	require.Empty(t, Decode("f.yaml", []byte("secret: {env: HUSH}\n"), &out).Problems())
	value, err := out.Secret.Reveal()
	require.NoError(t, err)
	require.Equal(t, "s3cret", value)
	marshalled, err := json.Marshal(out)
	require.NoError(t, err)
	for _, printed := range []string{fmt.Sprint(out), fmt.Sprintf("%+v", out), fmt.Sprintf("%#v", out.Secret), string(marshalled)} {
		require.False(t, strings.Contains(printed, "s3cret"), printed)
	}
}

func TestAMissingSecretSaysWhereItWasLookedFor(t *testing.T) {
	var out file
	require.Empty(t, Decode("f.yaml", []byte("secret: {env: NOT_SET_ANYWHERE}\n"), &out).Problems())
	_, err := out.Secret.Reveal()
	require.EqualError(t, err, "the environment variable NOT_SET_ANYWHERE is not set")
}

func TestEmbeddedStructsAndPartsLeftAsTheyAre(t *testing.T) {
	type whole struct {
		nested `yaml:"-"`
		Rules  yaml.Node `yaml:"rules"`
	}
	var out whole
	d := Decode("f.yaml", []byte("on: true\nrules:\n  name: a\n  prot: 1\n"), &out)
	require.Empty(t, d.Problems())
	require.True(t, out.On)
	var part file
	d = DecodeNode("f.yaml", "rules", &out.Rules, &part)
	require.Equal(t, "a", part.Name)
	require.Equal(t, `f.yaml:4:3: rules: unknown key "prot"; did you mean "port"?`, d.Problems().Error())
	require.Equal(t, "f.yaml:3:9: rules.name: no", d.Problem("name", "no").Error())
}

func TestOfAValueThatIsWrongEnoughIsSaid(t *testing.T) {
	var out file
	d := Decode("f.yaml", []byte("port: x\nnested: on\nkinds: [a]\n"), &out)
	for _, path := range []string{"port", "nested", "nested.on", "kinds.A.0"} {
		d.Fail(path, "noise")
	}
	d.Fail("name", "is missing")
	require.Equal(t, []string{
		"f.yaml:1:7: port: must be a whole number", `f.yaml:2:9: nested: a colon is missing behind "on"`,
		"f.yaml:3:8: kinds: must be a mapping", "f.yaml:1:1: name: is missing",
	}, func() (texts []string) {
		for _, p := range d.Problems() {
			texts = append(texts, p.Error())
		}
		return texts
	}())
}
