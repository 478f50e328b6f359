package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"fhirgate/fhir"
	"fhirgate/upstream/tokens"
)

// tokenRefusal is an answer of a token endpoint that holds no token.
type tokenRefusal struct {
	status int
	code   string // one of RFC 6749 section 5.2, or "of its own"; "" = it gave none
}

// Error says what was answered.
func (r *tokenRefusal) Error() string {
	if r.code == "" {
		return fmt.Sprintf("the token endpoint answered %d", r.status)
	}
	return fmt.Sprintf("the token endpoint answered %d with the error %s", r.status, r.code)
}

const loginFailed = "login failed"

// loginReason says in a few words why there is no login.
func loginReason(err error) string {
	var refused *tokenRefusal
	var refusal *fhir.Error
	switch known := networkReason(err); {
	case errors.As(err, &refused) && refused.code == "":
		return fmt.Sprintf("login refused: status %d of the token endpoint", refused.status)
	case errors.As(err, &refused):
		return fmt.Sprintf("login refused: status %d of the token endpoint, error %s", refused.status, refused.code)
	case errors.Is(err, tokens.ErrRefusedAgain):
		return "login refused: the token is refused, although it is fresh"
	case known != "":
		return loginFailed + ": " + known
	case errors.Is(err, tokens.ErrPermanent):
		return "login refused"
	case errors.As(err, &refusal) && refusal.Err == nil:
		return refusal.Text
	default:
		return loginFailed
	}
}

// callReason says in a few words why a call has no answer.
func callReason(err error) string {
	var refusal *fhir.Error
	switch known := networkReason(err); {
	case known != "":
		return known
	case errors.As(err, &refusal):
		return refusal.Text
	default:
		return "no HTTP as it should be"
	}
}

// networkReason says in a few words what a failure of the network was, "" when it
// is of no known kind. It goes by the types of errors, whose texts may hold more
// than people who look at a hospital should see.
func networkReason(err error) string {
	if known := certificateReason(err); known != "" {
		return known
	}
	var (
		name      *net.DNSError
		operation *net.OpError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return "name not found"
	case errors.As(err, &name):
		return "the name servers did not tell its address"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no way to its address"
	case timedOut(err) && errors.As(err, &operation) && operation.Op == "dial":
		return "timed out: no connection"
	case timedOut(err):
		return "timed out"
	case errors.As(err, &record):
		return "TLS: it does not speak TLS"
	case errors.As(err, &operation) && operation.Op == "remote error": // an alert of TLS, whose texts are fixed
		return "TLS: it refused the handshake (" + strings.TrimPrefix(operation.Err.Error(), "tls: ") + ")"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection broken off"
	default:
		return ""
	}
}

// certificateReason says what is wrong with the hospital's certificate.
func certificateReason(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
		other   *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &unknown):
		return "TLS: certificate of an unknown authority"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "TLS: certificate expired or not valid yet"
	case errors.As(err, &host):
		return "TLS: certificate of another name"
	case errors.As(err, &invalid), errors.As(err, &other):
		return "TLS: certificate not valid"
	default:
		return ""
	}
}
