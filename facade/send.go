package facade

import (
	"errors"
	"io"
	"net/http"
	"time"

	"fhirgate/fhir"
)

// send has the hospital answer. The time spent waiting for it, here and while
// its body is read, is counted apart from the gateway's own.
func (f *Facade) send(c *call) error {
	if c.batch.nothingToSend() {
		return nil
	}
	began := time.Now()
	answer, err := c.hospital.Client.Do(c.out)
	c.waited += time.Since(began)
	if err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			return tooLarge(tooBig.Limit)
		}
		return err
	}
	c.upstreamID = upstreamID(answer.Header)
	answer.Body = &timedBody{ReadCloser: answer.Body, waited: &c.waited}
	c.answer = answer
	return nil
}

// upstreamIDs are the headers in which hospitals name a request in their own
// logs.
var upstreamIDs = [...]string{"X-Request-Id", "X-Correlation-Id", "X-Amzn-Requestid", "X-Trace-Id", "Request-Id"}

// upstreamID returns the hospital's own id of the request, when it is a plain
// token: nothing else may get into the log.
func upstreamID(header http.Header) string {
	for _, name := range upstreamIDs {
		if id := header.Get(name); isToken(id) {
			return id
		}
	}
	return ""
}

// timedBody adds the time of each read to the time waited for the hospital.
type timedBody struct {
	io.ReadCloser
	waited *time.Duration
}

// Read reads and counts.
func (b *timedBody) Read(p []byte) (int, error) {
	began := time.Now()
	n, err := b.ReadCloser.Read(p)
	*b.waited += time.Since(began)
	return n, err
}

// notFHIR is the refusal of an answer that should have been FHIR.
func notFHIR(text string) *fhir.Error {
	return fhir.NewError(http.StatusBadGateway, fhir.IssueStructure, text)
}
