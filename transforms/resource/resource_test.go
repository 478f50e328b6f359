package resource

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	testify "github.com/stretchr/testify/require"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// operation returns the operation that text, an item of a rule's do, holds.
func operation(t testing.TB, text string) Operation {
	t.Helper()
	o, problems := decode(text)
	testify.Empty(t, problems, text)
	testify.NotNil(t, o, text)
	return o
}

func decode(text string) (Operation, strict.Problems) {
	var s Step
	doc := strict.Decode("step", []byte(text), &s)
	fields := reflect.ValueOf(s)
	for i := range fields.NumField() {
		if !fields.Field(i).IsNil() {
			o := fields.Field(i).Interface().(Operation)
			o.Check(doc, fields.Type().Field(i).Tag.Get("yaml"))
			return o, doc.Problems()
		}
	}
	return nil, doc.Problems()
}

func TestEachFieldOfAStepIsAnOperation(t *testing.T) {
	operations := reflect.TypeFor[Operation]()
	steps := reflect.TypeFor[Step]()
	for i := range steps.NumField() {
		testify.True(t, steps.Field(i).Type.Implements(operations), steps.Field(i).Name)
		testify.NotEmpty(t, steps.Field(i).Tag.Get("yaml"))
	}
}

var chicago = func() *time.Location {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		panic(err)
	}
	return zone
}()

func newCall(answer bool) *Call {
	return &Call{
		Answer:  answer,
		Vars:    map[string]string{"mrn": "urn:oid:1.2"},
		Zone:    chicago,
		Now:     time.Date(2026, 11, 22, 12, 0, 0, 0, chicago),
		Bases:   []string{"https://ehr.example/r4"},
		Context: context.Background(),
		Header:  http.Header{},
	}
}

func newResource(text string, call *Call) *Resource {
	doc := new(tree.Doc)
	doc.Reset([]byte(text))
	return &Resource{Doc: doc, Node: doc.Root(), Call: call}
}

func (r *Resource) text() string { return string(r.Doc.AppendTo(nil)) }

// meaning is what a resource says: without order of members, and without empty
// objects and arrays, which FHIR does not have.
func meaning(t testing.TB, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	testify.NoError(t, decoder.Decode(&v), text)
	return filled(v)
}

