package resource

import (
	"testing"

	testify "github.com/stretchr/testify/require"
)

func TestMove(t *testing.T) {
	const taken = "Bad Gateway: Resource.b: Resource.b stands already where the rule moves another to: the rule needs lossy: true here"
	runAll(t, []apply{
		{name: "in its place", do: `move: {from: a, to: b}`, in: `{ "x":1, "a" : {"c":1.0}, "z":2}`, want: `{ "x":1, "b" : {"c":1.0}, "z":2}`},
		{name: "with what stands beside", do: `move: {from: a, to: b}`, in: `{"a":"x","_a":{"id":"y"}}`, want: `{"b":"x","_b":{"id":"y"}}`},
		{name: "in each object", do: `move: {from: name.#.a, to: name.#.b.c}`, in: `{"name":[{"a":1},{"d":2},{"a":3,"b":{"e":4}}]}`, want: `{"name":[{"b":{"c":1}},{"d":2},{"b":{"e":4,"c":3}}]}`},
		{name: "in each object without saying so", do: `move: {from: name.a, to: name.b}`, in: `{"name":[{"a":1},{"a":2}]}`, want: `{"name":[{"b":1},{"b":2}]}`},
		{name: "out of an object that it was alone in", do: `move: {from: a.b, to: c}`, in: `{"a":{"b":1}}`, want: `{"c":1}`},
		{name: "nothing there", do: `move: {from: a, to: b.c}`, in: `{"x":1}`, want: `{"x":1}`},
		{name: "both there", do: `move: {from: a, to: b}`, in: `{"a":1,"b":2}`, want: `{"a":1,"b":2}`},
		{name: "no way", do: `move: {from: a, to: b.c}`, in: `{"a":1,"b":"text"}`, want: `{"a":1,"b":"text"}`},
		{name: "there by itself", do: `move: {from: a, to: b}`, in: `{"b":2}`, refusal: taken},
		{name: "there by itself in a body", request: true, do: `move: {from: a, to: b}`, in: `{"b":2}`, want: `{"b":2}`},
		{name: "there by itself, and no way back", do: `move: {from: a, to: b, lossy: true}`, in: `{"b":2}`, want: `{"b":2}`},
	})
}

