package engine

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/assert"
)

// TestTyksLogLines: fields hold paths, addresses and keys.
func TestTyksLogLines(t *testing.T) {
	var out bytes.Buffer
	l := &tykLog{out: slog.New(slog.NewJSONHandler(&out, nil))}
	logger := logrus.New()
	logger.SetOutput(&out)
	logger.SetFormatter(noText{})
	logger.AddHook(l)
	line := func() {
		logger.WithField("path", "/fhir/x/Patient/canary").WithField("key", "canary").WithField("prefix", "main").
			WithError(errors.New("canary-error")).Warn("message\nof two lines")
	}
	line()
	assert.Contains(t, out.String(), `"level":"INFO","msg":"message","component":"tyk","prefix":"main","error":"canary-error"`)
	assert.NotContains(t, out.String(), "Patient")
	out.Reset()
	l.serving.Store(true)
	line()
	assert.Contains(t, out.String(), `"level":"WARN","msg":"message","component":"tyk","prefix":"main"}`)
	assert.NotContains(t, out.String(), "canary")
}

func TestTheServersLogLines(t *testing.T) {
	var out bytes.Buffer
	log := slog.NewLogLogger(quietly{slog.NewJSONHandler(&out, nil)}, slog.LevelError)
	log.Print("http: TLS handshake error from 10.0.0.1:5: EOF")
	assert.Empty(t, out.String())
	log.Print("http: panic serving 10.0.0.1:5: canary\ngoroutine 1")
	assert.Contains(t, out.String(), `"level":"ERROR","msg":"http: panic","component":"http"}`)
}

func TestPanicCausesHoldNoValues(t *testing.T) {
	assert.Equal(t, "string", panicCause("canary"))
	assert.Equal(t, "*errors.errorString", panicCause(errors.New("canary")))
	func() {
		defer func() { assert.Contains(t, panicCause(recover()), "index out of range [3] with length 0") }()
		_ = []int{}[len("abc")]
	}()
}
