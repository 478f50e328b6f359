package console

import (
	"cmp"
	"slices"
	"time"

	"fhirgate/gateway/adminapi"
)

// Before the end of a certificate or key, people are warned twice.
const (
	endsSoon     = 30 * 24 * time.Hour
	endsVerySoon = 7 * 24 * time.Hour
)

// hospitalState is a hospital as the console judges it.
type hospitalState struct {
	adminapi.Hospital
	Reach    toned
	Breaking toned
	Warnings []warning // the worst first
}

// toned is a word with the tone of its badge.
type toned struct{ Text, Tone string }

// warning is what somebody should look at.
type warning struct {
	Tone string
	Text string
	At   time.Time // of the end that is meant; zero = none is
}

// stateOf judges a hospital.
func stateOf(h adminapi.Hospital, now time.Time) hospitalState {
	s := hospitalState{Hospital: h, Reach: reachOf(h), Breaking: breakingOf(h.Breaker)}
	if s.Reach.Tone == "bad" {
		failed := "The last call to it failed."
		if h.FailureCause != "" {
			failed = "The last call to it failed: " + h.FailureCause + "."
		}
		s.warn("bad", failed, h.LastFailure)
	}
	switch s.Breaking.Tone {
	case "bad":
		s.warn("bad", "The breaker is open: calls are answered at once with 503, to spare the hospital.", time.Time{})
	case "warn":
		s.warn("warn", "The breaker is half open: single calls try whether the hospital is back.", time.Time{})
	}
	for _, c := range h.Certificates {
		whose := "The hospital's certificate"
		if c.Role == "client" {
			whose = "Our certificate towards it"
		}
		s.warnOfEnd(whose, c.NotAfter, now)
	}
	if h.KeyRing != nil {
		s.warnOfEnd("The signing key of its ring", h.KeyRing.Expires, now)
	}
	slices.SortStableFunc(s.Warnings, func(a, b warning) int { return cmp.Compare(a.Tone, b.Tone) }) // bad before warn
	return s
}

func (s *hospitalState) warn(tone, text string, at time.Time) {
	s.Warnings = append(s.Warnings, warning{Tone: tone, Text: text, At: at})
}

func (s *hospitalState) warnOfEnd(what string, end, now time.Time) {
	switch endTone(end, now) {
	case "bad":
		if !end.After(now) {
			s.warn("bad", what+" has ended.", end)
			return
		}
		s.warn("bad", what+" ends within 7 days.", end)
	case "warn":
		s.warn("warn", what+" ends within 30 days.", end)
	}
}

// endTone returns the tone of an end: bad within 7 days or past, warn within 30,
// otherwise ok; quiet when there is none.
func endTone(end, now time.Time) string {
	left := end.Sub(now)
	switch {
	case end.IsZero():
		return "quiet"
	case left <= endsVerySoon:
		return "bad"
	case left <= endsSoon:
		return "warn"
	default:
		return "ok"
	}
}

// Tone returns the tone of the worst that is wrong with the hospital.
func (s hospitalState) Tone() string {
	if len(s.Warnings) > 0 {
		return s.Warnings[0].Tone
	}
	return "ok"
}

func reachOf(h adminapi.Hospital) toned {
	switch {
	case h.LastAnswer.IsZero() && h.LastFailure.IsZero():
		return toned{"Not called yet", "quiet"}
	case h.LastFailure.After(h.LastAnswer):
		return toned{"Unreachable", "bad"}
	default:
		return toned{"Reachable", "ok"}
	}
}

func breakingOf(breaker string) toned {
	switch breaker {
	case "closed", "":
		return toned{"Breaker closed", "ok"}
	case "half-open":
		return toned{"Breaker half open", "warn"}
	default:
		return toned{"Breaker open", "bad"}
	}
}

// inTrouble returns the hospitals with warnings, the worst first.
func inTrouble(hospitals []adminapi.Hospital, now time.Time) []hospitalState {
	var troubled []hospitalState
	for _, h := range hospitals {
		if s := stateOf(h, now); len(s.Warnings) > 0 {
			troubled = append(troubled, s)
		}
	}
	slices.SortStableFunc(troubled, func(a, b hospitalState) int { return cmp.Compare(a.Tone(), b.Tone()) })
	return troubled
}
