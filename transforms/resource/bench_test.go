package resource

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	testify "github.com/stretchr/testify/require"

	"fhirgate/transforms/tree"
)

var typical = []string{
	`identifier.system: {where: {type.text: INTERNAL}, system: {var: mrn}}`,
	`trim: {path: identifier.value}`,
	`dropIf: {path: deceasedDateTime, is: [1899-12-30]}`,
	`name.currentFirst: {path: name}`,
	`code.map: {path: gender, map: {M: male, F: female}, params: [gender]}`,
}

// patient is a Patient of about 1 KB, and 1 KB more for each address.
func patient(addresses int) string {
	var b strings.Builder
	b.WriteString(`{"resourceType":"Patient","id":"e1","identifier":[{"use":"usual","type":{"text":"INTERNAL"},"value":"     Z6130"},` +
		`{"use":"usual","type":{"text":"EXTERNAL"},"system":"urn:oid:1.3","value":"Z6130"},{"use":"official","type":{"text":"MRN"},"system":"urn:oid:1.4","value":"20477"}],` +
		`"active":true,"name":[{"use":"old","text":"Jane Roe","family":"Roe","given":["Jane"]},{"use":"usual","text":"Jane Doe","family":"Doe","given":["Jane","Q."]}],` +
		`"telecom":[{"system":"phone","value":"555-0100","use":"home"},{"system":"email","value":"jane@example.org"}],"gender":"F","birthDate":"1970-01-31","deceasedDateTime":"1899-12-30",` +
		`"maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M","display":"Married"}],"text":"Married"},"address":[`)
	for i := range addresses {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"use":"old","line":["%d Main St","%s"],"city":"Springfield","state":"IL","postalCode":"62701","country":"US","period":{"start":"2001-01-%02d"}}`, i, strings.Repeat("Floor ", 140), i%28+1)
	}
	b.WriteString(`{"use":"home","city":"Springfield","state":"IL"}],"generalPractitioner":[{"reference":"Practitioner/p1","display":"Dr. Poe"}]}`)
	return strings.Replace(b.String(), `}{"use":"home"`, `},{"use":"home"`, 1)
}

func operations(t testing.TB) []Operation {
	var out []Operation
	for _, do := range typical {
		out = append(out, operation(t, do))
	}
	return out
}

// byTree does the edits as the gateway does.
func byTree(operations []Operation, r *Resource, text, dst []byte) ([]byte, error) {
	r.Doc.Reset(text)
	r.Node = r.Doc.Root()
	for _, o := range operations {
		if _, err := o.Apply(r); err != nil {
			return nil, err
		}
	}
	return r.Doc.AppendTo(dst), nil
}

// byMap does the same edits with encoding/json.
func byMap(text []byte) ([]byte, error) {
	var p map[string]any
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, err
	}
	identifiers, _ := p["identifier"].([]any)
	for _, i := range identifiers {
		identifier, _ := i.(map[string]any)
		kind, _ := identifier["type"].(map[string]any)
		if _, there := identifier["system"]; kind["text"] == "INTERNAL" && !there {
			identifier["system"] = "urn:oid:1.2"
		}
		if value, ok := identifier["value"].(string); ok {
			identifier["value"] = strings.TrimSpace(value)
		}
	}
	if p["deceasedDateTime"] == "1899-12-30" {
		delete(p, "deceasedDateTime")
	}
	if names, ok := p["name"].([]any); ok {
		isOld := func(n any) int {
			if name, _ := n.(map[string]any); name["use"] == "old" {
				return 1
			}
			return 0
		}
		slices.SortStableFunc(names, func(a, b any) int { return isOld(a) - isOld(b) })
	}
	if ours, ok := map[string]string{"M": "male", "F": "female"}[p["gender"].(string)]; ok {
		p["gender"] = ours
	}
	return json.Marshal(p)
}

func TestTheBenchmarkComparesTheSameEdits(t *testing.T) {
	for _, addresses := range []int{0, 23} {
		text := []byte(patient(addresses))
		ours, err := byTree(operations(t), newResource("{}", newCall(true)), text, nil)
		testify.NoError(t, err)
		theirs, err := byMap(text)
		testify.NoError(t, err)
		testify.NotEqual(t, string(text), string(ours))
		testify.JSONEq(t, string(theirs), string(ours))
	}
}

func TestNothingIsAllocatedWhereNothingIsToDo(t *testing.T) {
	var all []Operation
	for _, do := range slices.Concat(typical, reversible, irreversible, []string{`drop: ['name.#(use=="nickname")#']`}) {
		if !strings.HasPrefix(do, "set") && !strings.HasPrefix(do, "default") {
			all = append(all, operation(t, do))
		}
	}
	text := []byte(`{"resourceType":"Patient","active":true,"name":[{"use":"usual"},{"use":"old"}],"gender":"other","telecom":[{"value":"1"}]}`)
	r := newResource("{}", newCall(true))
	dst := make([]byte, 0, 4096)
	for _, o := range all {
		one := []Operation{o}
		testify.Zero(t, testing.AllocsPerRun(100, func() {
			if out, err := byTree(one, r, text, dst); err != nil || len(out) != len(text) {
				t.Fail()
			}
		}), "%T", o)
	}
}

func BenchmarkTypical(b *testing.B) {
	for _, addresses := range []int{0, 23} {
		text := []byte(patient(addresses))
		size := fmt.Sprintf("%dKB", (len(text)+512)/1024)
		b.Run("tree/"+size, func(b *testing.B) {
			operations := operations(b)
			r := &Resource{Doc: new(tree.Doc), Call: newCall(true)}
			var dst []byte
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if dst, err = byTree(operations, r, text, dst[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("map/"+size, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := byMap(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