func TestCodeMap(t *testing.T) {
	const (
		codes   = `code.map: {path: gender, map: {M: male, F: female, u: unknown}, params: [gender]}`
		codings = `code.map: {path: maritalStatus.coding, from: {system: theirs}, to: {system: ours}, map: {A: a, B: b}}`
	)
	coding := func(rest string) string { return `{"maritalStatus":{"coding":[` + rest + `]}}` }
	runAll(t, []apply{
		{name: "a code", do: codes, in: `{"gender" : "M"}`, want: `{"gender" : "male"}`},
		{name: "none of the map", do: codes, in: `{"gender":"\u0058"}`, want: `{"gender":"\u0058"}`},
		{name: "no text", do: codes, in: `{"gender":1}`, want: `{"gender":1}`},
		{
			name: "the hospital's own", do: codes, in: `{"gender":"male"}`,
			want: `{"gender":"male","_gender":{"extension":[{"url":"urn:fhirgate:own","valueString":"male"}]}}`,
		},
		{
			name: "the hospital's own with extensions", do: codes, in: `{"gender":"male","_gender":{"id":"x","extension":[{"url":"y"}]}}`,
			want: `{"gender":"male","_gender":{"id":"x","extension":[{"url":"y"},{"url":"urn:fhirgate:own","valueString":"male"}]}}`,
		},
		{
			name: "the hospital's own with an id", do: codes, in: `{"gender":"male","_gender":{"id":"x"}}`,
			want: `{"gender":"male","_gender":{"id":"x","extension":[{"url":"urn:fhirgate:own","valueString":"male"}]}}`,
		},
		{name: "the hospital's own in a body", request: true, do: codes, in: `{"gender":"male"}`, want: `{"gender":"male"}`},
		{
			name: "the hospital's own with our mark", do: codes, in: `{"gender":"male","_gender":{"extension":[{"url":"urn:fhirgate:own"}]}}`,
			refusal: "Bad Gateway: Resource.gender: Resource.gender cannot be told from what the rule makes of others: the rule needs lossy: true here",
		},
		{
			name: "another with our mark", do: codes, in: `{"gender":"M","_gender":{"extension":[{"url":"urn:fhirgate:own"}]}}`,
			refusal: "Bad Gateway: Resource.gender: Resource.gender carries the extension urn:fhirgate:own, which belongs to the gateway",
		},
		{
			name: "the hospital's own in a list", do: `code.map: {path: a.#, map: {M: male}}`, in: `{"resourceType":"Patient","a":["M","male"]}`,
			refusal: "Bad Gateway: Patient.a[1]: Patient.a[1] cannot be told from what the rule makes of others: the rule needs lossy: true here",
		},
		{name: "a list", do: `code.map: {path: a.#, map: {M: male}}`, in: `{"a":["M","x"]}`, want: `{"a":["male","x"]}`},
		{name: "codes change places", do: `code.map: {path: a, map: {M: F, F: M}}`, in: `{"a":"M"}`, want: `{"a":"F"}`},
		{name: "several to one", do: `code.map: {path: a, map: {M: male, H: male}, lossy: true}`, in: `{"a":"H","b":"male"}`, want: `{"a":"male","b":"male"}`},
		{name: "the hospital's own, and no way back", do: `code.map: {path: a, map: {M: male}, lossy: true}`, in: `{"a":"male"}`, want: `{"a":"male"}`},
		{
			name: "none of the map fails", do: `code.map: {path: a, map: {M: male}, unmapped: fail}`, in: `{"a":"X"}`,
			refusal: "Bad Gateway: Resource.a: Resource.a holds a code that the rule's map lacks",
		},
		{
			name: "none of the map fails in a body", request: true, do: `code.map: {path: a, map: {M: male}, unmapped: fail}`, in: `{"a":"male"}`,
			refusal: "Unprocessable Entity: Resource.a: Resource.a holds a code that the rule's map lacks",
		},
		{
			name: "codings", do: codings, in: coding(`{"system":"theirs","code":"A","display":"d"},{"system":"x","code":"A"},{"system":"theirs","code":"C"}`),
			want: coding(`{"system":"ours","code":"a","display":"d"},{"system":"x","code":"A"},{"system":"theirs","code":"C"}`),
		},
		{
			name: "both codings", do: codings, in: coding(`{"system":"theirs","code":"A"},{"system":"ours","code":"a"},{"system":"ours","code":"x"}`),
			want: coding(`{"system":"ours","code":"a"},{"system":"ours","code":"a","_code":{"extension":[{"url":"urn:fhirgate:own","valueString":"a"}]}},{"system":"ours","code":"x"}`),
		},
		{name: "a coding without code", do: codings, in: coding(`{"system":"theirs"}`), want: coding(`{"system":"theirs"}`)},
		{
			name: "a coding none of the map", do: `code.map: {path: a, from: {system: theirs}, to: {system: ours}, map: {A: a}, unmapped: fail}`, in: `{"a":{"system":"theirs","code":"X"}}`,
			refusal: "Bad Gateway: Resource.a.code: Resource.a.code holds a code that the rule's map lacks",
		},
		{
			name: "a coding of the hospital's own passes", do: `code.map: {path: a, from: {system: theirs}, to: {system: ours}, map: {A: a}, unmapped: fail}`,
			in: `{"a":{"system":"ours","code":"X"}}`, want: `{"a":{"system":"ours","code":"X"}}`,
		},
	})
}

