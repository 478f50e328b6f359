package alternate

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/internal/strict"
)

// read returns the answer of a file whose template is text.
func read(t testing.TB, text string) (*Answer, strict.Problems) {
	t.Helper()
	var a Answer
	doc := strict.Decode("a.yaml", []byte(text), &a)
	if len(doc.Problems()) == 0 {
		a.Check(doc, "")
	}
	return &a, doc.Problems()
}

func template(element string) string {
	return "items: list\nnext: page.next\nresource:\n  resourceType: Basic\n  " + element + "\n"
}

var chicago = func() *time.Location {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		panic(err)
	}
	return zone
}()

// TestEachValueOfATemplate holds what an element becomes for an item; "" is
// one that is left out.
func TestEachValueOfATemplate(t *testing.T) {
	for name, tc := range map[string]struct{ element, item, want string }{
		"text":                   {`e: "x"`, `{}`, `"x"`},
		"number":                 {`e: 1.50`, `{}`, `1.50`},
		"bool":                   {`e: true`, `{}`, `true`},
		"date is a text":         {`e: 2026-11-22`, `{}`, `"2026-11-22"`},
		"path to a text":         {`e: "{a}"`, `{"a":"x\"y<é\u0001"}`, `"x\"y<é\u0001"`},
		"path to a number":       {`e: "{a}"`, `{"a":1.10e2}`, `1.10e2`},
		"long digits":            {`e: "{a}"`, `{"a":12345678901234567890.10}`, `12345678901234567890.10`},
		"path to a bool":         {`e: "{a}"`, `{"a":false}`, `false`},
		"path to an object":      {`e: "{a}"`, `{"a":{"b": 1.0}}`, `{"b":1.0}`},
		"path to empty object":   {`e: "{a}"`, `{"a":{ }}`, ``},
		"path to empty list":     {`e: "{a}"`, `{"a":[]}`, ``},
		"nested path":            {`e: "{a.0.b}"`, `{"a":[{"b":"x"}]}`, `"x"`},
		"path missing":           {`e: "{a}"`, `{}`, ``},
		"path null":              {`e: "{a}"`, `{"a":null}`, ``},
		"path empty":             {`e: "{a}"`, `{"a":""}`, ``},
		"mixed":                  {`e: "a-{p}.b-{q}"`, `{"p":7,"q":"8"}`, `"a-7.b-8"`},
		"mixed with one missing": {`e: "a-{p}.b-{q}"`, `{"p":7}`, ``},
		"mixed with a var":       {`e: "{vars.site}-{p}"`, `{"p":7}`, `"north-7"`},
		"a var as a text":        {`e: "{vars.site}"`, `{}`, `"north"`},
		"mixed with an object":   {`e: "a-{p}"`, `{"p":{}}`, ``},
		"as text":                {`e: {from: a, as: text}`, `{"a":1.0}`, `"1.0"`},
		"as number":              {`e: {from: a, as: number}`, `{"a":"015"}`, ``},
		"as number of digits":    {`e: {from: a, as: number}`, `{"a":"15.50"}`, `15.50`},
		"as number of a number":  {`e: {from: a, as: number}`, `{"a":15.50}`, `15.50`},
		"as number of words":     {`e: {from: a, as: number}`, `{"a":"many"}`, ``},
		"map":                    {`e: {from: a, map: {f: booked, "2": arrived}}`, `{"a":"f"}`, `"booked"`},
		"map of a number":        {`e: {from: a, map: {f: booked, "2": arrived}}`, `{"a":2}`, `"arrived"`},
		"map without":            {`e: {from: a, map: {f: booked}}`, `{"a":"z"}`, ``},
		"map with default":       {`e: {from: a, map: {f: booked}, default: pending}`, `{"a":"z"}`, `"pending"`},
		"default":                {`e: {from: a, default: x}`, `{}`, `"x"`},
		"default not wanted":     {`e: {from: a, default: x}`, `{"a":0}`, `0`},
		"var":                    {`e: {var: site}`, `{}`, `"north"`},
		"var missing":            {`e: {var: other}`, `{}`, ``},
		"instant":                {`e: {date: d, time: t, layout: "MM/DD/YYYY hh:mm"}`, `{"d":"11/22/2026","t":"08:30"}`, `"2026-11-22T08:30:00-06:00"`},
		"instant in summer":      {`e: {date: d, time: t, layout: "YYYY-MM-DD hh:mm:ss"}`, `{"d":"2026-07-01","t":"23:59:58"}`, `"2026-07-01T23:59:58-05:00"`},
		"instant in one":         {`e: {date: d, layout: "YYYYMMDD"}`, `{"d":"20261122"}`, `"2026-11-22"`},
		"instant of numbers":     {`e: {date: d, layout: "YYYYMMDD"}`, `{"d":20261122}`, `"2026-11-22"`},
		"instant without time":   {`e: {date: d, time: t, layout: "MM/DD/YYYY hh:mm"}`, `{"d":"11/22/2026"}`, ``},
		"date missing":           {`e: {date: d, layout: "MM/DD/YYYY"}`, `{}`, ``},
		"object":                 {`e: {a: {b: "{x}"}, c: "{y}"}`, `{"y":1}`, `{"c":1}`},
		"empty object":           {`e: {a: {b: "{x}"}}`, `{}`, ``},
		"list":                   {`e: ["{x}", {a: "{y}"}, z]`, `{"y":1}`, `[{"a":1},"z"]`},
		"empty list":             {`e: [{a: "{x}"}]`, `{}`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			a, problems := read(t, template(tc.element))
			require.Empty(t, problems)
			got, err := a.Map([]byte(`{"list":[`+tc.item+`]}`), map[string]string{"site": "north"}, chicago)
			require.NoError(t, err)
			if tc.want != "" {
				tc.want = `,"e":` + tc.want
			}
			want := `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Basic"` + tc.want + `},"search":{"mode":"match"}}]}`
			require.JSONEq(t, want, string(got))
			for _, digits := range []string{"1.50", "1.10e2", "12345678901234567890.10", "15.50", "1.0"} {
				require.Equal(t, strings.Contains(want, digits), strings.Contains(string(got), digits))
			}
		})
	}
}

