package transforms

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"fhirgate/fhir"
	"fhirgate/transforms/tree"
)

// present takes the hospital's answer to the caller.
func (r *testRun) present() {
	var err error
	if r.Status < http.StatusBadRequest {
		err = r.success()
	} else {
		err = r.failure()
	}
	switch {
	case r.WantError == "" && err != nil && r.Status < http.StatusBadRequest:
		r.differ(" answer", "no error", refusalText(err))
	case r.WantError != "" && err == nil:
		r.differ(" error", r.WantError, "no error")
	case r.WantError != "" && !refusedAs(err, r.WantError):
		r.differ(" error", r.WantError, refusalText(err))
	}
}

// success takes an answer with a status of success through the rules, and back.
func (r *testRun) success() error {
	if err := r.vendor.Succeeded(r.call, r.query, r.Status, r.answer); err != nil {
		r.reached(r.vendor.namedIn(err)...)
		return err
	}
	sent := r.answer
	if r.out.Alternate != nil {
		mapped, err := r.out.Alternate.Map(sent)
		if err != nil {
			return fhir.NewError(http.StatusBadGateway, fhir.IssueProcessing, err.Error())
		}
		sent = mapped
	}
	got, err := r.pass(sent)
	if err != nil {
		return err
	}
	if r.wantAnswer.given {
		r.compare(" answer", r.wantAnswer, r.answer, got)
	}
	if !r.call.Raw {
		r.roundTrip(sent, got)
	}
	return nil
}

// pass takes an answer through the pass that changes it.
func (r *testRun) pass(answer []byte) ([]byte, error) {
	got, reports, err := r.vendor.Explain(&Trial{
		Call: r.call, Query: r.query, Entries: r.entries, Status: r.Status,
		Base: testGateway + r.call.Hospital, Now: r.now, Lines: isLines(answer),
	}, answer)
	for _, report := range reports {
		if report.Changed > 0 {
			r.reached(report.Name)
		}
	}
	if err != nil {
		r.reached(r.vendor.namedIn(err)...)
		var refusal *fhir.Error
		if !errors.As(err, &refusal) {
			err = fhir.NewError(http.StatusBadGateway, fhir.IssueProcessing, err.Error())
		}
	}
	return got, err
}

// failure returns what an answer with a status of 400 or more means. In place
// of one that is no OperationOutcome, or that cannot be read, the caller gets
// the gateway's own.
func (r *testRun) failure() error {
	header := make(http.Header)
	for name, value := range r.AnswerHeaders {
		header.Set(name, value)
	}
	meant := r.vendor.Refuse(r.call, r.query, r.Status, header, r.answer, r.now)
	r.reached(meant.Rules...)
	if r.WantStatus != 0 && r.WantStatus != meant.Status {
		r.differ(" status", strconv.Itoa(r.WantStatus), strconv.Itoa(meant.Status))
	}
	if got := waitOf(meant, header); r.WantRetry != nil && got != strconv.Itoa(*r.WantRetry) {
		r.differ(" Retry-After", strconv.Itoa(*r.WantRetry), got)
	}
	if r.WantIssue != "" && r.WantIssue != string(meant.Code) {
		got := string(meant.Code)
		if got == "" {
			got = "none: no rule says"
		}
		r.differ(" issue", r.WantIssue, got)
	}
	var got []byte
	err := errNoOutcome
	if gjson.ValidBytes(r.answer) && gjson.GetBytes(r.answer, "resourceType").Str == "OperationOutcome" {
		got, err = r.pass(r.answer)
	}
	switch {
	case !r.wantAnswer.given:
	case err != nil:
		r.differ(" answer", "the hospital's", refusalText(err))
	default:
		r.compare(" answer", r.wantAnswer, r.answer, got)
	}
	return fhir.NewError(meant.Status, meant.Code, meant.Text)
}

var errNoOutcome = errors.New("the gateway's own: the hospital's is no OperationOutcome")

// waitOf returns the seconds after which an error says to come back.
func waitOf(meant Refusal, header http.Header) string {
	if meant.RetryAfter > 0 {
		return strconv.FormatInt(int64((meant.RetryAfter+time.Second-1)/time.Second), 10)
	}
	if own := header.Get("Retry-After"); own != "" {
		return own
	}
	return "none: no rule says"
}

// roundTrip sends every resource that the caller got back as an update, and
// checks that the hospital gets what it has.
func (r *testRun) roundTrip(sent, got []byte) {
	had, has := resourcesOf(sent), resourcesOf(got)
	if len(had) != len(has) {
		r.differ(" round trip", strconv.Itoa(len(had))+" resources", strconv.Itoa(len(has))+": rules must leave none out but outcomes")
		return
	}
	for i := range has {
		typ := gjson.GetBytes(has[i], "resourceType").Str
		call := Call{Hospital: r.call.Hospital, Type: typ, Interaction: fhir.Update, Vars: r.call.Vars, Zone: r.call.Zone}
		if r.vendor.Lossy(call) != nil {
			continue
		}
		what := " round trip of the " + typ + " (the hospital's resource, against what an unchanged update would make of it)"
		back, err := r.vendor.takenBack(call, r.now, has[i])
		if err != nil {
			r.differ(what, string(compact(had[i])), refusalText(err))
		} else if want := compact(had[i]); !bytes.Equal(want, compact(back)) {
			r.differ(what, string(want), string(compact(back)))
		}
	}
}

// resourcesOf returns the resources of an answer that somebody could update:
// those in Bundles, but not Bundles and outcomes, nor what is signed.
func resourcesOf(answer []byte) (found [][]byte) {
	if isLines(answer) {
		for line := range bytes.Lines(answer) {
			if len(bytes.TrimSpace(line)) > 0 {
				found = append(found, resourcesOf(line)...)
			}
		}
		return found
	}
	var d tree.Doc
	d.Reset(answer)
	var visit func(n tree.Node)
	visit = func(n tree.Node) {
		switch typ := d.Text(d.Get(n, "resourceType")); {
		case typ == "", typ == "OperationOutcome":
		case typ != "Bundle":
			found = append(found, d.Raw(n))
		case d.Get(n, "signature") == tree.None:
			for entry := d.First(d.Get(n, "entry")); entry != tree.None; entry = d.Next(entry) {
				visit(d.Get(entry, "resource"))
			}
		}
	}
	visit(d.Root())
	return found
}
