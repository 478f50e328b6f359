package gateway

import (
	"log"
	"log/slog"
	"strings"
)

// quietLibraries takes what libraries say by the log package into our log, up
// to the first thing that they quote. net/http says there, with all bytes, what
// a hospital sent beyond its Content-Length: a piece of a resource.
func quietLibraries(to *slog.Logger) {
	log.SetFlags(0)
	log.SetOutput(libraryLog{to})
}

type libraryLog struct{ log *slog.Logger }

// Write logs one line of a library.
func (l libraryLog) Write(line []byte) (int, error) {
	text, _, _ := strings.Cut(string(line), `"`)
	text, _, _ = strings.Cut(text, "\n")
	l.log.Warn("a library reports", "text", strings.TrimSpace(text))
	return len(line), nil
}
