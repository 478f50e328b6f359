package transforms

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
)

// testFile is the form of a vendor's test file.
type testFile struct {
	Tests []testCase `yaml:"tests"`
}

// testCase is the form of one test: a call, and what becomes of it. With an
// answer it is also, or only, about what the caller gets.
//
// Nothing is sent, and locators are not moved: a test writes those of the
// hospital, whose FHIR base is https://hospital.example/fhir. Answers see the
// gateway's address of the hospital as https://gateway.example/fhir/{hospital}.
//
// JSON is written as a text that starts with { or [, as YAML in flow style, or
// as the path of a file below the folder of the test file. It is compared to
// the byte, but for white space between values: the order of members, the
// digits of numbers and escapes count.
type testCase struct {
	Name testName `yaml:"name"` // what the test shows; required

	Request  string            `yaml:"request"`   // METHOD path?query below the hospital's base; required
	Headers  map[string]string `yaml:"headers"`   // that the caller sends; Prefer, If-Match, If-None-Match, If-Modified-Since and Accept-Language go on to the hospital
	Raw      bool              `yaml:"raw"`       // the caller sends X-Fhirgate-Raw: true
	Hospital string            `yaml:"hospital"`  // id of the route; default hospital
	Vars     map[string]string `yaml:"vars"`      // of the route
	TimeZone string            `yaml:"time_zone"` // of the hospital, such as America/Chicago; default UTC
	Now      string            `yaml:"now"`       // the time of the call; default 2026-11-22T12:00:00Z

	Body  testText               `yaml:"body"`  // of a create, update or batch; of a patch the JSON Patch
	Fetch map[string]testContent `yaml:"fetch"` // what attachment.inline finds at the hospital, by locator

	Want        string            `yaml:"want"`         // METHOD path?query that goes to the hospital
	WantHeaders map[string]string `yaml:"want_headers"` // that go along; "" = that header does not
	WantNext    string            `yaml:"want_next"`    // METHOD path?query of the next part of a split search
	WantBody    testText          `yaml:"want_body"`    // that goes along; same = as the caller sent it
	WantError   string            `yaml:"want_error"`   // status, blank, part of the text: of the request's refusal, or in a test with an answer of the error that the caller gets in its place

	Answer        testText          `yaml:"answer"`           // the hospital's: JSON, or NDJSON with an object a line; with a status of 400 or more also any text of several lines or that starts with <
	Status        int               `yaml:"status"`           // of the answer; default 200
	AnswerHeaders map[string]string `yaml:"answer_headers"`   // of the answer; they count with a status of 400 or more
	WantAnswer    testText          `yaml:"want_answer"`      // what the caller gets; same = the hospital's answer
	WantStatus    int               `yaml:"want_status"`      // what a status of 400 or more becomes
	WantRetry     *int              `yaml:"want_retry_after"` // whole seconds after which such an error says to come back
	WantIssue     string            `yaml:"want_issue"`       // code of OperationOutcome.issue that the rules give to such an error
}

// testContent is what stands at a locator of the hospital.
type testContent struct {
	ContentType string `yaml:"content_type"` // media type; default none
	Text        string `yaml:"text"`
}

// The defaults of a test, and the addresses that rules see in it.
const (
	testHospital = "hospital"
	testNow      = "2026-11-22T12:00:00Z"
	testBase     = "https://hospital.example/fhir"
	testGateway  = "https://gateway.example/fhir/"
)

// passedOn are the headers of the caller that go to the hospital.
var passedOn = []string{"Prefer", "If-Match", "If-None-Match", "If-Modified-Since", "Accept-Language"}

// test is a testCase that can run.
type test struct {
	*testCase
	vendor *Vendor
	target
	call                 Call
	now                  time.Time
	body, answer         []byte // nil = none
	wantBody, wantAnswer golden
	entries              []Call // of a batch
	answered             bool   // the test is about an answer
}

// target is where a call goes.
type target struct {
	method, path, query string
	req                 fhir.Request
}

