// Package observe says what the gateway does: access log and metrics. Nothing
// here may hold patient data: ids of requests, hospitals, types, consumers and
// codes only, never a value, a path, a query string or a reference.
package observe

import (
	"context"
	"log/slog"
	"time"
)

// Call is one finished call, as the access log and the metrics tell it.
type Call struct {
	RequestID   string
	Hospital    string // id of a configured hospital, or ""
	Interaction string // FHIR interaction, or "" when the path is none
	Type        string // resource type, or ""
	Consumer    string // key id, never the key
	Status      int    // 0 when the client left before an answer began
	Issue       string // issue code of a refusal by the gateway, or ""
	Cause       string // why, for the operator; no patient data
	Bytes       int64  // body bytes sent to the client
	Aborted     bool   // the answer was broken off after it had begun
	Total       time.Duration
	Upstream    time.Duration // of Total, spent waiting for the hospital
	UpstreamID  string        // the hospital's own id of the request, or ""
}

// AccessLog writes one line a call.
type AccessLog struct{ log *slog.Logger }

// NewAccessLog returns an access log that writes to handler.
func NewAccessLog(handler slog.Handler) *AccessLog {
	return &AccessLog{log: slog.New(handler)}
}

// Record writes the line of c.
func (a *AccessLog) Record(c *Call) {
	attrs := make([]slog.Attr, 0, 14)
	attrs = append(attrs,
		slog.String("request_id", c.RequestID),
		slog.String("hospital", c.Hospital),
		slog.String("interaction", c.Interaction),
		slog.String("type", c.Type),
		slog.String("consumer", c.Consumer),
		slog.Int("status", c.Status),
		slog.Int64("bytes", c.Bytes),
		slog.Float64("gateway_ms", milliseconds(c.Total-c.Upstream)),
		slog.Float64("upstream_ms", milliseconds(c.Upstream)),
	)
	if c.UpstreamID != "" {
		attrs = append(attrs, slog.String("upstream_request_id", c.UpstreamID))
	}
	if c.Issue != "" {
		attrs = append(attrs, slog.String("issue", c.Issue))
	}
	if c.Cause != "" {
		attrs = append(attrs, slog.String("cause", c.Cause))
	}
	if c.Aborted {
		attrs = append(attrs, slog.Bool("aborted", true))
	}
	a.log.LogAttrs(context.Background(), slog.LevelInfo, "call", attrs...)
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
