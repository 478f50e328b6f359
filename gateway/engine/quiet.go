package engine

import (
	"context"
	"log/slog"
	"strings"
)

// quietly passes on what net/http's server logs up to where it names an
// address or the value of a panic. Panics are errors; all else is a client's
// fault and told at level debug.
type quietly struct{ slog.Handler }

// Handle implements slog.Handler.
func (q quietly) Handle(ctx context.Context, record slog.Record) error {
	message := record.Message
	for _, end := range []string{"\n", " from ", " serving "} {
		message, _, _ = strings.Cut(message, end)
	}
	level := slog.LevelDebug
	if strings.HasPrefix(message, "http: panic") {
		level = slog.LevelError
	}
	if !q.Enabled(ctx, level) {
		return nil
	}
	short := slog.NewRecord(record.Time, level, message, 0)
	short.AddAttrs(slog.String("component", "http"))
	return q.Handler.Handle(ctx, short)
}
