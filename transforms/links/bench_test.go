package links

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
)

const (
	hospital = "https://ehr.st-mary.example/r4/9f2c"
	gateway  = "https://fhir.pacs.example/fhir/st-mary"
)

// toGateway is the map of an answer.
func toGateway() *Map {
	return &Map{Prefixes: []Prefix{{hospital, gateway}}, Base: gateway}
}

// toHospital is the map of a request.
func toHospital() *Map {
	return &Map{Prefixes: []Prefix{{gateway, hospital}}}
}

// patient is a synthetic Patient of about size bytes.
func patient(id string, size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"resourceType":"Patient","id":"%s","meta":{"versionId":"3","lastUpdated":"2026-11-22T06:15:00.000-06:00","source":"%s/Patient/%[1]s","profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]},`, id, hospital)
	b.WriteString(`"extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-race","extension":[{"url":"ombCategory","valueCoding":{"system":"urn:oid:2.16.840.1.113883.6.238","code":"2106-3","display":"White"}},{"url":"text","valueString":"White"}]}],`)
	fmt.Fprintf(&b, `"photo":[{"contentType":"image/jpeg","url":"Binary/p%s"}],"managingOrganization":{"reference":"%s/Organization/o1","display":"St. Mary's Hospital"},"generalPractitioner":[{"reference":"Practitioner/d%[1]s","type":"Practitioner","display":"Dr. Alder"}],`, id, hospital)
	b.WriteString(`"active":true,"name":[{"use":"official","family":"Birch","given":["Robin","Lee"],"period":{"start":"2001-02-03"}}],"gender":"female","birthDate":"1980-01-01","deceasedBoolean":false,"multipleBirthInteger":1,"address":[{"use":"home","line":["12 Elm Row","Apt 4"],"city":"Springfield","state":"IL","postalCode":"62701","country":"US"}],"identifier":[`)
	for n := 0; b.Len() < size-200; n++ {
		if n > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"use":"usual","type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}],"text":"MRN"},"system":"urn:oid:2.16.840.1.113883.3.9621.%d","value":"%07d"}`, n, n*37)
	}
	b.WriteString(`],"telecom":[{"system":"phone","value":"555-0100","use":"home","rank":1}]}`)
	return b.String()
}

// searchset is a synthetic searchset of entries with resources of about each bytes.
func searchset(entries, each int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"resourceType":"Bundle","id":"b1","type":"searchset","total":%d,"link":[{"relation":"self","url":"%s/Patient?_count=20"},{"relation":"next","url":"%[2]s?_getpages=77"}],"entry":[`, entries, hospital)
	for n := range entries {
		if n > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"fullUrl":"%s/Patient/e%d","resource":%s,"search":{"mode":"match","score":1.0}}`, hospital, n, patient(fmt.Sprint("e", n), each))
	}
	b.WriteString(`]}`)
	return b.String()
}

// indented is the text as a server that prints prettily would send it.
func indented(text string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "", "  "); err != nil {
		panic(err)
	}
	return b.String()
}

var bodies = []struct{ name, text string }{
	{"patient-3K", patient("e1", 3000)},
	{"patient-3K-pretty", indented(patient("e1", 3000))},
	{"searchset-23K", searchset(20, 1000)},
	{"searchset-23K-pretty", indented(searchset(20, 1000))},
	{"searchset-1M", searchset(900, 1000)},
	{"binary-1M", `{"resourceType":"Binary","contentType":"application/pdf","data":"` + strings.Repeat("QUJDRA==", 1<<17) + `"}`},
	{"narrative-64K", `{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">` + strings.Repeat(`<tr><td>Identifier</td><td class=\"a\">the child has 9150</td></tr>`, 1000) + `</div>"}}`},
}

func BenchmarkRewrite(b *testing.B) {
	for _, body := range bodies {
		b.Run(body.name, func(b *testing.B) {
			src, m := []byte(body.text), toGateway()
			var dst []byte
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if dst, err = Rewrite(dst[:0], src, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWriter feeds pieces of 32 KiB, as a copy loop does.
func BenchmarkWriter(b *testing.B) {
	for _, body := range bodies {
		b.Run(body.name, func(b *testing.B) {
			src, m := []byte(body.text), toGateway()
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				w := NewWriter(io.Discard, m)
				for at := 0; at < len(src); at += 32 << 10 {
					if _, err := w.Write(src[at:min(at+32<<10, len(src))]); err != nil {
						b.Fatal(err)
					}
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCopy is the floor: the bytes moved, nothing read.
func BenchmarkCopy(b *testing.B) {
	for _, body := range bodies {
		b.Run(body.name, func(b *testing.B) {
			src := []byte(body.text)
			dst := make([]byte, len(src))
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				copy(dst, src)
			}
		})
	}
}

// BenchmarkValid is what the standard library takes to check the same bytes.
func BenchmarkValid(b *testing.B) {
	for _, body := range bodies {
		b.Run(body.name, func(b *testing.B) {
			src := []byte(body.text)
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				if !json.Valid(src) {
					b.Fatal("invalid")
				}
			}
		})
	}
}

// BenchmarkDecode is the plain way: decode, edit, encode.
func BenchmarkDecode(b *testing.B) {
	for _, body := range bodies {
		b.Run(body.name, func(b *testing.B) {
			src := []byte(body.text)
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				decoder := json.NewDecoder(bytes.NewReader(src))
				decoder.UseNumber()
				var tree map[string]any
				if err := decoder.Decode(&tree); err != nil {
					b.Fatal(err)
				}
				edit(tree)
				if _, err := json.Marshal(tree); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// edit moves the locators of a decoded tree, roughly as the machine does.
func edit(node any) {
	switch node := node.(type) {
	case map[string]any:
		for name, value := range node {
			switch text, ok := value.(string); {
			case !ok:
				edit(value)
			case name == "reference" || name == "fullUrl" || name == "url":
				if rest, found := strings.CutPrefix(text, hospital); found {
					node[name] = gateway + rest
				}
			case name == "div":
				node[name] = strings.ReplaceAll(text, hospital, gateway)
			}
		}
	case []any:
		for _, value := range node {
			edit(value)
		}
	}
}
