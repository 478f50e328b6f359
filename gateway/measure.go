package gateway

import (
	"net/http"

	"fhirgate/facade"
)

// Answer says what answers below /fhir/. Anything but AnswerCalls is for
// measurements: of what the engine costs, and of what the check of a caller adds.
type Answer string

// The answers.
const (
	AnswerCalls        Answer = ""              // the facade
	AnswerAtOnce       Answer = "at-once"       // an empty 204, whatever is asked
	AnswerWhenAdmitted Answer = "when-admitted" // an empty 204 to a call that the facade admits
)

func (a Answer) handler(f *facade.Facade) http.Handler {
	switch a {
	case AnswerAtOnce:
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	case AnswerWhenAdmitted:
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if f.Admit(w, r) {
				w.WriteHeader(http.StatusNoContent)
			}
		})
	default:
		return f
	}
}
