package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	maxCalls    = 10_000
	maxCallBody = 64 << 10 // bytes of a body that a Call keeps
)

// Call is one request that a hospital received.
type Call struct {
	At     time.Time
	Method string
	Host   string
	Path   string
	Query  string // raw, without the question mark
	Header http.Header

	BodyBytes  int64  // how much of the body was read
	BodySHA256 string // of what was read, in hex; empty without a body
	Body       []byte // what was read, nil if that is more than 64 KiB
}

// Form returns the parameters of the query and of a form body together.
func (c Call) Form() url.Values {
	form, _ := url.ParseQuery(c.Query)
	if isForm(c.Header) {
		body, _ := url.ParseQuery(string(c.Body))
		for name, values := range body {
			form[name] = append(form[name], values...)
		}
	}
	return form
}

// callLog keeps the last calls. Its zero value is ready.
type callLog struct {
	mu    sync.Mutex
	calls []*Call
}

// begin notes r and returns it with a body that is watched while it is read; the function completes the note.
func (l *callLog) begin(r *http.Request) (*http.Request, func()) {
	call := &Call{At: time.Now(), Method: r.Method, Host: r.Host, Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header.Clone()}
	l.mu.Lock()
	if len(l.calls) == maxCalls {
		l.calls = append(make([]*Call, 0, maxCalls), l.calls[maxCalls/2:]...)
	}
	l.calls = append(l.calls, call)
	l.mu.Unlock()
	if r.Body == nil || r.Body == http.NoBody {
		return r, func() {}
	}
	watched := &watchedBody{ReadCloser: r.Body, sum: sha256.New()}
	noted := *r
	noted.Body = watched
	return &noted, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		call.BodyBytes = watched.size
		call.BodySHA256 = hex.EncodeToString(watched.sum.Sum(nil))
		if watched.size <= maxCallBody {
			call.Body = watched.kept
		}
	}
}

func (l *callLog) list() []Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := make([]Call, len(l.calls))
	for i, call := range l.calls {
		calls[i] = *call
	}
	return calls
}

func (l *callLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = nil
}

// watchedBody hashes a body while it is read and keeps its beginning.
type watchedBody struct {
	io.ReadCloser
	sum  hash.Hash
	size int64
	kept []byte
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.sum.Write(p[:n])
	b.size += int64(n)
	if b.size <= maxCallBody {
		b.kept = append(b.kept, p[:n]...)
	}
	return n, err
}
