package facade

import (
	"net/http"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"fhirgate/fhir"
	"fhirgate/transforms/links"
	"fhirgate/upstream"
)

// presentRefusal passes a hospital's error on: its own OperationOutcome when it
// sent one, and else one that says what the status means. HTML pages, plain
// text and empty bodies of hospitals end here.
func (f *Facade) presentRefusal(c *call) error {
	status := c.answer.StatusCode
	if status == http.StatusUnauthorized || status == http.StatusProxyAuthRequired {
		// It is our credential that failed, not the caller's.
		return fhir.NewError(http.StatusBadGateway, fhir.IssueTransient, "the hospital refused the gateway's own credential")
	}
	h, err := readHead(c.answer.Body, c.answer.ContentLength)
	defer h.release()
	meant := c.hospital.Vendor.Refuse(c.rulesCall(), c.query, status, c.answer.Header, h.bytes, c.began)
	status, c.answer.StatusCode = meant.Status, meant.Status
	if c.batch == nil && hidesAbsence(c.req, &c.permission, status) {
		return errWithheld()
	}
	wait := meant.RetryAfter
	if wait == 0 {
		wait = retryAfter(c)
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		c.w.Header().Set("Retry-After", strconv.FormatInt(wholeSeconds(wait), 10))
	}
	if err == nil && h.whole && gjson.GetBytes(h.bytes, "resourceType").Str == "OperationOutcome" {
		if body, err := links.Rewrite(nil, h.bytes, f.answerLinks(c)); err == nil {
			return c.sendJSON(body)
		}
	}
	refusal := refusalOf(status, c)
	if refusal.RetryAfter > 0 {
		refusal.RetryAfter = wait
	}
	if meant.Code != "" {
		refusal.Code, refusal.Text = meant.Code, meant.Text
	}
	return refusal
}

// refusalOf returns the error that stands for a hospital's status when its body
// says nothing that a FHIR client could read.
func refusalOf(status int, c *call) *fhir.Error {
	said := "the hospital answered " + strconv.Itoa(status)
	switch status {
	case http.StatusForbidden:
		return fhir.NewError(status, fhir.IssueForbidden, said+": it does not allow the gateway this interaction")
	case http.StatusNotFound:
		return fhir.NewError(status, fhir.IssueNotFound, said+": it does not know the resource, or not this resource type")
	case http.StatusGone:
		return fhir.NewError(status, fhir.IssueDeleted, said+": the resource was deleted")
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired:
		return fhir.NewError(status, fhir.IssueConflict, said+": the resource was changed in the meantime, or the call must name the version that it changes")
	case http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType, http.StatusNotAcceptable, http.StatusNotImplemented:
		return fhir.NewError(status, fhir.IssueNotSupported, said+": it does not support this interaction")
	case http.StatusRequestEntityTooLarge:
		return fhir.NewError(status, fhir.IssueTooLong, said+": it finds the request, or its own answer, too large")
	case http.StatusTooManyRequests:
		return fhir.NewError(status, fhir.IssueThrottled, said+": its own limit of calls is reached").After(retryAfter(c))
	case http.StatusServiceUnavailable:
		return fhir.NewError(status, fhir.IssueTransient, said+": it is not available now").After(retryAfter(c))
	case http.StatusGatewayTimeout:
		return fhir.NewError(status, fhir.IssueTimeout, said)
	}
	if status >= http.StatusInternalServerError {
		return fhir.NewError(http.StatusBadGateway, fhir.IssueException, said+": it failed")
	}
	return fhir.NewError(status, fhir.IssueProcessing, said+" and did not say why in a form that FHIR knows")
}

// defaultRetryAfter is told where the hospital did not say when to come back.
const defaultRetryAfter = 30 * time.Second

// retryAfter returns the wait that the hospital's Retry-After asks for
// (RFC 9110 section 10.2.3: seconds or a date), or a default.
func retryAfter(c *call) time.Duration {
	wait, told := upstream.RetryAfter(c.answer.Header, c.began)
	if !told {
		wait = defaultRetryAfter
	}
	return max(wait, time.Second)
}

// presentRefusedBatch answers a batch of which nothing went to the hospital.
func (f *Facade) presentRefusedBatch(c *call) error {
	body, err := c.batch.merge(emptyResponse, c.id)
	if err != nil {
		return err
	}
	c.w.Header()["Cache-Control"] = noStore
	return c.sendJSON(body)
}
