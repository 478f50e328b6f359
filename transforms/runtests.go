package transforms

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
)

// Result is the outcome of one test of a vendor file.
type Result struct {
	File  string   // of the test
	Line  int      // where it stands
	Name  string   // what it is called there
	OK    bool     // whether the rules did what it wants
	Diff  string   // what was wanted and what came, a line each; empty when OK
	Rules []string // names of the rules that changed something or made a demand
}

// testFile is the form of a vendor's test file.
type testFile struct {
	Tests []testCase `yaml:"tests"`
}

// testCase is the form of one test: a request, and either what becomes of it
// or the error that refuses it.
type testCase struct {
	Name        testName          `yaml:"name"`
	Request     string            `yaml:"request"`      // METHOD path?query below the hospital's base
	Headers     map[string]string `yaml:"headers"`      // that the caller sends
	Hospital    string            `yaml:"hospital"`     // id of the route; default none
	TimeZone    string            `yaml:"time_zone"`    // of the hospital; default UTC
	Vars        map[string]string `yaml:"vars"`         // of the route
	Want        string            `yaml:"want"`         // METHOD path?query
	WantHeaders map[string]string `yaml:"want_headers"` // headers that the rules must have set
	WantNext    string            `yaml:"want_next"`    // METHOD path?query of the next part of a split search
	WantError   string            `yaml:"want_error"`   // status, blank, part of the text
	Answer      string            `yaml:"answer"`       // of an alternate route
	WantAnswer  string            `yaml:"want_answer"`  // the Bundle that the answer becomes; blanks between values do not count
}

// testName is a name that knows its line.
type testName struct {
	text string
	line int
}

// UnmarshalYAML reads the name.
func (n *testName) UnmarshalYAML(node *yaml.Node) error {
	n.line = node.Line
	return node.Decode(&n.text)
}

// RunTests runs the tests in dir of fsys: those of oracle.yaml stand in
// oracle_test.yaml. A test that fails is a Result; the error is a
// strict.Problems with all mistakes of all files, vendor files included, and
// then nothing was run.
func RunTests(fsys fs.FS, dir string) ([]Result, error) {
	vendors, err := Load(fsys, dir)
	if err != nil {
		return nil, err
	}
	var results []Result
	problems := strict.Each(fsys, dir, "*"+testSuffix, func(name string, data []byte) strict.Problems {
		tested := strings.TrimSuffix(path.Base(name), testSuffix)
		vendor, ok := vendors[tested]
		if !ok {
			return strict.Problems{{File: name, Text: "there is no " + tested + ".yaml beside it to test"}}
		}
		found, problems := runFile(vendor, name, data)
		results = append(results, found...)
		return problems
	})
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return results, nil
}

func runFile(vendor *Vendor, name string, data []byte) ([]Result, strict.Problems) {
	var f testFile
	doc := strict.Decode(name, data, &f)
	if len(doc.Problems()) == 0 && len(f.Tests) == 0 {
		doc.Fail("tests", "holds no test")
	}
	var results []Result
	for i := range f.Tests {
		if t, ok := f.Tests[i].prepare(doc, "tests."+strconv.Itoa(i)); ok {
			results = append(results, t.run(vendor, name))
		}
	}
	return results, doc.Problems()
}

// test is a testCase that can run.
type test struct {
	*testCase
	call                Call
	req                 fhir.Request
	method, path, query string
}