func TestIdentifierSystem(t *testing.T) {
	const do = `identifier.system: {where: {type.text: INTERNAL, use: usual}, system: {var: mrn}}`
	identifier := func(rest string) string {
		return `{"identifier":[{"use":"usual","type":{"text":"INTERNAL"}` + rest + `}]}`
	}
	runAll(t, []apply{
		{name: "none yet", do: do, in: identifier(`,"value":"7"`), want: identifier(`,"value":"7","system":"urn:oid:1.2"`)},
		{name: "another", do: do, in: identifier(`,"system":"x"`), want: identifier(`,"system":"x"`)},
		{name: "the condition does not hold", do: do, in: `{"identifier":[{"use":"usual","type":{"text":"EXTERNAL"}},{"type":{"text":"INTERNAL"}}]}`, want: `{"identifier":[{"use":"usual","type":{"text":"EXTERNAL"}},{"type":{"text":"INTERNAL"}}]}`},
		{
			name: "the hospital's own", do: do, in: identifier(`,"system":"urn:oid:1.2"`),
			want: identifier(`,"system":"urn:oid:1.2","_system":{"extension":[{"url":"urn:fhirgate:own","valueString":"urn:oid:1.2"}]}`),
		},
		{name: "the hospital's own in a body", request: true, do: do, in: identifier(`,"system":"urn:oid:1.2"`), want: identifier(`,"system":"urn:oid:1.2"`)},
		{
			name: "with our mark", do: do, in: identifier(`,"_system":{"extension":[{"url":"urn:fhirgate:own"}]}`),
			refusal: "Bad Gateway: Resource.identifier[0].system: Resource.identifier[0].system carries the extension urn:fhirgate:own, which belongs to the gateway",
		},
		{name: "another path", do: `identifier.system: {path: participant.actor.identifier, where: {use: usual}, system: a}`, in: `{"participant":[{"actor":{"identifier":{"use":"usual"}}}]}`, want: `{"participant":[{"actor":{"identifier":{"use":"usual","system":"a"}}}]}`},
	})
}

func TestPatientMerged(t *testing.T) {
	const (
		do   = `patient.merged: {}`
		link = `"active":false,"link":[{"type":"seealso"},{"type":"replaced-by"}]`
		tag  = `{"system":"urn:fhirgate:tag","code":"merged","display":"Merged into another patient"}`
	)
	runAll(t, []apply{
		{name: "without meta", do: do, in: `{` + link + `}`, want: `{` + link + `,"meta":{"tag":[` + tag + `]}}`},
		{name: "without tags", do: do, in: `{"meta":{"versionId":"1"},` + link + `}`, want: `{"meta":{"versionId":"1","tag":[` + tag + `]},` + link + `}`},
		{name: "with tags", do: do, in: `{"meta":{"tag":[{"code":"x"}]},` + link + `}`, want: `{"meta":{"tag":[{"code":"x"},` + tag + `]},` + link + `}`},
		{name: "with the tag", do: do, in: `{"meta":{"tag":[` + tag + `]},` + link + `}`, want: `{"meta":{"tag":[` + tag + `,` + tag + `]},` + link + `}`},
		{name: "with the tag alone", do: do, in: `{"meta":{"tag":[` + tag + `]}}`, want: `{"meta":{"tag":[` + tag + `,` + tag + `]}}`},
		{name: "active", do: do, in: `{"active":true,"link":[{"type":"replaced-by"}]}`, want: `{"active":true,"link":[{"type":"replaced-by"}]}`},
		{name: "not replaced", do: do, in: `{"active":false,"link":[{"type":"replaces"}]}`, want: `{"active":false,"link":[{"type":"replaces"}]}`},
		{name: "empty meta", do: do, in: `{"meta":{},` + link + `}`, want: `{"meta":{},` + link + `}`},
	})

	r := newResource(`{"active":true,"meta":{"tag":[`+tag+`]}}`, newCall(false))
	changed, err := operation(t, do).(Inverse).Undo(r)
	testify.Nil(t, err)
	testify.True(t, changed)
	testify.Equal(t, `{"active":true}`, r.text(), "the tag goes also when the caller made the patient active")
}

func TestWhatACallerChangedIsUndoneAsItStands(t *testing.T) {
	const own = `"_gender":{"extension":[{"url":"urn:fhirgate:own","valueString":"male"}]}`
	r := newResource(`{"gender":"female",`+own+`}`, newCall(false))
	_, err := operation(t, `code.map: {path: gender, map: {M: male, F: female}}`).(Inverse).Undo(r)
	testify.Nil(t, err)
	testify.Equal(t, `{"gender":"F"}`, r.text())
}