func TestTheBundle(t *testing.T) {
	a, problems := read(t, template(`id: "{id}"`))
	require.Empty(t, problems)
	require.Equal(t, "Basic", a.Type())
	for answer, want := range map[string]string{
		`{"list":[]}`: `{"resourceType":"Bundle","type":"searchset"}`,
		`{"list":[{"id":"1"},{"id":"2"}],"page":{"next":"/v1/x?a=1&b=2"}}`: `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"/v1/x?a=1&b=2"}],"entry":[` +
			`{"resource":{"resourceType":"Basic","id":"1"},"search":{"mode":"match"}},{"resource":{"resourceType":"Basic","id":"2"},"search":{"mode":"match"}}]}`,
		`{"list":[],"page":{"next":null}}`: `{"resourceType":"Bundle","type":"searchset"}`,
		`{"list":[],"page":{"next":7}}`:    `{"resourceType":"Bundle","type":"searchset"}`,
	} {
		got, err := a.Map([]byte(answer), nil, time.UTC)
		require.NoError(t, err)
		require.JSONEq(t, want, string(got))
	}
	whole, problems := read(t, "resource: {id: \"{id}\", resourceType: Basic}\n")
	require.Empty(t, problems)
	got, err := whole.Map([]byte(`[{"id":"1"}]`), nil, time.UTC)
	require.NoError(t, err)
	require.Equal(t, `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Basic","id":"1"},"search":{"mode":"match"}}]}`, string(got))
}

func TestAnswersThatAreRefused(t *testing.T) {
	a, problems := read(t, template("period: [{start: {date: d, layout: MM/DD/YYYY}}]"))
	require.Empty(t, problems)
	for answer, want := range map[string]string{
		`{"list":[`:                            "the answer is not well-formed JSON",
		`{"list":[]} x`:                        "the answer is not well-formed JSON",
		strings.Repeat("[", 1<<20):             "the answer is not well-formed JSON",
		`{"error":"secret"}`:                   "the answer has no list of items",
		`{"list":{"secret":1}}`:                "the answer has no list of items",
		`{"list":[{},"secret"]}`:               "item 1 is not an object",
		`{"list":[{"d":"secret"}]}`:            "item 0 at period[0].start: is not a date of the rule's layout",
		`{"list":[{"d":"11/22/2026 secret"}]}`: "item 0 at period[0].start: is not a date of the rule's layout",
	} {
		_, err := a.Map([]byte(answer), nil, time.UTC)
		require.EqualError(t, err, want)
	}
	long, problems := read(t, template("text: \""+strings.Repeat("x", 100<<10)+"\""))
	require.Empty(t, problems)
	_, err := long.Map([]byte(`{"list":[`+strings.Repeat("{},", 1000)+`{}]}`), nil, time.UTC)
	require.ErrorContains(t, err, "makes the Bundle longer than 33554432 bytes")
}

