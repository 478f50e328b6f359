package test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// megabyte is the unit of everything here, in bytes.
const megabyte = 1_000_000

// unhurried waits as long as a large transfer takes, where plainHTTP would not.
var unhurried = &http.Client{Transport: &http.Transport{DisableCompression: true}}

// TestLarge sends what is too large to keep in memory carelessly.
func TestLarge(t *testing.T) {
	t.Run("Binary", largeBinary)
	t.Run("DocumentReference", largeDocument)
}

// largeBinary stores PDFs of 300 MB and of 1 GB at a hospital and reads them back. It only
// streams through the gateway, whose memory must not follow its size.
func largeBinary(t *testing.T) {
	c := startGateway(t, options{}).newClient(t, "e2e")
	storeBinary(t, c, megabyte/10, true)
	storeBinary(t, c, megabyte/10, false)
	for _, way := range []struct {
		name    string
		size    int64
		chunked bool
		most    int64 // bytes that the gateway's memory may grow by
	}{
		{"with Content-Length", 300 * megabyte, false, 64 * megabyte},
		{"chunked", 300 * megabyte, true, 64 * megabyte},
		{"1 GB", 1000 * megabyte, false, 32 * megabyte},
	} {
		t.Run(way.name, func(t *testing.T) {
			grown := watchMemory(t, c.process)
			storeBinary(t, c, way.size, way.chunked)
			growth := grown()
			t.Logf("the gateway's resident memory grew by %.1f MB", float64(growth)/megabyte)
			require.Less(t, growth, way.most)
		})
	}
}

// storeBinary creates a PDF of size bytes at harbor and reads it back from the
// Location that came. It never holds it in memory.
func storeBinary(t *testing.T, c *client, size int64, chunked bool) {
	t.Helper()
	sent, received := sha256.New(), sha256.New()
	length := size
	if chunked {
		length = -1
	}
	created := c.transfer(t, http.MethodPost, c.url+"/fhir/harbor/Binary", io.TeeReader(pdf(size), sent), length, "Content-Type", "application/pdf")
	body, err := io.ReadAll(created.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode, "%.2000s", body)
	location := created.Header.Get("Location")
	require.True(t, strings.HasPrefix(location, c.url+"/fhir/harbor/Binary/"), "Location: %q", location)

	read := c.transfer(t, http.MethodGet, location, nil, 0, "Accept", "application/pdf")
	require.Equal(t, http.StatusOK, read.StatusCode)
	require.Equal(t, "application/pdf", read.Header.Get("Content-Type"))
	n, err := io.Copy(received, read.Body)
	require.NoError(t, err)
	require.Equal(t, size, n)
	require.Equal(t, sent.Sum(nil), received.Sum(nil), "the SHA-256 of what came back")
}

// largeDocument delivers a report with a PDF of 50 MB inside and reads it back.
// The gateway rewrites its references, so that it does hold it in memory.
func largeDocument(t *testing.T) {
	c := startGateway(t, options{}).newClient(t, "e2e")
	content, err := io.ReadAll(pdf(50 * megabyte))
	require.NoError(t, err)
	visit, ok := c.Harbor.Resource("Encounter", c.Harbor.IDs("Encounter")[0])
	require.True(t, ok)
	base := c.url + "/fhir/harbor"
	report := encode(t, document(delivery{
		subject:   base + "/" + gjson.GetBytes(visit, "subject.reference").Str,
		encounter: base + "/Encounter/" + gjson.GetBytes(visit, "id").Str,
		at:        time.Now().UTC().Format(time.RFC3339),
		pdf:       content,
	}))
	c.get("/fhir/harbor/Patient?_count=1").ok(http.StatusOK)

	grown := watchMemory(t, c.process)
	created := c.transfer(t, http.MethodPost, base+"/DocumentReference", strings.NewReader(report), int64(len(report)), "Content-Type", fhirJSON)
	body, err := io.ReadAll(created.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode, "%.2000s", body)
	read := c.transfer(t, http.MethodGet, created.Header.Get("Location"), nil, 0, "Accept", fhirJSON)
	body, err = io.ReadAll(read.Body)
	require.NoError(t, err)
	t.Logf("the gateway's resident memory grew by %.1f MB for a body of %.1f MB", float64(grown())/megabyte, float64(len(report))/megabyte)

	require.Equal(t, http.StatusOK, read.StatusCode, "%.2000s", body)
	data, err := base64.StdEncoding.DecodeString(gjson.GetBytes(body, "content.0.attachment.data").Str)
	require.NoError(t, err)
	require.Equal(t, sha256.Sum256(content), sha256.Sum256(data), "the SHA-256 of what came back")
}

// transfer calls the gateway and returns the answer unread. A length of -1
// sends the body chunked; header are name, value pairs.
func (c *client) transfer(t *testing.T, method, target string, body io.Reader, length int64, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, body)
	require.NoError(t, err)
	r.ContentLength = length
	r.Header.Set("Authorization", "Bearer "+c.key)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := unhurried.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// pdf returns size bytes that begin as a PDF, the same ones every time, and
// that do not compress.
func pdf(size int64) io.Reader {
	noise := rand.NewChaCha8([32]byte([]byte("a large report of the tests 2026")))
	return io.LimitReader(io.MultiReader(strings.NewReader("%PDF-1.7\n"), noise), size)
}

// watchMemory looks at the resident memory of a process every 50 ms, until
// grown tells by how many bytes it was ever larger than at the beginning.
func watchMemory(t *testing.T, p *process) (grown func() int64) {
	t.Helper()
	before, err := residentMemory(p)
	require.NoError(t, err)
	type result struct {
		most int64
		err  error
	}
	stop, results := make(chan struct{}), make(chan result, 1)
	go func() {
		r := result{most: before}
		defer func() { results <- r }()
		ticks := time.NewTicker(50 * time.Millisecond)
		defer ticks.Stop()
		for {
			var now int64
			if now, r.err = residentMemory(p); r.err != nil {
				return
			}
			r.most = max(r.most, now)
			select {
			case <-stop:
				return
			case <-ticks.C:
			}
		}
	}()
	return func() int64 {
		t.Helper()
		close(stop)
		r := <-results
		require.NoError(t, r.err)
		return r.most - before
	}
}

// residentMemory returns the resident memory of a process in bytes.
func residentMemory(p *process) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := bytes.Cut(status, []byte("\nVmRSS:"))
	line, _, _ := bytes.Cut(rest, []byte(" kB\n"))
	if !found {
		return 0, fmt.Errorf("process %d has no resident memory", p.cmd.Process.Pid)
	}
	kibibytes, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
	return kibibytes << 10, err
}
