package transforms

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/resource"
)

// Result is the outcome of one test of a vendor file.
type Result struct {
	File  string        // of the test
	Line  int           // where it stands
	Name  string        // what it is called there
	OK    bool          // whether the rules did what it wants
	Diff  string        // the mismatches in short; empty when OK
	Rules []string      // names of the rules that changed something or made a demand
	Took  time.Duration // how long it ran

	Mismatches []Mismatch // what came otherwise than wanted; empty when OK
}

// RunTests runs the tests in dir of fsys: those of oracle.yaml stand in
// oracle_test.yaml. A test that fails is a Result; the error is a
// strict.Problems with all mistakes of all files, vendor files included, and
// then nothing was run.
//
// Beside what a test wants, every resource of an answer with a status of
// success is sent back unchanged, as an update: the inverses of the rules must
// make of it what the hospital had, unless a lossy rule refuses the update.
func RunTests(fsys fs.FS, dir string) ([]Result, error) {
	vendors, err := Load(fsys, dir)
	if err != nil {
		return nil, err
	}
	tested := make(map[string]Tested, len(vendors))
	for name, vendor := range vendors {
		tested[name] = Tested{Vendor: vendor}
	}
	return RunTestsOf(fsys, dir, tested)
}

// Tested is what the tests of a file are about: a vendor's rules, or those of a
// hospital with its own among them.
type Tested struct {
	Vendor   *Vendor
	Hospital string            // id of the route that tests are for unless they name one
	Vars     map[string]string // of the route, for tests that have none
	Zone     *time.Location    // likewise; nil = UTC
}

// RunTestsOf is RunTests for files whose rules were read already: tested has
// them by the name of the file without ".yaml".
func RunTestsOf(fsys fs.FS, dir string, tested map[string]Tested) ([]Result, error) {
	var results []Result
	problems := strict.Each(fsys, dir, "*"+testSuffix, func(name string, data []byte) strict.Problems {
		of := strings.TrimSuffix(path.Base(name), testSuffix)
		what, ok := tested[of]
		if !ok {
			return strict.Problems{{File: name, Text: "there is no " + of + ".yaml beside it to test"}}
		}
		found, problems := runFile(fsys, what, name, data)
		results = append(results, found...)
		return problems
	})
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return results, nil
}

func runFile(fsys fs.FS, tested Tested, name string, data []byte) ([]Result, strict.Problems) {
	var f testFile
	doc := strict.Decode(name, data, &f)
	if len(doc.Problems()) == 0 && len(f.Tests) == 0 {
		doc.Fail("tests", "holds no test")
	}
	loader := testLoader{fsys: fsys, dir: path.Dir(name), doc: doc, tested: tested}
	var results []Result
	for i := range f.Tests {
		if t, ok := loader.prepare(&f.Tests[i], "tests."+strconv.Itoa(i)); ok {
			result := t.run()
			result.File = name
			results = append(results, result)
		}
	}
	return results, doc.Problems()
}

// testRun is a test while it runs.
type testRun struct {
	*test
	header     http.Header // to the hospital
	out        Outgoing
	rules      []string
	mismatches []Mismatch
}

func (t *test) run() Result {
	began := time.Now()
	r := testRun{test: t, header: make(http.Header)}
	for _, name := range passedOn {
		if values := t.call.Header.Values(name); len(values) > 0 {
			r.header[name] = values
		}
	}
	err := r.request()
	switch {
	case err != nil && (t.WantError == "" || t.answered):
		want := t.Want
		if want == "" {
			want = "no error"
		}
		r.differ("", want, refusalText(err))
	case err == nil && t.answered:
		r.present()
	case t.WantError != "" && !refusedAs(err, t.WantError):
		r.differ("", t.WantError, r.outcome(r.out, err))
	}
	result := Result{Line: t.Name.line, Name: t.Name.text, OK: len(r.mismatches) == 0, Rules: r.rules, Mismatches: r.mismatches}
	result.Diff = joined(r.mismatches)
	result.Took = time.Since(began)
	return result
}

// reached notes rules that did something.
func (r *testRun) reached(names ...string) {
	for _, name := range names {
		if !slices.Contains(r.rules, name) {
			r.rules = append(r.rules, name)
		}
	}
}

// request takes the request to the hospital.
func (r *testRun) request() error {
	out, err := r.vendor.Apply(r.call, r.query, r.header)
	r.out = out
	r.reached(out.Applied...)
	if err != nil {
		return err
	}
	if err := r.sendBody(); err != nil {
		return err
	}
	if got := r.outcome(out, nil); r.Want != "" && got != r.Want {
		r.differ("", r.Want, got)
	}
	if r.WantNext != "" {
		if got := r.next(); got != r.WantNext {
			r.differ(" next", r.WantNext, got)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.WantHeaders)) {
		if got := r.header.Get(name); got != r.WantHeaders[name] {
			r.differ(" "+name, r.WantHeaders[name], got)
		}
	}
	return nil
}

// sendBody takes the body to the hospital. An update without one is refused all
// the same when it would destroy something.
func (r *testRun) sendBody() error {
	body := r.body
	if body == nil {
		body = []byte("{}")
	}
	changed, applied, err := r.vendor.Inward(r.call, resource.Call{
		Now: r.now, Bases: []string{testBase}, Header: r.header, SetHeader: r.header.Set, Context: context.Background(), Fetch: r.fetch,
	}, body)
	if err != nil || r.body != nil {
		r.reached(applied...)
	}
	if err == nil && r.wantBody.given {
		r.compare(" body", r.wantBody, r.body, changed)
	}
	return err
}

func (r *testRun) fetch(_ context.Context, locator string) (mediaType string, content []byte, err error) {
	found, ok := r.Fetch[locator]
	if !ok {
		return "", nil, errors.New("the test names no content for this locator")
	}
	return found.ContentType, []byte(found.Text), nil
}

// outcome returns what became of a request as a test writes it.
func (t *test) outcome(out Outgoing, err error) string {
	if err != nil {
		return refusalText(err)
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

// next returns what is asked for after the last page.
func (r *testRun) next() string {
	if r.out.Rest == nil {
		return "nothing"
	}
	return r.outcome(r.vendor.Resume(r.call, r.out.Rest))
}

// refusalText returns an error as a test writes it.
func refusalText(err error) string {
	var refusal *fhir.Error
	if !errors.As(err, &refusal) {
		return err.Error()
	}
	return strconv.Itoa(refusal.Status) + " " + refusal.Text
}

// refusedAs reports whether err has the status of want and a text that holds
// the rest of it.
func refusedAs(err error, want string) bool {
	status, text, _ := strings.Cut(want, " ")
	var refusal *fhir.Error
	return errors.As(err, &refusal) && strconv.Itoa(refusal.Status) == status && strings.Contains(refusal.Text, text)
}
