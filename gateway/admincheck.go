package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"fhirgate/facade"
	"fhirgate/fhir"
	"fhirgate/gateway/adminapi"
	"fhirgate/upstream"
)

const (
	checkTime  = 10 * time.Second // of the login and the call together
	checkBytes = 1 << 20          // of the CapabilityStatement that are read
	// checker is for whom a question of the console counts when a hospital's budget is
	// shared out.
	checker = "console"
)

// checkHospital calls the hospital now, also past an open breaker: somebody wants
// to know why it is down. Checks of one hospital at the same time are one call.
func (a *admin) checkHospital(r *http.Request) (int, any, error) {
	h, err := a.hospital(r)
	if err != nil {
		return 0, nil, err
	}
	// Others wait for the call too, so it outlives the caller who came first.
	ctx := context.WithoutCancel(r.Context())
	outcome, _, _ := a.checks.Do(h.Route.ID, func() (any, error) { return check(ctx, h), nil })
	return http.StatusOK, outcome, nil
}

func check(ctx context.Context, h *facade.Hospital) adminapi.Check {
	ctx, cancel := context.WithTimeout(upstream.WithConsumer(ctx, checker), checkTime)
	defer cancel()
	began := time.Now()
	status, err := askCapabilities(ctx, h)
	if err != nil && ctx.Err() != nil {
		err = errTooSlow
	}
	return adminapi.Check{
		Reachable: status != 0,
		Status:    status,
		Took:      adminapi.Duration(time.Since(began).Round(time.Millisecond)),
		Problem:   problemOf(status, err),
	}
}

var errTooSlow = errors.New("the hospital did not answer within " + checkTime.String())

// askCapabilities logs in and asks for the CapabilityStatement, of which nothing
// is kept. A status with an error is that of an answer that broke off.
func askCapabilities(ctx context.Context, h *facade.Hospital) (status int, err error) {
	if err := h.Client.CheckLogin(ctx); err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Route.Upstream.BaseURL+"/metadata", nil)
	if err != nil {
		return 0, errors.New("the hospital's base_url is none to call")
	}
	r.Header.Set("Accept", fhir.MediaType)
	resp, err := h.Client.Probe(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if _, err = io.CopyN(io.Discard, resp.Body, checkBytes); errors.Is(err, io.EOF) {
		err = nil
	}
	return resp.StatusCode, err
}

// problemOf tells people what is wrong, "" for nothing. The texts of errors that
// a client returns, and of their causes, are made for the log: they hold no
// secret, no URL and nothing that the hospital sent.
func problemOf(status int, err error) string {
	var refusal *fhir.Error
	switch {
	case errors.As(err, &refusal) && refusal.Err != nil:
		return refusal.Text + ": " + strings.ReplaceAll(refusal.Err.Error(), "\n", ": ") // of errors that were joined
	case errors.As(err, &refusal):
		return refusal.Text
	case err != nil && status != 0:
		return "the hospital broke its answer off: " + err.Error()
	case err != nil:
		return err.Error()
	case status == http.StatusUnauthorized:
		return "the hospital refused the gateway's own credential (401)"
	case status < 200 || status > 299:
		return fmt.Sprintf("the hospital answered %d when asked for its CapabilityStatement", status)
	default:
		return ""
	}
}
