package transforms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/itchyny/gojq"
	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
	"fhirgate/transforms/links"
)

const (
	benchHospital = "https://ehr.st-mary.example/api/FHIR/R4"
	benchGateway  = "https://fhir.pacs.example/fhir/st-mary"
)

// benchPatient is a synthetic Patient as Epic makes them: about 1.1 KB, its
// numbers padded, references absolute and relative.
func benchPatient(n int) string {
	return fmt.Sprintf(`{"resourceType":"Patient","id":"e%07d","extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex","valueCode":"F"}],`+
		`"identifier":[{"use":"usual","type":{"text":"EPI"},"system":"urn:oid:1.2.840.114350.1.13.999.2.7.5.737384.14","value":"%07d"},{"use":"usual","type":{"text":"INTERNAL"},"system":"urn:oid:1.2.840.114350.1.13.999.2.7.2.698084","value":"     Z%04d"}],`+
		`"active":true,"name":[{"use":"official","text":"Robin Birch","family":"Birch","given":["Robin"]},{"use":"usual","text":"Robin Birch","family":"Birch","given":["Robin"]}],`+
		`"telecom":[{"system":"phone","value":"555-0100","use":"home"}],"gender":"female","birthDate":"1980-01-01","deceasedBoolean":false,"multipleBirthInteger":1,`+
		`"address":[{"use":"home","line":["12 Elm Row"],"city":"Springfield","state":"IL","postalCode":"62701","country":"US","period":{"start":"2019-03-01"}}],`+
		`"maritalStatus":{"text":"Married"},"managingOrganization":{"reference":"%[4]s/Organization/o1","display":"St. Mary's"},`+
		`"generalPractitioner":[{"reference":"Practitioner/d%03d","type":"Practitioner","display":"Dr. Alder"}],"photo":[{"contentType":"image/png","url":"%[4]s/Binary/p%[1]d"}]}`,
		n, n, n%10000, benchHospital, n%500)
}

// benchSearchset is a searchset of about size bytes.
func benchSearchset(size int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"resourceType":"Bundle","type":"searchset","total":50,"link":[{"relation":"next","url":"%s/Patient?sessionID=9-ABC"},{"relation":"self","url":"%[1]s/Patient?name=birch"}],"entry":[`, benchHospital)
	for n := 0; b.Len() < size-800; n++ {
		fmt.Fprintf(&b, `{"link":[{"relation":"self","url":"%s/Patient/e%07d"}],"fullUrl":"%[1]s/Patient/e%07[2]d","resource":%[3]s,"search":{"mode":"match"}},`, benchHospital, n, benchPatient(n))
	}
	b.WriteString(`{"fullUrl":"urn:uuid:00000000-0000-0000-0000-000000000001","resource":{"resourceType":"OperationOutcome","issue":[` +
		`{"severity":"warning","code":"processing","details":{"coding":[{"system":"urn:oid:1.2.840.114350.1.13.999.1.7.2.657369","code":"4101"}]}},` +
		`{"severity":"fatal","code":"processing","details":{"coding":[{"system":"urn:oid:1.2.840.114350.1.13.999.1.7.2.657369","code":"59204"}]}},` +
		`{"severity":"warning","code":"processing","details":{"coding":[{"system":"urn:oid:1.2.840.114350.1.13.999.1.7.2.657369","code":"4118"}]}}]},"search":{"mode":"outcome"}}]}`)
	return b.Bytes()
}

// benchLines is NDJSON of about size bytes.
func benchLines(size int) []byte {
	var b bytes.Buffer
	b.Grow(size + 4096)
	for n := 0; b.Len() < size; n++ {
		b.WriteString(benchPatient(n))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// way is one way to move the locators of text, or to apply Epic's pack as well,
// that passes what comes out to w.
type way struct {
	name string
	do   func(w io.Writer, text []byte, lines bool) error
}

func linkMap() *links.Map {
	return &links.Map{Prefixes: []links.Prefix{{From: benchHospital, To: benchGateway}}, Base: benchGateway}
}

func rewrite(w io.Writer, text []byte, m *links.Map) error {
	out := links.NewWriter(w, m)
	for piece := range slices.Chunk(text, 64<<10) {
		if _, err := out.Write(piece); err != nil {
			return err
		}
	}
	return out.Close()
}

func benchWays(tb testing.TB) []way {
	vendors, err := Load(Shipped, ".")
	require.NoError(tb, err)
	epic := vendors["epic"]
	query, err := gojq.Parse(epicInJQ)
	require.NoError(tb, err)
	program, err := gojq.Compile(query)
	require.NoError(tb, err)
	return []way{
		{"a-links", func(w io.Writer, text []byte, lines bool) error {
			m := linkMap()
			m.Lines = lines
			return rewrite(w, text, m)
		}},
		{"b-epic-pack", func(w io.Writer, text []byte, lines bool) error {
			call := Call{Hospital: "st-mary", Type: "Patient", Interaction: fhir.SearchType}
			answer := epic.Answer(call, "name=birch", 200, benchGateway, time.Now())
			defer answer.Release()
			m := linkMap()
			m.Lines, m.Edit = lines, answer.Edit()
			return rewrite(w, text, m)
		}},
		{"c-encoding-json", func(w io.Writer, text []byte, lines bool) error {
			return eachValue(text, lines, func(text []byte) error {
				decoder := json.NewDecoder(bytes.NewReader(text))
				decoder.UseNumber()
				var tree map[string]any
				if err := decoder.Decode(&tree); err != nil {
					return err
				}
				epicByHand(tree)
				out, err := json.Marshal(tree)
				if err != nil {
					return err
				}
				_, err = w.Write(out)
				return err
			})
		}},
		{"d-gojq", func(w io.Writer, text []byte, lines bool) error {
			return eachValue(text, lines, func(text []byte) error {
				var tree any
				if err := json.Unmarshal(text, &tree); err != nil {
					return err
				}
				result, _ := program.Run(tree).Next()
				if err, failed := result.(error); failed {
					return err
				}
				out, err := gojq.Marshal(result)
				if err != nil {
					return err
				}
				_, err = w.Write(out)
				return err
			})
		}},
		{"e-copy", func(w io.Writer, text []byte, _ bool) error {
			for piece := range slices.Chunk(text, 64<<10) {
				if _, err := w.Write(piece); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

func eachValue(text []byte, lines bool, do func([]byte) error) error {
	if !lines {
		return do(text)
	}
	for line := range bytes.Lines(text) {
		if err := do(line); err != nil {
			return err
		}
	}
	return nil
}

// epicByHand makes the edits of links and of Epic's pack on a decoded tree.
func epicByHand(node any) {
	switch node := node.(type) {
	case []any:
		for _, value := range node {
			epicByHand(value)
		}
	case map[string]any:
		for name, value := range node {
			if text, ok := value.(string); !ok {
				epicByHand(value)
			} else if name == "reference" || name == "fullUrl" || name == "url" {
				if rest, found := strings.CutPrefix(text, benchHospital); found {
					node[name] = benchGateway + rest
				}
			}
		}
		switch node["resourceType"] {
		case "Bundle":
			delete(node, "total")
		case "Patient", "Practitioner":
			identifiers, _ := node["identifier"].([]any)
			for _, identifier := range identifiers {
				identifier := identifier.(map[string]any)
				if value, ok := identifier["value"].(string); ok {
					identifier["value"] = strings.TrimSpace(value)
				}
			}
		case "OperationOutcome":
			node["issue"] = slices.DeleteFunc(node["issue"].([]any), func(issue any) bool { return epicCode(issue) == "4101" })
			for _, issue := range node["issue"].([]any) {
				switch issue := issue.(map[string]any); epicCode(issue) {
				case "59204":
					issue["severity"] = "warning"
				case "4118":
					issue["code"] = "forbidden"
				}
			}
		}
	}
}

func epicCode(issue any) any {
	details := issue.(map[string]any)["details"].(map[string]any)
	return details["coding"].([]any)[0].(map[string]any)["code"]
}

// epicInJQ makes the same edits.
const epicInJQ = `
def move: if type == "string" and startswith("` + benchHospital + `") then "` + benchGateway + `" + .[` + "39" + `:] else . end;
def moved: if type == "object" then
    with_entries(if .key == "reference" or .key == "fullUrl" or .key == "url" then .value |= (move | moved) else .value |= moved end)
  elif type == "array" then map(moved) else . end;