func filled(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, member := range v {
			if member = filled(member); member != nil {
				out[name] = member
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		var out []any
		for _, element := range v {
			out = append(out, filled(element))
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case nil:
		return json.RawMessage("null")
	}
	return v
}

// apply is one case of an operation. refusal is its status, expression and
// text.
type apply struct {
	name, do string
	request  bool // the resource is a body, not an answer
	in, want string
	refusal  string
}

func (c apply) run(t *testing.T) {
	t.Helper()
	o := operation(t, c.do)
	r := newResource(c.in, newCall(!c.request))
	changed, err := o.Apply(r)
	if c.refusal != "" {
		testify.NotNil(t, err)
		testify.Equal(t, c.refusal, refusalText(err))
		return
	}
	testify.Nil(t, err)
	testify.Equal(t, c.want, r.text())
	testify.Equal(t, c.in != c.want, changed)
	inverse, ok := o.(Inverse)
	if !ok || o.Effect() != Reversible {
		return
	}
	back := newResource(c.want, newCall(false))
	undone, err := inverse.Undo(back)
	testify.Nil(t, err)
	if c.request {
		return
	}
	testify.Equal(t, meaning(t, c.in), meaning(t, back.text()), back.text())
	testify.Equal(t, changed, undone)
}

func refusalText(err *fhir.Error) string {
	return strings.Join([]string{http.StatusText(err.Status), err.Expression, err.Text}, ": ")
}

func runAll(t *testing.T, cases []apply) {
	for _, c := range cases {
		t.Run(c.name, c.run)
	}
}

func TestProblems(t *testing.T) {
	for _, c := range []struct{ do, want string }{
		{`set: {value: a}`, `step:1:6: set.path: is missing: it must be a path such as name.#.family`},
		{`set: {path: a*, value: a}`, `step:1:13: set.path: holds '*': only names, '#', numbers and #(conditions) lead somewhere here`},
		{`set: {path: [a], value: a}`, `step:1:13: set.path: must be a path such as name.#.family`},
		{`set: {path: resourceType, value: Patient}`, `step:1:13: set.path: must not be resourceType: a resource keeps its type`},
		{`set: {path: a}`, `step:1:6: set.value: must be a text, a number, true or false, or {var: name}, and not empty`},
		{`set: {path: a, value: ""}`, `step:1:23: set.value: must be a text, a number, true or false, or {var: name}, and not empty`},
		{`set: {path: a, value: [1]}`, `step:1:23: set.value: must be a text, a number, true or false, or {var: name}`},
		{`set: {path: a, value: 0x10}`, `step:1:23: set.value: must be a text, a number, true or false, or {var: name}`},
		{`default: {path: a, value: null}`, `step:1:27: default.value: must be a text, a number, true or false, or {var: name}, and not empty`},
		{`drop: [null]`, `step:1:8: drop.0: is missing: it must be a path such as name.#.family`},
		{`drop: []`, `step:1:7: drop: names no path`},
		{`dropIf: {path: a}`, `step:1:9: dropIf.is: must list the values that mean none`},
		{`dropIf: {path: a, is: [{var: b}]}`, `step:1:24: dropIf.is.0: must be a value, not a var`},
		{`trim: {}`, `step:1:7: trim.path: is missing: it must be a path such as name.#.family`},
		{`prefix: {path: a}`, `step:1:9: prefix.with: must be the text to write before, such as https://`},
		{`copy: {from: a, to: a}`, `step:1:21: copy.to: is the same as from`},
		{`require: [a, ""]`, `step:1:14: require.1: has an empty part`},
		{`move: {from: a, to: a.b}`, `step:1:21: move.to: must differ from from in names only, and neither may lie within the other: an element stays within its object and those below it`},
		{`move: {from: a.0.b, to: a.0.c}`, `step:1:14: move.from: must hold names and '#' only: where a number or a condition leads may differ on the way back; or set lossy: true`},
		{`code.map: {path: gender}`, `step:1:11: code.map.map: must give at least one code of the hospital ours`},
		{`code.map: {path: gender, map: {M: male, H: male}}`, `step:1:35: code.map.map.M: gives "M" the code of "H", so that nothing tells them apart on the way back: set lossy: true`},
		{`code.map: {path: gender, map: {M: ""}}`, `step:1:35: code.map.map.M: must give a code a code: neither may be empty`},
		{`code.map: {path: gender, map: {M: male}, unmapped: drop}`, `step:1:52: code.map.unmapped: must be keep or fail`},
		{`code.map: {path: gender, map: {M: male}, params: ["gender:not"]}`, `step:1:51: code.map.params.0: must be the name of a parameter without its modifier: letters, digits, '-' and '_'`},
		{`code.map: {path: a.coding, from: {system: a}, map: {M: male}}`, `step:1:11: code.map: needs both from and to, for Codings, or neither, for codes`},
		{`code.map: {path: a.coding, from: {system: a}, to: {}, map: {M: male}}`, `step:1:51: code.map.to.system: must be the URI of a code system`},
		{`coding.keepOnly: {path: type.coding.#, systems: [a]}`, `step:1:25: coding.keepOnly.path: must lead to a list of Codings, such as type.coding, not to its elements`},
		{`coding.keepOnly: {path: type.coding}`, `step:1:18: coding.keepOnly.systems: must list the URIs of code systems, the preferred first`},
		{`time.ensure: {path: date, at: noon}`, `step:1:31: time.ensure.at: must be start or end`},
		{`identifier.system: {system: a}`, `step:1:20: identifier.system.where: must say which identifiers get the system, as in {type.text: MRN}`},
		{`identifier.system: {system: a, where: {system: b}}`, `step:1:48: identifier.system.where.system: must not depend on the system, which the rule changes`},
		{`identifier.system: {system: a, where: {a..b: c}}`, `step:1:46: identifier.system.where.a..b: has an empty part`},
		{`identifier.system: {system: a, where: {use: ""}}`, `step:1:45: identifier.system.where.use: must be a text, and not empty`},
		{`identifier.system: {path: identifier.0, system: a, where: {use: b}}`, `step:1:27: identifier.system.path: must hold names and '#' only: where a number or a condition leads may differ on the way back; conditions stand in where`},
		{`absent.drop: [a, resourceType]`, `step:1:18: absent.drop.1: must not be resourceType: a resource keeps its type`},
		{`name.currentFirst: {}`, `step:1:20: name.currentFirst.path: is missing: it must be a path such as name.#.family`},
		{`attachment.inline: {}`, `step:1:20: attachment.inline.path: is missing: it must be a path such as name.#.family`},
		{`reference.relative: {}`, `step:1:21: reference.relative.path: is missing: it must be a path such as name.#.family`},
	} {
		_, problems := decode(c.do)
		testify.Equal(t, c.want, problems.Error(), c.do)
	}
}

func TestVarsThatAreRead(t *testing.T) {
	for do, want := range map[string][]string{
		`set: {path: a, value: {var: mrn}}`:                                      {"mrn"},
		`set: {path: a, value: mrn}`:                                             nil,
		`default: {path: a, value: {var: mrn}}`:                                  {"mrn"},
		`identifier.system: {where: {use: official}, system: {var: mrn_system}}`: {"mrn_system"},
	} {
		testify.Equal(t, want, operation(t, do).(Reader).Reads(), do)
	}
	for _, do := range []string{`set: {path: a, value: {var: none}}`, `default: {path: a, value: {var: none}}`, `identifier.system: {where: {use: official}, system: {var: none}}`} {
		r := newResource(`{"identifier":[{"use":"official"}]}`, newCall(false))
		_, err := operation(t, do).Apply(r)
		testify.Equal(t, "Internal Server Error: : the route has no var none", refusalText(err))
	}
}

func TestEffects(t *testing.T) {
	for do, want := range map[string]Effect{
		`set: {path: a, value: b}`:                                       Lossy,
		`drop: [a]`:                                                      Lossy,
		`move: {from: a, to: b}`:                                         Reversible,
		`move: {from: a.0.b, to: a.0.c, lossy: true}`:                    Lossy,
		`code.map: {path: gender, map: {M: male}}`:                       Reversible,
		`code.map: {path: gender, map: {M: male, H: male}, lossy: true}`: Lossy,
		`identifier.system: {where: {type.text: MRN}, system: a}`:        Reversible,
		`patient.merged: {}`:                                             Reversible,
		`require: [a]`:                                                   OneWay,
		`ifMatch.fromVersion: {}`:                                        OneWay,
		`attachment.inline: {path: content.attachment}`:                  OneWay,
		`reference.relative: {path: subject}`:                            OneWay,
		`absent.drop: [name]`:                                            Lossy,
		`coding.keepOnly: {path: type.coding, systems: [a]}`:             Lossy,
		`name.currentFirst: {path: name}`:                                Lossy,

		`code.map: {path: gender, map: {M: male}, unmapped: fail, params: [gender]}`: Reversible,
	} {
		testify.Equal(t, want, operation(t, do).Effect(), do)
	}
}

func TestPathsThatAreTouched(t *testing.T) {
	for do, want := range map[string]string{
		`set: {path: a.b, value: c}`:                         "/a/b",
		`default: {path: a.b, value: c}`:                     "/a/b",
		`drop: [c, a]`:                                       "/a/0/x",
		`dropIf: {path: a, is: [c]}`:                         "/a",
		`trim: {path: a.#.b}`:                                "/a/3/b",
		`prefix: {path: a, with: c}`:                         "/a",
		`move: {from: a, to: b}`:                             "/b/c",
		`copy: {from: c, to: a}`:                             "/a",
		`absent.drop: [a]`:                                   "/_a",
		`time.ensure: {path: a, at: end}`:                    "",
		`name.currentFirst: {path: name}`:                    "/name/0",
		`patient.merged: {}`:                                 "/meta/tag/0",
		`code.map: {path: a, map: {b: c}}`:                   "/a",
		`attachment.inline: {path: a}`:                       "/a/data",
		`reference.relative: {path: subject}`:                "/subject/reference",
		`coding.keepOnly: {path: type.coding, systems: [a]}`: "/type/coding/1",
		`identifier.system: {where: {use: a}, system: a}`:    "/identifier/0/system",
	} {
		pointer, _ := tree.ParsePointer(want)
		met := false
		for _, p := range operation(t, do).Paths() {
			relation, _ := p.Meet(pointer)
			met = met || relation != tree.Apart
		}
		testify.True(t, met, do)
	}
	testify.Empty(t, operation(t, `require: [a]`).Paths())
	testify.Empty(t, operation(t, `ifMatch.fromVersion: {}`).Paths())
}
