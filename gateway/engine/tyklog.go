package engine

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	tyklog "github.com/TykTechnologies/tyk/log"
	"github.com/sirupsen/logrus"
)

// tykLog carries Tyk's log lines over to slog: the level, the message and the
// part of Tyk that wrote it. All other fields are dropped, because Tyk puts
// paths, addresses and keys into them. While Tyk starts, when there are no
// requests yet, the error field is kept, and its warnings are told as
// information: they are about settings that the engine chooses.
type tykLog struct {
	out     *slog.Logger
	serving atomic.Bool

	mu   sync.Mutex
	last string
}

// routeTykLog takes over all loggers of Tyk. exit is called instead of
// os.Exit, in the goroutine that logged a fatal error.
func routeTykLog(out *slog.Logger, exit func()) *tykLog {
	l := &tykLog{out: out}
	for _, logger := range []*logrus.Logger{tyklog.Get(), tyklog.GetRaw(), logrus.StandardLogger()} {
		logger.SetOutput(io.Discard)
		logger.ReplaceHooks(logrus.LevelHooks{})
		logger.AddHook(l)
		logger.ExitFunc = func(int) { exit() }
	}
	return l
}

// quiet makes formatting the discarded lines cost nothing. Tyk sets a
// formatter of its own while it starts.
func (l *tykLog) quiet() {
	l.serving.Store(true)
	for _, logger := range []*logrus.Logger{tyklog.Get(), tyklog.GetRaw(), logrus.StandardLogger()} {
		logger.SetFormatter(noText{})
	}
}

// Levels implements logrus.Hook.
func (l *tykLog) Levels() []logrus.Level { return logrus.AllLevels }

// Fire implements logrus.Hook.
func (l *tykLog) Fire(entry *logrus.Entry) error {
	attrs := make([]slog.Attr, 0, 3)
	attrs = append(attrs, slog.String("component", "tyk"))
	if prefix, ok := entry.Data["prefix"].(string); ok {
		attrs = append(attrs, slog.String("prefix", prefix))
	}
	if err, ok := entry.Data[logrus.ErrorKey].(error); ok && !l.serving.Load() {
		attrs = append(attrs, slog.String("error", err.Error()))
		l.remember(entry, entry.Message+": "+err.Error())
	} else {
		l.remember(entry, entry.Message)
	}
	level := slogLevel(entry.Level)
	if level == slog.LevelWarn && !l.serving.Load() {
		level = slog.LevelInfo
	}
	message, _, _ := strings.Cut(entry.Message, "\n")
	l.out.LogAttrs(context.Background(), level, message, attrs...) //nolint:sloglint // the message is Tyk's
	return nil
}

func (l *tykLog) remember(entry *logrus.Entry, text string) {
	if entry.Level > logrus.ErrorLevel {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = text
}

// lastError returns the last error that Tyk logged, or "".
func (l *tykLog) lastError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

func slogLevel(level logrus.Level) slog.Level {
	switch level {
	case logrus.TraceLevel, logrus.DebugLevel:
		return slog.LevelDebug
	case logrus.InfoLevel:
		return slog.LevelInfo
	case logrus.WarnLevel:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}

// noText is a logrus formatter that writes nothing.
type noText struct{}

// Format implements logrus.Formatter.
func (noText) Format(*logrus.Entry) ([]byte, error) { return nil, nil }

// fatal remembers why Tyk died.
func (l *tykLog) fatal(cause string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = "panic: " + cause
}
