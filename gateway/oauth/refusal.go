package oauth

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// The errors of RFC 6749 section 5.2, and what section 4.1.2.1 has for a server
// that cannot answer now.
const (
	invalidRequest       = "invalid_request"
	invalidClient        = "invalid_client"
	invalidScope         = "invalid_scope"
	unauthorizedClient   = "unauthorized_client"
	unsupportedGrantType = "unsupported_grant_type"
	temporarily          = "temporarily_unavailable"
)

// refusal is an answer other than success. Its text is for whoever calls, its
// reason for the log; neither holds a value of the request.
type refusal struct {
	status   int
	code     string
	text     string // ASCII without quotes and backslashes
	after    time.Duration
	reason   string // empty = the text says it all
	consumer string // id of the record, where the client has shown that it is that
	cause    error
}

func (r *refusal) Error() string { return r.code + ": " + r.text }

func (r *refusal) Unwrap() error { return r.cause }

// malformed refuses a request that is not as it must be.
func malformed(text string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: invalidRequest, text: text}
}

// notAuthenticated refuses a client that has not shown who it is. All get the
// same answer, whatever the reason.
func notAuthenticated(reason string) *refusal {
	return &refusal{
		status: http.StatusUnauthorized, code: invalidClient, reason: reason,
		text: "the client is unknown, or its secret or assertion is not valid",
	}
}

// unavailable refuses a request that cannot be decided now.
func unavailable(cause error) *refusal {
	return &refusal{
		status: http.StatusServiceUnavailable, code: temporarily, cause: cause, after: time.Second,
		text: "the authorization server cannot answer now",
	}
}

// slowDown refuses what was not looked at because the sender guesses.
func slowDown(after time.Duration) *refusal {
	return &refusal{
		status: http.StatusTooManyRequests, code: temporarily, after: after,
		text: "too many requests of this address were not valid",
	}
}

func (r *refusal) write(w http.ResponseWriter) {
	if r.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="fhirgate", charset="UTF-8"`)
	}
	if r.after > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((r.after+time.Second-1)/time.Second), 10))
	}
	answer(w, r.status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{r.code, r.text})
}

// report logs a refusal.
func (s *Server) report(ctx context.Context, r *refusal, requestID string) {
	level, attrs := slog.LevelInfo, []slog.Attr{
		slog.String("request_id", requestID), slog.Int("status", r.status), slog.String("error", r.code), slog.String("reason", r.text),
	}
	if r.reason != "" {
		attrs[len(attrs)-1] = slog.String("reason", r.reason)
	}
	if r.consumer != "" {
		attrs = append(attrs, slog.String("consumer", r.consumer))
	}
	if r.cause != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.Any("cause", r.cause))
	}
	s.log.LogAttrs(ctx, level, "a request of the authorization server was refused", attrs...)
}

// answer writes JSON that nobody may keep (RFC 6749 section 5.1).
func answer(w http.ResponseWriter, status int, content any) {
	data, err := json.Marshal(content)
	if err != nil {
		panic(err) // texts and numbers only
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(data) // the caller is gone when this fails
}

// public writes JSON that anybody may keep for a while.
func public(w http.ResponseWriter, data []byte, age time.Duration) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(age.Seconds())))
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(data) // the caller is gone when this fails
}
