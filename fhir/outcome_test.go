package fhir

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"testing"
	"time"
)

func TestAnErrorIsWrittenAsAnOutcome(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Length", "7") // of an answer that came to nothing
	NewError(429, IssueThrottled, "slow \"down\" \u2028 <b>").At("Bundle.entry[0]").Because(errors.New("canary")).With("Allow", "GET").After(1200*time.Millisecond).Write(w, "id-1")
	for name, want := range map[string]string{"Content-Type": MediaType, "Retry-After": "2", "Allow": "GET", "Cache-Control": "no-store"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	var outcome struct {
		ResourceType string
		Issue        []struct {
			Severity, Code, Diagnostics string
			Expression                  []string
			Extension                   []struct{ URL, ValueString string }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &outcome); err != nil {
		t.Fatal(err)
	}
	issue := outcome.Issue[0]
	if w.Code != 429 || outcome.ResourceType != "OperationOutcome" || issue.Severity != "error" || issue.Code != "throttled" ||
		issue.Diagnostics != "slow \"down\" \u2028 <b>" || issue.Expression[0] != "Bundle.entry[0]" || issue.Extension[0].ValueString != "id-1" {
		t.Errorf("%s", w.Body)
	}
}

func TestAnOutcomeLeavesItsIssuesAlone(t *testing.T) {
	issues := []Issue{{Code: IssueInvalid}}
	Outcome("id", issues...)
	if issues[0].Severity != "" || issues[0].Extension != nil {
		t.Errorf("%+v", issues)
	}
	if got := string(Outcome("")); got != `{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"informational","diagnostics":"All OK"}]}` {
		t.Error(got)
	}
}

func TestErrorsKeepTheirCause(t *testing.T) {
	cause := errors.New("cause")
	err := NewError(500, IssueException, "text").Because(cause)
	if !errors.Is(err, cause) || err.Error() != "text: cause" || NewError(500, IssueException, "text").Error() != "text" {
		t.Error(err)
	}
}

func TestInteractions(t *testing.T) {
	for _, i := range append(append([]Interaction{}, TypeInteractions...), SystemInteractions...) {
		if conditional := i.Conditional(); conditional != "" && !i.Writes() {
			t.Errorf("%s has a conditional form but does not write", i)
		}
	}
	for _, i := range []Interaction{Read, VRead, SearchType, SearchSystem, HistoryInstance, Capabilities} {
		if i.Writes() {
			t.Errorf("%s writes", i)
		}
	}
}
