package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// cause is a failure of the network, told for the log. Its text never holds
// what the hospital sent or a URL: net/http quotes a malformed answer in its
// errors, and after a wrong Content-Length that is a piece of a resource.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }

// Unwrap returns the failure itself, whose text is not for the log.
func (c *cause) Unwrap() error { return c.err }

// tell returns err with a text that can be logged: that of the error inside
// which is known to name addresses and certificates at most.
func tell(err error) error {
	if err == nil {
		return nil
	}
	return &cause{text: tellable(err), err: err}
}

func tellable(err error) string {
	var (
		operation   *net.OpError
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		timeout     net.Error
	)
	switch {
	case errors.As(err, &operation):
		return operation.Error()
	case errors.As(err, &name):
		return name.Error()
	case errors.As(err, &certificate):
		return certificate.Error()
	case errors.As(err, &record):
		return record.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	for _, known := range []error{io.EOF, io.ErrUnexpectedEOF, context.Canceled, context.DeadlineExceeded, http.ErrBodyReadAfterClose, errIdle, errBomb, errTooLarge} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return fmt.Sprintf("not HTTP as it should be (%T)", err)
}