func parseTarget(text string, header http.Header) (t target, err error) {
	method, place, _ := strings.Cut(text, " ")
	t.method = method
	t.path, t.query, _ = strings.Cut(place, "?")
	t.req, err = fhir.Parse(t.method, t.path, header, t.query)
	return t, err
}

// on makes call one to the target.
func (t *target) on(call Call) Call {
	call.Type, call.Interaction = t.req.Type, t.req.Listed()
	call.Compartment, call.Form = t.req.Compartment != "", t.req.FormSearch
	return call
}

// ParseCall completes call, of which the header counts, with what request asks
// for: METHOD path?query below the hospital's base, as in tests.
func ParseCall(call Call, request string) (out Call, query string, err error) {
	t, err := parseTarget(request, call.Header)
	if err != nil {
		return call, "", err
	}
	return t.on(call), t.query, nil
}

// testLoader prepares the tests of one file.
type testLoader struct {
	fsys   fs.FS
	dir    string // of the file
	doc    *strict.Document
	tested Tested
}

// prepare tells what is wrong with the test at place; ok says that it can run.
func (l *testLoader) prepare(c *testCase, place string) (t test, ok bool) {
	before := len(l.doc.Problems())
	t = test{testCase: c, vendor: l.tested.Vendor}
	if c.Name.text == "" {
		l.doc.Fail(place+".name", "is missing")
	}
	l.call(&t, place)
	l.texts(&t, place)
	t.answered = t.answer != nil || c.Status != 0 || len(c.AnswerHeaders) > 0
	if c.Status == 0 {
		c.Status = http.StatusOK
	}
	l.wants(&t, place)
	return t, len(l.doc.Problems()) == before
}

func (l *testLoader) call(t *test, place string) {
	zone, err := time.LoadLocation(t.TimeZone)
	if err != nil || t.TimeZone == "Local" {
		l.doc.Fail(place+".time_zone", "is not an IANA time zone such as America/Chicago")
	}
	if t.TimeZone == "" && l.tested.Zone != nil {
		zone = l.tested.Zone
	}
	vars := t.Vars
	if vars == nil {
		vars = l.tested.Vars
	}
	now := t.Now
	if now == "" {
		now = testNow
	}
	if t.now, err = time.Parse(time.RFC3339, now); err != nil {
		l.doc.Fail(place+".now", "must be an instant such as %s", testNow)
	}
	header := make(http.Header)
	for name, value := range t.Headers {
		header.Set(name, value)
	}
	if t.target, err = parseTarget(t.Request, header); err != nil {
		l.doc.Fail(place+".request", "must be METHOD path?query as in GET Appointment?date=2026-11-22: %s", err)
	}
	hospital := cmp.Or(t.Hospital, l.tested.Hospital, testHospital)
	t.call = t.on(Call{Hospital: hospital, Header: header, Vars: vars, Zone: zone, Raw: t.Raw})
}

// texts reads the JSON of a test.
func (l *testLoader) texts(t *test, place string) {
	t.body = l.read(t.Body, place+".body")
	t.answer = l.read(t.Answer, place+".answer")
	t.wantBody = l.golden(t.WantBody, place+".want_body")
	t.wantAnswer = l.golden(t.WantAnswer, place+".want_answer")
	switch {
	case t.body == nil:
	case !json.Valid(t.body):
		l.doc.Fail(place+".body", "is not JSON")
	case t.req.Interaction == fhir.Batch:
		if gjson.GetBytes(t.body, "type").Str == "transaction" {
			t.call.Interaction = fhir.Transaction
		}
		t.entries = l.entries(t, place+".body")
	case !carriesBody(t.call.Interaction):
		l.doc.Fail(place+".body", "has no place in the interaction %s: no rule sees it", t.call.Interaction)
	}
}