func TestParamsGoBack(t *testing.T) {
	const (
		codes   = `code.map: {path: gender, map: {M: male}, params: [gender]}`
		codings = `code.map: {path: a, from: {system: theirs}, to: {system: ours}, map: {M: male}, params: [status]}`
		mrn     = `identifier.system: {where: {type.text: MRN}, system: {var: mrn}}`
		mrnAs   = `identifier.system: {where: {type.text: MRN}, system: {var: mrn}, search_as: MRN}`
	)
	for _, c := range []struct {
		do, name, value, want string
		ok                    bool
	}{
		{codes, "gender", "male", "M", true},
		{codes, "gender", "http://hl7.org/fhir/administrative-gender|male", "M", true},
		{codes, "gender", "other", "other", true},
		{codes, "sex", "male", "male", false},
		{codings, "status", "ours|male", "theirs|M", true},
		{codings, "status", "male", "theirs|M", true},
		{codings, "status", "ours|", "theirs|", true},
		{codings, "status", "ours|x", "ours|x", true},
		{codings, "status", "x|male", "x|male", true},
		{codings, "status", "|male", "|male", true},
		{mrn, "identifier", "urn:oid:1.2|7", "7", true},
		{mrn, "identifier", "urn:oid:1.3|7", "urn:oid:1.3|7", true},
		{mrn, "identifier", "7", "7", true},
		{mrn, "identifier", "urn:oid:1.2|", "urn:oid:1.2|", true},
		{mrn, "name", "7", "7", false},
		{mrnAs, "identifier", "urn:oid:1.2|7", "MRN|7", true},
		{`move: {from: a, to: b}`, "b", "7", "7", false},
		{`patient.merged: {}`, "_tag", "urn:fhirgate:tag|merged", "urn:fhirgate:tag|merged", false},
	} {
		got, ok := operation(t, c.do).(Inverse).UndoParam(newCall(false), c.name, c.value)
		testify.Equal(t, c.want, got, "%s %s", c.name, c.value)
		testify.Equal(t, c.ok, ok, "%s %s", c.name, c.value)
	}
}

