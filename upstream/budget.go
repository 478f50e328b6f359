package upstream

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"fhirgate/fhir"
	"fhirgate/upstream/budget"
)

// Budget is what a hospital may be asked, and how it says that this is too much.
// The zero value has no budget.
type Budget struct {
	Shared *budget.Budget // with all nodes; nil = none
	// CountsTokens says that the hospital counts calls of its token endpoint.
	CountsTokens bool
	// BareUntilMinute says that a 429 without Retry-After ends when the minute
	// turns (eClinicalWorks).
	BareUntilMinute bool
	// QuotaText is what a 403 says when the day's quota is used up
	// (athenahealth); "" = a 403 never means that.
	QuotaText string
}

type consumerKey struct{}

// WithConsumer returns a context of a call that counts for consumer, an opaque
// id, when a hospital's budget is shared out.
func WithConsumer(ctx context.Context, consumer string) context.Context {
	return context.WithValue(ctx, consumerKey{}, consumer)
}

// acquire takes one request from the budget.
func (b Budget) acquire(ctx context.Context) (release func(), err error) {
	if b.Shared == nil {
		return func() {}, nil
	}
	consumer, _ := ctx.Value(consumerKey{}).(string)
	return b.Shared.Acquire(ctx, consumer)
}

// peeked is how much of a 403 is searched for QuotaText, in bytes.
const peeked = 16 << 10

// learn tells the budget what an answer says of it. The error is the 429 that a
// 403 over quota really is.
func (b Budget) learn(resp *http.Response) error {
	if b.Shared == nil {
		return nil
	}
	over := false
	if resp.StatusCode == http.StatusForbidden && b.QuotaText != "" {
		head, err := io.ReadAll(io.LimitReader(resp.Body, peeked))
		if err != nil {
			return err
		}
		over = strings.Contains(string(head), b.QuotaText)
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	}
	b.Shared.Learn(resp.StatusCode, resp.Header, budget.Habit{BareUntilMinute: b.BareUntilMinute, DailyQuotaUsed: over})
	if over {
		return fhir.NewError(http.StatusTooManyRequests, fhir.IssueThrottled, "the hospital's own quota of the day is used up").After(untilMidnight(time.Now()))
	}
	return nil
}

// untilMidnight returns the time until 00:00 GMT.
func untilMidnight(now time.Time) time.Duration {
	return now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now)
}

// forTokens returns the transport of token calls: they count where the hospital
// counts them, as the gateway's own.
func (b Budget) forTokens(transport http.RoundTripper) http.RoundTripper {
	if b.Shared == nil || !b.CountsTokens {
		return transport
	}
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		release, err := b.Shared.Acquire(r.Context(), "")
		if err != nil {
			return nil, err
		}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			release()
			return nil, err
		}
		resp.Body = &closingBody{ReadCloser: resp.Body, closed: release}
		return resp, nil
	})
}
