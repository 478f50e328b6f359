package upstream

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"

	"fhirgate/fhir"
)

// An answer that grows by more than maxGrowth while it is decompressed is an
// attack: JSON with much repetition shrinks to a twentieth. Small answers may
// grow as they like.
const (
	maxGrowth     = 100
	growthMatters = 4 << 20 // decompressed bytes from which on maxGrowth holds
)

// errBomb is the end of an answer that grew too much.
var errBomb = errors.New("the hospital's answer grows out of all proportion when it is decompressed")

// errTooLarge is the end of an answer that is longer than the route allows.
var errTooLarge = errors.New("the hospital's answer is larger than its route allows")

// decode undoes the content coding that the transport asked for and bounds what
// comes out of it.
func decode(resp *http.Response, limit int64) error {
	switch coding := strings.ToLower(resp.Header.Get("Content-Encoding")); coding {
	case "", "identity":
		if resp.ContentLength > limit {
			_ = resp.Body.Close() // not wanted any more
			return errTooLarge
		}
		resp.Body = &boundedBody{ReadCloser: resp.Body, left: limit}
	case "gzip", "x-gzip":
		packed := &countedReader{r: resp.Body}
		resp.Body = &boundedBody{ReadCloser: &gunzipBody{body: resp.Body, packed: packed}, left: limit, packed: packed}
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength, resp.Uncompressed = -1, true
	default:
		_ = resp.Body.Close() // nobody could read it
		return fhir.NewError(http.StatusBadGateway, fhir.IssueStructure, "the hospital's answer has a content coding that nobody asked for")
	}
	return nil
}

// countedReader counts what is read.
type countedReader struct {
	r io.Reader
	n int64
}

// Read reads and counts.
func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// gunzipBody decompresses from its first Read on, so that an answer without a
// body is no error.
type gunzipBody struct {
	body   io.Closer
	packed *countedReader
	zr     *gzip.Reader
}

// Read returns decompressed bytes.
func (g *gunzipBody) Read(p []byte) (int, error) {
	if g.zr == nil {
		var err error
		if g.zr, err = gzip.NewReader(g.packed); err != nil {
			return 0, err
		}
	}
	return g.zr.Read(p)
}

// Close closes the answer's body.
func (g *gunzipBody) Close() error { return g.body.Close() }

// boundedBody fails when more comes than is allowed, or when it grows too much.
type boundedBody struct {
	io.ReadCloser
	left   int64
	out    int64
	packed *countedReader // nil for a body that is not compressed
}

// Read reads within the bounds.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	b.out += int64(n)
	switch {
	case b.left < 0:
		return 0, errTooLarge
	case b.packed != nil && b.out > growthMatters && b.out/maxGrowth > b.packed.n:
		return 0, errBomb
	}
	return n, err
}