func TestPatchesGoBack(t *testing.T) {
	const (
		codes   = `code.map: {path: gender, map: {M: male}}`
		codings = `code.map: {path: maritalStatus.coding, from: {system: theirs}, to: {system: ours}, map: {A: a}}`
		mrn     = `identifier.system: {where: {use: usual}, system: a}`
		flat    = `move: {from: a, to: b}`
		deep    = `move: {from: name.#.a, to: name.#.b.c}`
		merged  = `patient.merged: {}`
	)
	for _, c := range []struct{ name, do, in, want string }{
		{"a code", codes, `{"op":"replace","path":"/gender","value":"male"}`, `{"op":"replace","path":"/gender","value":"M"}`},
		{"a test of a code", codes, `{"op":"test","path":"/gender","value":"male"}`, `{"op":"test","path":"/gender","value":"M"}`},
		{"the whole", codes, `{"op":"replace","path":"","value":{"gender":"male"}}`, `{"op":"replace","path":"","value":{"gender":"M"}}`},
		{"elsewhere", codes, `{"op":"replace","path":"/active","value":"male"}`, ``},
		{"removed", codes, `{"op":"remove","path":"/gender"}`, ``},
		{"below", codes, `{"op":"replace","path":"/gender/x","value":"male"}`, "the element gender, which the gateway translates for this hospital, can be patched only as a whole: or send the whole resource with PUT"},
		{"copied elsewhere", codes, `{"op":"copy","from":"/gender","path":"/x"}`, "the element gender, which the gateway translates for this hospital, can be patched only without move and copy: or send the whole resource with PUT"},
		{"no path", codes, `{"op":"remove"}`, "an operation of the JSON Patch has no JSON Pointer as path"},
		{"no pointer", codes, `{"op":"remove","path":"gender"}`, "an operation of the JSON Patch has no JSON Pointer as path"},
		{"no from", codes, `{"op":"move","path":"/a"}`, "an operation of the JSON Patch has no JSON Pointer as from"},
		{"a coding", codings, `{"op":"add","path":"/maritalStatus/coding/-","value":{"system":"ours","code":"a"}}`, `{"op":"add","path":"/maritalStatus/coding/-","value":{"system":"theirs","code":"A"}}`},
		{"codings", codings, `{"op":"add","path":"/maritalStatus","value":{"coding":[{"system":"ours","code":"a"}]}}`, `{"op":"add","path":"/maritalStatus","value":{"coding":[{"system":"theirs","code":"A"}]}}`},
		{"codings change places", codings, `{"op":"move","from":"/maritalStatus/coding/0","path":"/maritalStatus/coding/1"}`, ``},
		{"a code of a coding", codings, `{"op":"replace","path":"/maritalStatus/coding/0/code","value":"a"}`, "the element maritalStatus.coding, which the gateway translates for this hospital, can be patched only as a whole: or send the whole resource with PUT"},
		{"a display", codings, `{"op":"replace","path":"/maritalStatus/coding/0/display","value":"a"}`, ``},
		{"an identifier", mrn, `{"op":"add","path":"/identifier/0","value":{"use":"usual","system":"a"}}`, `{"op":"add","path":"/identifier/0","value":{"use":"usual"}}`},
		{"the value of one", mrn, `{"op":"replace","path":"/identifier/0/value","value":"7"}`, ``},
		{"its system", mrn, `{"op":"remove","path":"/identifier/0/system"}`, "the element identifier, which the gateway translates for this hospital, can be patched only as a whole: or send the whole resource with PUT"},
		{"moved", flat, `{"op":"replace","path":"/b","value":1}`, `{"op":"replace","path":"/a","value":1}`},
		{"moved with what is below", flat, `{"op":"remove","path":"/b/0/x~1y"}`, `{"op":"remove","path":"/a/0/x~1y"}`},
		{"moved, what stands beside", flat, `{"op":"remove","path":"/_b"}`, `{"op":"remove","path":"/_a"}`},
		{"moved, both pointers", flat, `{"op":"copy","from":"/b/x","path":"/b/y"}`, `{"op":"copy","from":"/a/x","path":"/a/y"}`},
		{"moved from", flat, `{"op":"add","path":"/a","value":1}`, "the element a, which the gateway translates for this hospital, can be patched only as b: or send the whole resource with PUT"},
		{"moved, the whole", flat, `{"op":"replace","path":"","value":{"b":1}}`, `{"op":"replace","path":"","value":{"a":1}}`},
		{"moved below an element", deep, `{"op":"replace","path":"/name/1/b/c","value":1}`, `{"op":"replace","path":"/name/1/a","value":1}`},
		{"the element", deep, `{"op":"add","path":"/name/-","value":{"b":{"c":1}}}`, `{"op":"add","path":"/name/-","value":{"a":1}}`},
		{"all elements", deep, `{"op":"add","path":"/name","value":[{"b":{"c":1}}]}`, `{"op":"add","path":"/name","value":[{"a":1}]}`},
		{"what it was moved into", deep, `{"op":"remove","path":"/name/0/b"}`, "the element name.#.b.c, which the gateway translates for this hospital, can be patched only by itself: or send the whole resource with PUT"},
		{"beside what it was moved into", deep, `{"op":"remove","path":"/name/0/b/d"}`, ``},
		{"elements change places", deep, `{"op":"move","from":"/name/0","path":"/name/1"}`, ``},
		{"an element is copied elsewhere", deep, `{"op":"copy","from":"/name/0","path":"/x"}`, "the element name.#.b.c, which the gateway translates for this hospital, can be patched only without moving or copying what holds it: or send the whole resource with PUT"},
		{"an element comes from elsewhere", deep, `{"op":"copy","from":"/x","path":"/name/0"}`, "the element name.#.b.c, which the gateway translates for this hospital, can be patched only without moving or copying what holds it: or send the whole resource with PUT"},
		{"moved, elsewhere", deep, `{"op":"add","path":"/x","value":{"b":{"c":1}}}`, ``},
		{"a meta", merged, `{"op":"replace","path":"/meta","value":{"tag":[{"code":"x"},{"system":"urn:fhirgate:tag","code":"merged"}]}}`, `{"op":"replace","path":"/meta","value":{"tag":[{"code":"x"}]}}`},
		{"a tag", merged, `{"op":"add","path":"/meta/tag/-","value":{"code":"x"}}`, ``},
		{"our tag", merged, `{"op":"add","path":"/meta/tag/-","value":{"system":"urn:fhirgate:tag","code":"merged"}}`, "the element meta.tag, which the gateway translates for this hospital, can be patched only with tags that are not the gateway's: or send the whole resource with PUT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newResource(c.in, newCall(false))
			changed, err := operation(t, c.do).(Inverse).UndoPatch(r)
			if c.want != "" && c.want[0] != '{' {
				testify.NotNil(t, err)
				testify.Equal(t, c.want, err.Text)
				testify.Equal(t, 422, err.Status)
				return
			}
			testify.Nil(t, err)
			want := c.want
			if want == "" {
				want = c.in
			}
			testify.Equal(t, want, r.text())
			testify.Equal(t, want != c.in, changed)
		})
	}
}