func TestMistakesOfATemplate(t *testing.T) {
	for element, want := range map[string]string{
		`e: "{a"`:                              "e has a brace without its other one",
		`e: "a}b"`:                             "e has a brace without its other one",
		`e: ""`:                                "e is empty",
		`e:`:                                   "e says nothing",
		`e: 0x1F`:                              "e is no value of JSON: write a text in quotes",
		`e: "{}"`:                              "e: what stands in braces must be a path of gjson",
		`e: "{@this}"`:                         "e: what stands in braces must be a path of gjson",
		`e: "{a|@ugly}"`:                       "e: what stands in braces must be a path of gjson",
		`e: "{!x}"`:                            "e: what stands in braces must be a path of gjson",
		`e: "{..0}"`:                           "e: what stands in braces must be a path of gjson",
		`e: {f: {from: a, to: b}}`:             "e.f has the unknown key to",
		`e: {from: "@this"}`:                   "e must be {from: path}",
		`e: {from: a, as: date}`:               "e must be {from: path}",
		`e: {from: a, as: number, default: x}`: "e as: number goes without map and default",
		`e: [{var: a, b: c}]`:                  "e[0] must be {var: name}",
		`e: {date: d, time: t, layout: soon}`:  "e the layout must be YYYY, MM, DD",
		`e: {time: t, layout: MM/DD/YYYY}`:     "e must be {date: path",
		`e: {date: d, layout: hh:mm}`:          "e the layout must be YYYY, MM, DD",
		`e: &x {a: b}` + "\n  f: *x":           "f must not be an alias",
		`e: ` + strings.Repeat("[", 40) + "a" + strings.Repeat("]", 40): "lies too deep",
	} {
		t.Run(element, func(t *testing.T) {
			_, problems := read(t, template(element))
			require.ErrorContains(t, problems.Err(), "resource: ")
			require.ErrorContains(t, problems.Err(), want)
		})
	}
	for text, want := range map[string]string{
		"resource: {id: x}\n":                                  "must be a resource whose resourceType is a text of R4",
		"resource: {resourceType: Appointmnet}\n":              "must be a resource whose resourceType is a text of R4",
		"resource: {resourceType: \"{a}\"}\n":                  "must be a resource whose resourceType is a text of R4",
		"resource: {from: a}\n":                                "must be a mapping of elements",
		"resource: [a]\n":                                      "must be a mapping of elements",
		"items: \"@this\"\nresource: {resourceType: Basic}\n":  "items: must be a path of gjson",
		"next: \"a.@this\"\nresource: {resourceType: Basic}\n": "next: must be a path of gjson",
	} {
		_, problems := read(t, text)
		require.ErrorContains(t, problems.Err(), want)
	}
}

// FuzzMap takes any answer: no panic, and what comes out is a Bundle in JSON.
func FuzzMap(f *testing.F) {
	a, problems := read(f, "items: list\nnext: next\nresource:\n  resourceType: Basic\n  id: \"a-{id}\"\n  raw: \"{x.0}\"\n  n: {from: n, as: number}\n  s: {from: s, map: {a: b}, default: c}\n  d: {date: d, time: t, layout: \"MM/DD/YYYY hh:mm\"}\n")
	require.Empty(f, problems)
	for _, seed := range []string{
		`{"list":[{"id":1,"x":[{"y":[1.0]}],"n":"1e5","s":"a","d":"11/22/2026","t":"08:30"}],"next":"/n"}`,
		`{"list":[{"id":"\ud800","x":["\u0000"],"n":-0,"s":null}]}`, `{"list":[{}]}`, `{"list":7}`, `[]`, `{"list":[{"id":1,"id":2}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		out, err := a.Map(answer, nil, chicago)
		if err != nil {
			return
		}
		var bundle struct{ ResourceType, Type string }
		require.NoError(t, json.Unmarshal(out, &bundle), "%s", out)
		require.Equal(t, "Bundle", bundle.ResourceType)
		require.Equal(t, "searchset", bundle.Type)
	})
}