// entries returns the calls in a batch.
func (l *testLoader) entries(t *test, place string) (calls []Call) {
	for i, entry := range gjson.GetBytes(t.body, "entry").Array() {
		header := make(http.Header)
		if condition := entry.Get("request.ifNoneExist").Str; condition != "" {
			header.Set("If-None-Exist", condition)
		}
		call := t.call
		call.Header = header
		call, _, err := ParseCall(call, entry.Get("request.method").Str+" "+entry.Get("request.url").Str)
		if err != nil {
			l.doc.Fail(place, "entry[%d].request: %s", i, err)
		}
		calls = append(calls, call)
	}
	return calls
}

// wants checks that what a test wants goes together.
func (l *testLoader) wants(t *test, place string) {
	sent := t.Want != "" || t.WantNext != "" || len(t.WantHeaders) > 0 || t.wantBody.given
	meant := t.WantStatus != 0 || t.WantRetry != nil || t.WantIssue != ""
	switch {
	case !sent && !meant && t.WantError == "" && !t.wantAnswer.given:
		l.doc.Fail(place, "wants nothing: give it want, want_headers, want_body, want_error, want_answer, want_status, want_retry_after or want_issue")
	case t.WantError != "" && t.wantAnswer.given:
		l.doc.Fail(place+".want_answer", "does not go with want_error: the caller gets one of them")
	case t.WantError != "" && sent && !t.answered:
		l.doc.Fail(place+".want_error", "does not go with want, want_headers, want_next and want_body: nothing is sent")
	}
	if t.wantBody.given && (t.body == nil || !carriesBody(t.call.Interaction)) {
		l.doc.Fail(place+".want_body", "needs the body of a create, update or patch: write a test for each entry of a batch")
	}
	if len(t.Fetch) > 0 && t.body == nil {
		l.doc.Fail(place+".fetch", "needs a body that refers to it")
	}
	failed := t.Status >= http.StatusBadRequest
	switch {
	case t.Status < 200 || t.Status > 599:
		l.doc.Fail(place+".status", "must be a status from 200 to 599")
	case meant && !(t.answered && failed):
		l.doc.Fail(place, "has want_status, want_retry_after or want_issue: they need a status of 400 or more")
	case t.wantAnswer.given && t.answer == nil:
		l.doc.Fail(place+".want_answer", "needs an answer")
	case !t.answered || failed:
	case t.answer == nil:
		l.doc.Fail(place, "needs an answer beside its status")
	case compact(t.answer) == nil:
		l.doc.Fail(place+".answer", "is neither JSON nor NDJSON")
	}
}

// read returns what a text of a test stands for; nil when there is none.
func (l *testLoader) read(text testText, place string) []byte {
	switch {
	case text.file == "":
		return text.inline
	case !fs.ValidPath(text.file):
		l.doc.Fail(place, "must be JSON, which starts with { or [, or the path of a file below the folder of the tests")
		return nil
	}
	data, err := fs.ReadFile(l.fsys, path.Join(l.dir, text.file))
	if err != nil {
		l.doc.Fail(place, "the file %s cannot be read", text.file)
		return nil
	}
	return data
}

// golden is what a test wants a body or an answer to be.
type golden struct {
	given bool
	same  bool   // as it came
	text  []byte // nil = the file does not exist yet
	file  string // where text stands; empty = in the test
}

func (l *testLoader) golden(text testText, place string) golden {
	g := golden{given: text.file != "" || text.inline != nil}
	if text.file == "same" {
		g.same = true
		return g
	}
	if text.file != "" && fs.ValidPath(text.file) {
		g.file = path.Join(l.dir, text.file)
		if _, err := fs.Stat(l.fsys, g.file); err != nil {
			return g
		}
	}
	if g.text = l.read(text, place); g.text != nil && compact(g.text) == nil {
		l.doc.Fail(place, "is not JSON")
	}
	return g
}

// carriesBody reports whether rules see the body of an interaction.
func carriesBody(i fhir.Interaction) bool {
	switch i {
	case fhir.Create, fhir.ConditionalCreate, fhir.Update, fhir.ConditionalUpdate, fhir.Patch, fhir.ConditionalPatch:
		return true
	default:
		return false
	}
}
