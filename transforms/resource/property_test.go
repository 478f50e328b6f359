package resource

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	testify "github.com/stretchr/testify/require"

	"fhirgate/transforms/tree"
)

var reversible = []string{
	`move: {from: a, to: b}`,
	`move: {from: a.c, to: b.d.e}`,
	`move: {from: identifier.#.value, to: identifier.#.type.code}`,
	`code.map: {path: a, map: {M: male, F: female, male: other}}`,
	`code.map: {path: a.#, map: {M: male, F: female}}`,
	`code.map: {path: a, map: {M: male, F: female}, unmapped: fail}`,
	`code.map: {path: coding, from: {system: x}, to: {system: y}, map: {M: male, F: female}}`,
	`code.map: {path: coding, from: {system: x}, to: {system: x}, map: {M: male, F: female}}`,
	`code.map: {path: coding, from: {system: x}, to: {system: y}, map: {M: male}, unmapped: fail}`,
	`identifier.system: {where: {type.text: M}, system: y}`,
	`patient.merged: {}`,
}

var irreversible = []string{
	`set: {path: a.c, value: M}`,
	`default: {path: identifier.#.use, value: M}`,
	`drop: [a, identifier.type, 'coding.#(code=="M")#']`,
	`dropIf: {path: a, is: [M, true, 1.0]}`,
	`trim: {path: identifier.value}`,
	`prefix: {path: identifier.system, with: "x:"}`,
	`copy: {from: a, to: b.0.c}`,
	`coding.keepOnly: {path: coding, systems: [y, x]}`,
	`time.ensure: {path: a, at: end}`,
	`absent.drop: [a, identifier, coding.#.code]`,
	`name.currentFirst: {path: identifier}`,
	`code.map: {path: a.0, map: {M: x, F: x}, lossy: true}`,
	`move: {from: a.0.c, to: a.0.d, lossy: true}`,
}

// anyValue makes a value out of what the operations look for.
func anyValue(r *rand.Rand, depth int) any {
	words := []string{" M ", "urn:fhirgate:own", "urn:fhirgate:tag", "merged", "replaced-by", "2026", "2026-11-22", absentReason}
	if r.IntN(4) > 0 {
		words = []string{"M", "F", "male", "female", "x", "y"}
	}
	names := []string{
		"a", "b", "c", "d", "e", "_a", "_b", "identifier", "coding", "system", "_system", "code", "_code", "value", "type", "text",
		"extension", "url", "valueString", "meta", "tag", "active", "link", "use", "period", "end",
	}
	switch n := r.IntN(10); {
	case depth > 0 && n < 4:
		object := map[string]any{}
		for range r.IntN(6) {
			object[names[r.IntN(len(names))]] = anyValue(r, depth-1)
		}
		return object
	case depth > 0 && n < 6:
		array := make([]any, r.IntN(4))
		for i := range array {
			array[i] = anyValue(r, depth-1)
		}
		return array
	case n == 9:
		return []any{nil, true, false, 1, json.Number("1.0")}[r.IntN(5)]
	}
	return words[r.IntN(len(words))]
}

// likely makes a resource that the operations find something in.
func likely(r *rand.Rand) map[string]any {
	one := func(name string) any {
		switch name {
		case "a":
			return []any{anyValue(r, 0), anyValue(r, 2), map[string]any{"c": anyValue(r, 1)}, []any{anyValue(r, 0), anyValue(r, 0)}}[r.IntN(4)]
		case "active":
			return r.IntN(4) == 0
		case "link":
			return []any{map[string]any{"type": "replaced-by"}}
		case "meta":
			return map[string]any{"tag": []any{anyValue(r, 1), map[string]any{"system": tagSystem, "code": tagMerged}}}
		}
		list := make([]any, 1+r.IntN(3))
		for i := range list {
			list[i] = map[string]any{
				"type": map[string]any{"text": anyValue(r, 0)}, "system": anyValue(r, 0), "code": anyValue(r, 0), "value": anyValue(r, 1), "_code": anyValue(r, 3),
			}
			for name := range list[i].(map[string]any) {
				if r.IntN(3) == 0 {
					delete(list[i].(map[string]any), name)
				}
			}
		}
		return list
	}
	out := map[string]any{}
	for _, name := range []string{"a", "b", "_a", "active", "link", "meta", "identifier", "coding"} {
		if r.IntN(3) > 0 {
			out[name] = one(name)
		}
	}
	return out
}

