package engine

import (
	"context"
	"log/slog"
	"strings"
)

// quietly passes on what net/http's server logs up to where it names an
// address or the value of a panic.
type quietly struct{ slog.Handler }

// Handle implements slog.Handler.
func (q quietly) Handle(ctx context.Context, record slog.Record) error {
	message := record.Message
	for _, end := range []string{"\n", " from ", " serving "} {
		message, _, _ = strings.Cut(message, end)
	}
	short := slog.NewRecord(record.Time, record.Level, message, 0)
	short.AddAttrs(slog.String("component", "http"))
	return q.Handler.Handle(ctx, short)
}