def code: .details.coding[0].code;
def rules: if .resourceType == "Patient" and .identifier then .identifier |= map(.value |= (sub("^ +"; "") | sub(" +$"; "")))
  elif .resourceType == "OperationOutcome" then .issue |= map(select(code != "4101") | if code == "59204" then .severity = "warning" elif code == "4118" then .code = "forbidden" else . end)
  else . end;
moved | if .resourceType == "Bundle" then del(.total) | .entry |= map(.resource |= rules) else rules end`

// TestTheBenchmarksWaysAgree makes the comparison fair: all do the same.
func TestTheBenchmarksWaysAgree(t *testing.T) {
	require.Len(t, benchHospital, 39)
	for _, lines := range []bool{false, true} {
		text := benchSearchset(8 << 10)
		if lines {
			text = benchLines(8 << 10)
		}
		var want []any
		for _, way := range benchWays(t)[1:4] {
			var out bytes.Buffer
			require.NoError(t, way.do(&out, text, lines))
			var got []any
			for decoder := json.NewDecoder(&out); decoder.More(); {
				var value any
				require.NoError(t, decoder.Decode(&value))
				got = append(got, value)
			}
			if want == nil {
				want = got
				require.NotContains(t, fmt.Sprint(got), "     Z")
				require.NotContains(t, fmt.Sprint(got), "4101")
			}
			require.Equal(t, want, got, way.name)
		}
	}
}

// BenchmarkPacks compares, on one core, moving locators alone, with all of Epic's
// pack, the same by encoding/json and by gojq, and a plain copy.
func BenchmarkPacks(b *testing.B) {
	for _, body := range []struct {
		name  string
		lines bool
		text  []byte
	}{
		{"searchset-23K", false, benchSearchset(23 << 10)},
		{"searchset-1M", false, benchSearchset(1 << 20)},
		{"ndjson-100M", true, benchLines(100 << 20)},
	} {
		for _, way := range benchWays(b) {
			b.Run(body.name+"/"+way.name, func(b *testing.B) {
				b.SetBytes(int64(len(body.text)))
				b.ReportAllocs()
				var sink discard
				for b.Loop() {
					if err := way.do(&sink, body.text, body.lines); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// discard copies what it is given, as a connection would, and forgets it.
type discard struct{ buf [64 << 10]byte }

func (d *discard) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		rest = rest[copy(d.buf[:], rest):]
	}
	return len(p), nil
}