// TestUndoAfterApplyChangesNothing takes resources there and back: an answer is
// refused, or comes back as it was.
func TestUndoAfterApplyChangesNothing(t *testing.T) {
	for _, do := range reversible {
		t.Run(do, func(t *testing.T) {
			o := operation(t, do).(Inverse)
			random := rand.New(rand.NewPCG(1, 2))
			changed := 0
			for range 2000 {
				text, err := json.Marshal(likely(random))
				testify.NoError(t, err)
				if thereAndBack(t, string(text), o) {
					changed++
				}
			}
			testify.Greater(t, changed, 10, "the resources must be such that the operation finds something")
		})
	}
}

// TestUndoAfterAFewChangesNothing does the same with several operations.
func TestUndoAfterAFewChangesNothing(t *testing.T) {
	var all []Inverse
	for _, do := range reversible {
		all = append(all, operation(t, do).(Inverse))
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 4000 {
		text, err := json.Marshal(likely(random))
		testify.NoError(t, err)
		some := make([]Inverse, 1+random.IntN(4))
		for i := range some {
			some[i] = all[random.IntN(len(all))]
		}
		thereAndBack(t, string(text), some...)
	}
}

// thereAndBack reports whether the operations changed text and changed it back.
func thereAndBack(t testing.TB, text string, operations ...Inverse) (changed bool) {
	t.Helper()
	r := newResource(text, newCall(true))
	for _, o := range operations {
		did, err := o.Apply(r)
		if err != nil {
			return false
		}
		changed = changed || did
	}
	there := r.text()
	if !changed {
		testify.Equal(t, text, there)
	}
	back := newResource(there, newCall(false))
	for i := len(operations) - 1; i >= 0; i-- {
		_, err := operations[i].Undo(back)
		testify.Nil(t, err, "%s became %s", text, there)
	}
	testify.Equal(t, meaning(t, text), meaning(t, back.text()), "%s became %s", text, there)
	return changed
}

// FuzzOperations takes any resource through an operation of each kind: what
// comes out is valid, what was not changed keeps its bytes, and what can be
// undone is.
func FuzzOperations(f *testing.F) {
	var operations []Operation
	for _, do := range append(append([]string{}, reversible...), irreversible...) {
		operations = append(operations, operation(f, do))
	}
	for i := range operations {
		for _, text := range []string{
			`{"a":"M","identifier":[{"type":{"text":"M"},"value":" 7 "}],"coding":[{"system":"x","code":"M"},{"system":"y","code":"male"}]}`,
			` { "active" : false , "link":[{"type":"replaced-by"}], "meta" :{"tag":[{"code":"x"}]}, "a":{"c":1.0} } `,
			`{"a":["M","female"],"_a":[null,{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason"}]}],"b":"2026-11-22"}`,
			`{"a":"\u004d","identifier":[{"use":"old","period":{"end":"2020"}},{}],"":{"\ud800":1e400}}`,
		} {
			f.Add(text, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		if !json.Valid([]byte(text)) || !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") {
			return
		}
		o := operations[int(which)%len(operations)]
		for _, answer := range []bool{true, false} {
			r := newResource(text, newCall(answer))
			changed, err := o.Apply(r)
			out := r.text()
			if !json.Valid([]byte(out)) {
				t.Fatalf("%q became %q", text, out)
			}
			if err == nil && !changed && out != text {
				t.Fatalf("%q became %q though nothing was changed", text, out)
			}
		}
		inverse, ok := o.(Inverse)
		if !ok || repeats(newResource(text, nil).Doc, 1) {
			return
		}
		patch := newResource(text, newCall(false))
		if _, err := inverse.UndoPatch(patch); err == nil && !json.Valid([]byte(patch.text())) {
			t.Fatalf("%q became %q", text, patch.text())
		}
		if o.Effect() == Reversible {
			thereAndBack(t, text, inverse)
		}
	})
}

// repeats reports whether an object has two members of one name, which the
// judge of the outcome could not tell apart.
func repeats(d *tree.Doc, n tree.Node) bool {
	names := map[string]bool{}
	for child := d.First(n); child != tree.None; child = d.Next(child) {
		name := d.Name(child)
		if d.Kind(n) == tree.Object && names[name] || repeats(d, child) {
			return true
		}
		names[name] = true
	}
	return false
}
