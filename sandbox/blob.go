package sandbox

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
)

// maxBlobInMemory is the size in bytes up to which the content of a Binary stays in memory; a larger one goes to a temporary file.
const maxBlobInMemory = 256 << 10

// blob is the content of a Binary. It never changes.
type blob struct {
	contentType string
	size        int64
	content     io.ReaderAt
}

// newBlob reads content to its end. A temporary file is unlinked while open, so that the system frees it with the process at the latest.
func newBlob(contentType string, content io.Reader) (*blob, error) {
	head, err := io.ReadAll(io.LimitReader(content, maxBlobInMemory))
	if err != nil {
		return nil, fmt.Errorf("sandbox: content of a Binary: %w", err)
	}
	if len(head) < maxBlobInMemory {
		return &blob{contentType: contentType, size: int64(len(head)), content: bytes.NewReader(head)}, nil
	}
	file, err := os.CreateTemp("", "fhirgate-sandbox-*")
	if err != nil {
		return nil, fmt.Errorf("sandbox: content of a Binary: %w", err)
	}
	size, err := io.Copy(file, io.MultiReader(bytes.NewReader(head), content))
	if removed := os.Remove(file.Name()); err == nil {
		err = removed
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("sandbox: content of a Binary: %w", err)
	}
	return &blob{contentType: contentType, size: size, content: file}, nil
}

// reader starts at the first byte. Readers of one blob are independent.
func (b *blob) reader() io.Reader { return io.NewSectionReader(b.content, 0, b.size) }

// serve sends the content as it is.
func (b *blob) serve(w http.ResponseWriter) {
	w.Header().Set("Content-Type", b.contentType)
	w.Header().Set("Content-Length", strconv.FormatInt(b.size, 10))
	_, _ = io.Copy(w, b.reader())
}

// serveJSON sends resource, a Binary without data, with the content as its data.
func (b *blob) serveJSON(w http.ResponseWriter, contentType string, resource []byte) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(bytes.TrimSuffix(resource, []byte("}")))
	_, _ = io.WriteString(w, `,"data":"`)
	encoder := base64.NewEncoder(base64.StdEncoding, w)
	_, _ = io.Copy(encoder, b.reader())
	_ = encoder.Close()
	_, _ = io.WriteString(w, `"}`)
}
