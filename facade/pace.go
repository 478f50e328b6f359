package facade

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// clientPause is how long a caller may take for the next piece of a body, in
// either direction, before the connection is closed. The whole of a body may
// take as long as it needs.
const clientPause = 60 * time.Second

// pacedBody is a request body whose reader must not stall.
type pacedBody struct {
	io.ReadCloser
	deadline func(time.Time) error
}

// Read reads the next piece, which must come within clientPause. Behind the last
// one there is no deadline: net/http goes on reading to see whether the caller is
// still there, and would take the deadline's end for the caller's.
func (b *pacedBody) Read(p []byte) (int, error) {
	_ = b.deadline(time.Now().Add(clientPause)) // a server without deadlines has none to keep
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.deadline(time.Time{})
	}
	return n, err
}

// pace sets the deadlines of a call's connection anew with every piece.
func (c *call) pace() {
	controller := http.NewResponseController(c.w.ResponseWriter)
	c.w.deadline = controller.SetWriteDeadline
	if c.r.Body != nil && c.r.Body != http.NoBody {
		c.r.Body = &pacedBody{ReadCloser: c.r.Body, deadline: controller.SetReadDeadline}
	}
}
