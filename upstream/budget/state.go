package budget

import (
	"context"
	"time"
)

// State is how a budget stands, for metrics and the console.
type State struct {
	Used        int       // requests granted within the window
	Limit       int       // Limits.Requests, 0 = unlimited
	Waiting     int       // calls that wait, or were told when to come back
	InFlight    int       // calls under way; 0 when Concurrency is unlimited, since nobody counts then
	Concurrency int       // Limits.Concurrency, 0 = unlimited
	ClosedUntil time.Time // when the hospital's own pause ends, on Redis' clock; zero = it is open
}

// State returns how the budget stands on all nodes. The error is a *fhir.Error
// 503 when Redis does not answer.
func (b *Budget) State(ctx context.Context) (State, error) {
	answer, err := stateScript.Run(ctx, b.client, b.keys.ledger(""),
		b.limits.window().Microseconds(), b.limits.memory().Microseconds()).Int64Slice()
	if err == nil && len(answer) != 4 {
		err = errAnswer
	}
	if err != nil {
		return State{}, unavailable(err)
	}
	s := State{
		Used:        int(answer[0]),
		Limit:       b.limits.Requests,
		Waiting:     int(answer[3]),
		InFlight:    int(answer[1]),
		Concurrency: b.limits.Concurrency,
	}
	if answer[2] > 0 {
		s.ClosedUntil = time.UnixMicro(answer[2])
	}
	return s, nil
}