// prepare tells what is wrong with a test; ok says that it can run.
func (c *testCase) prepare(doc *strict.Document, place string) (t test, ok bool) {
	before := len(doc.Problems())
	t.testCase = c
	if c.Name.text == "" {
		doc.Fail(place+".name", "is missing")
	}
	if (c.Want == "") == (c.WantError == "") {
		doc.Fail(place, "needs either want or want_error")
	}
	if c.WantError != "" && len(c.WantHeaders) > 0 {
		doc.Fail(place+".want_headers", "does not go with want_error: nothing is sent")
	}
	if c.WantError != "" && c.WantNext+c.Answer != "" {
		doc.Fail(place, "has want_next or answer beside want_error: nothing is sent")
	}
	if (c.Answer == "") != (c.WantAnswer == "") {
		doc.Fail(place, "needs answer and want_answer together")
	}
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil || c.TimeZone == "Local" {
		doc.Fail(place+".time_zone", "is not an IANA time zone such as America/Chicago")
	}
	method, target, _ := strings.Cut(c.Request, " ")
	t.method = method
	t.path, t.query, _ = strings.Cut(target, "?")
	req, err := fhir.Parse(t.method, t.path, nil, t.query)
	if err != nil {
		doc.Fail(place+".request", "must be METHOD path?query as in GET Appointment?date=2026-11-22: %s", err)
	}
	t.req = req
	t.call = Call{
		Hospital: c.Hospital, Type: req.Type, Interaction: req.Interaction, Compartment: req.Compartment != "", Form: req.FormSearch,
		Header: make(http.Header), Vars: c.Vars, Zone: zone,
	}
	for name, value := range c.Headers {
		t.call.Header.Set(name, value)
	}
	if req.Conditional {
		t.call.Interaction = req.Interaction.Conditional()
	}
	return t, len(doc.Problems()) == before
}

func (t *test) run(vendor *Vendor, file string) Result {
	header := make(http.Header)
	out, err := vendor.Apply(t.call, t.query, header)
	var diff []string
	differ := func(what, want, got string) {
		diff = append(diff, "want"+what+": "+want, " got"+what+": "+got)
	}
	if got := t.outcome(out, err); t.Want != "" && got != t.Want {
		differ("", t.Want, got)
	} else if t.WantError != "" && !refusedAs(err, t.WantError) {
		differ("", t.WantError, got)
	}
	for _, name := range slices.Sorted(maps.Keys(t.WantHeaders)) {
		if got := header.Get(name); got != t.WantHeaders[name] {
			differ(" "+name, t.WantHeaders[name], got)
		}
	}
	if t.WantNext != "" {
		if got := t.next(vendor, out); got != t.WantNext {
			differ(" next", t.WantNext, got)
		}
	}
	if t.Answer != "" {
		if want, got := compact(t.WantAnswer), t.mapped(out); got != want {
			differ(" answer", want, got)
		}
	}
	return Result{File: file, Line: t.Name.line, Name: t.Name.text, OK: len(diff) == 0, Diff: strings.Join(diff, "\n"), Rules: out.Applied}
}

// outcome returns what became of a request as a test writes it.
func (t *test) outcome(out Outgoing, err error) string {
	var refusal *fhir.Error
	if errors.As(err, &refusal) {
		return strconv.Itoa(refusal.Status) + " " + refusal.Text
	}
	method, path := t.method, t.path
	switch {
	case out.Alternate != nil:
		return http.MethodGet + " " + out.Alternate.URL
	case out.Form && !t.req.FormSearch:
		method, path = http.MethodPost, strings.TrimPrefix(t.path+"/_search", "/")
	case t.req.FormSearch && !out.Form:
		method, path = http.MethodGet, strings.TrimSuffix(strings.TrimSuffix(t.path, "_search"), "/")
	}
	if out.Query != "" {
		path += "?" + out.Query
	}
	return method + " " + path
}

// next returns what is asked for after the last page of out.
func (t *test) next(vendor *Vendor, out Outgoing) string {
	if out.Rest == nil {
		return "nothing"
	}
	return t.outcome(vendor.Resume(t.call, out.Rest))
}

// mapped returns what becomes of the test's answer.
func (t *test) mapped(out Outgoing) string {
	if out.Alternate == nil {
		return "the call takes no alternate route"
	}
	bundle, err := out.Alternate.Map([]byte(t.Answer))
	if err != nil {
		return err.Error()
	}
	return compact(string(bundle))
}

// compact returns JSON without blanks between its values; what is no JSON
// stays as it is.
func compact(text string) string {
	var out bytes.Buffer
	if json.Compact(&out, []byte(text)) != nil {
		return strings.TrimSpace(text)
	}
	return out.String()
}

// refusedAs reports whether err has the status of want and a text that holds
// the rest of it.
func refusedAs(err error, want string) bool {
	status, text, _ := strings.Cut(want, " ")
	var refusal *fhir.Error
	return errors.As(err, &refusal) && strconv.Itoa(refusal.Status) == status && strings.Contains(refusal.Text, text)
}
