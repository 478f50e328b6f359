package engine

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// client returns an HTTP client: "HTTP/1.1", "h2c" (prior knowledge) or "h2".
func client(t *testing.T, protocol string) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	switch protocol {
	case "HTTP/1.1":
		transport.Protocols.SetHTTP1(true)
	case "h2c":
		transport.Protocols.SetUnencryptedHTTP2(true)
	case "h2":
		transport.Protocols.SetHTTP2(true)
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

func TestRequestsReachTheirHandlerUnchanged(t *testing.T) {
	for _, chain := range []Chain{ChainPre, ChainPost, ChainAuthCheck} {
		t.Run(string(chain), func(t *testing.T) {
			h := startHost(t, chain)
			status, body := get(t, h.url("/fhir/3k"))
			assert.Equal(t, http.StatusOK, status)
			assert.Equal(t, string(threeKilobytes), body)
			for _, path := range []string{"/fhir", "/hello", "/tyk-alive", "/tyk/keys", "/tyk/reload/?block=true", "/fhirx", "/tyk/rate-limits/", "/debug/pprof/"} {
				status, body := get(t, h.url(path))
				assert.Equal(t, http.StatusNotFound, status, path)
				assert.True(t, strings.HasPrefix(body, "root "), "%s answered %s", path, body)
			}
			status, body = get(t, h.url("/fhir/tyk/rate-limits/"))
			assert.GreaterOrEqual(t, status, http.StatusBadRequest, "Tyk answers keyed APIs there by itself")
			assert.NotContains(t, body, "quota")
			_, body = get(t, h.url("/fhir/seen?q=1;2"))
			assert.Contains(t, body, "HTTP/1.1 GET /fhir/seen?q=1;2 length=0")
		})
	}
}

func TestPathsAreNotCleaned(t *testing.T) {
	h := startHost(t, ChainPost)
	for _, path := range []string{"/a//b", "/a/../b", "//fhir/3k", "/a/%2e%2e/b"} {
		connection, err := net.Dial("tcp", h.address)
		require.NoError(t, err)
		defer connection.Close()
		_, err = io.WriteString(connection, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusNotFound, response.StatusCode, path)
		assert.Empty(t, response.Header.Get("Location"), path)
	}
}

// TestOddRequests: what no definition matches is an OperationOutcome, too.
func TestOddRequests(t *testing.T) {
	h := startHost(t, ChainPost)
	for _, line := range []string{"GET http://x HTTP/1.1", "CONNECT x:443 HTTP/1.1"} {
		connection, err := net.Dial("tcp", h.address)
		require.NoError(t, err)
		defer connection.Close()
		_, err = io.WriteString(connection, line+"\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		require.NoError(t, err)
		body := make([]byte, response.ContentLength)
		_, err = io.ReadFull(response.Body, body)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, response.StatusCode, http.StatusBadRequest, line)
		assert.NotContains(t, string(body), "page not found", line)
		t.Logf("%s: %d %s", line, response.StatusCode, body)
	}
}

// TestHiddenEntrances: each definition also answers at /{api_id}/.
func TestHiddenEntrances(t *testing.T) {
	h := startHost(t, ChainPost)
	in, err := loadInstall(filepath.Join(h.dir, "data"))
	require.NoError(t, err)
	require.Len(t, in.FHIR, 32)
	_, body := get(t, h.url("/fhir/seen"))
	require.Contains(t, body, "/fhir/seen")
	// Who knows the random id reaches the handler with the path as it is; the
	// handler demands /fhir/ itself.
	status, _ := get(t, h.url("/"+in.FHIR+"/3k"))
	assert.Equal(t, http.StatusNotFound, status)
	// Tyk's own data socket is gone, and its control socket wants the secret.
	_, err = net.Dial("unix", filepath.Join(h.dir, "data/engine", socketName(dataPort)))
	require.Error(t, err)
	connection, err := net.Dial("unix", filepath.Join(h.dir, "data/engine", socketName(controlPort)))
	require.NoError(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, "GET /tyk/keys HTTP/1.1\r\nHost: x\r\nX-Tyk-Authorization: 352d20ee67be67f6340b4c0605b044b7\r\n\r\n")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusForbidden, response.StatusCode)
	info, err := os.Stat(filepath.Join(h.dir, "data/engine"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	_, err = os.Stat(filepath.Join(h.dir, "data/engine/tyk.conf"))
	assert.ErrorIs(t, err, os.ErrNotExist, "the file with the secrets must not stay")
}

// TestTyksOwnRefusals: what Tyk refuses is an OperationOutcome, and its words
// and headers don't come out.
func TestTyksOwnRefusals(t *testing.T) {
	h := startHost(t, ChainAuthKey)
	for _, c := range []struct {
		key    string
		status int
		header string
		code   string
	}{{"", 401, "Bearer", "login"}, {"nope-nope", 403, "", "forbidden"}} {
		request, err := http.NewRequest(http.MethodGet, h.url("/fhir/3k"), nil)
		require.NoError(t, err)
		if c.key != "" {
			request.Header.Set("Authorization", c.key)
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		assert.Equal(t, c.status, response.StatusCode)
		assert.Equal(t, "application/fhir+json; charset=utf-8", response.Header.Get("Content-Type"))
		assert.Equal(t, c.header, response.Header.Get("WWW-Authenticate"))
		var outcome struct {
			ResourceType string
			Issue        []struct{ Severity, Code, Diagnostics string }
		}
		require.NoError(t, json.NewDecoder(response.Body).Decode(&outcome))
		assert.Equal(t, "OperationOutcome", outcome.ResourceType)
		assert.Equal(t, c.code, outcome.Issue[0].Code)
	}
	_, body := get(t, h.url("/keys"))
	token, rest, _ := strings.Cut(body, " ")
	require.Equal(t, "<nil>", rest)
	request, err := http.NewRequest(http.MethodGet, h.url("/fhir/3k"), nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", token)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode, "Tyk's own key check accepts our key")
}

// TestHandlersThatFail covers the dangerous behaviours of Tyk: it turns a panic
// into an empty 200 and an aborted answer into a complete one.
func TestHandlersThatFail(t *testing.T) {
	plain := startHost(t, ChainPost)
	secure := startHost(t, ChainPost, withTLS(t))
	for _, c := range []struct{ protocol, base string }{
		{"HTTP/1.1", plain.url("")},
		{"h2c", plain.url("")},
		{"h2", "https://" + secure.address},
	} {
		t.Run(c.protocol, func(t *testing.T) {
			http := client(t, c.protocol)
			for _, path := range []string{"/fhir/panic", "/fhir/nothing", "/panic"} {
				response, err := http.Get(c.base + path)
				require.NoError(t, err, path)
				body, err := io.ReadAll(response.Body)
				require.NoError(t, err, path)
				response.Body.Close()
				assert.Equal(t, 500, response.StatusCode, path)
				assert.Contains(t, string(body), `"OperationOutcome"`, path)
				assert.NotContains(t, string(body), "canary", path)
			}
			for _, path := range []string{"/fhir/panic-late", "/fhir/abort", "/fhir/abort-length", "/fhir/abort-buffered"} {
				response, err := http.Get(c.base + path)
				if err != nil {
					continue // nothing of the answer came out
				}
				assert.Equal(t, 200, response.StatusCode, path)
				_, err = io.ReadAll(response.Body)
				response.Body.Close()
				assert.Error(t, err, "%s ended cleanly", path)
			}
			_, err := http.Get(c.base + "/fhir/abort-early")
			assert.Error(t, err)
			response, err := http.Get(c.base + "/fhir/3k")
			require.NoError(t, err, "the gateway serves on")
			response.Body.Close()
			assert.Equal(t, 200, response.StatusCode)
		})
	}
	for _, h := range []*host{plain, secure} {
		assert.NotContains(t, h.output.String(), "canary")
		assert.NotContains(t, h.output.String(), "/fhir/panic")
		assert.Contains(t, h.output.String(), "a handler panicked")
	}
}

// TestOtherClientsSeeTheAbort does the same with clients that aren't Go's.
func TestOtherClientsSeeTheAbort(t *testing.T) {
	h := startHost(t, ChainPost)
	for name, command := range map[string][]string{
		"curl":                     {"curl", "-sS", "--http1.1"},
		"curl h2c prior knowledge": {"curl", "-sS", "--http2-prior-knowledge"},
		"node fetch":               {"node", "-e", `fetch(process.argv[1]).then(r => r.text()).then(() => process.exit(0), e => { console.error(e.message, e.cause && e.cause.code); process.exit(9) })`},
	} {
		for _, path := range []string{"/fhir/abort", "/fhir/abort-length", "/fhir/panic-late"} {
			full := append(append([]string{}, command...), h.url(path))
			out, err := exec.Command(full[0], full[1:]...).CombinedOutput()
			assert.Error(t, err, "%s took half of %s for an answer", name, path)
			t.Logf("%s %s: %v %s", name, path, err, bytes.TrimSpace(out))
		}
		full := append(append([]string{}, command...), h.url("/fhir/3k"))
		out, err := exec.Command(full[0], full[1:]...).CombinedOutput()
		assert.NoError(t, err, "%s: %s", name, out)
	}
}

// TestBodiesStream: Tyk reads a body with a Content-Length into memory, and any
// body of a request that asks for the h2c upgrade.
func TestBodiesStream(t *testing.T) {
	const size = 300 << 20
	h := startHost(t, ChainPost)
	for _, c := range []struct {
		name   string
		length int64
		header http.Header
	}{
		{"with a length", size, nil},
		{"chunked", -1, nil},
		{"that wants h2c", size, http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {"AAMAAABkAAQAAP__"}}},
	} {
		request, err := http.NewRequest(http.MethodPost, h.url("/fhir/count"), io.LimitReader(zeros{}, size))
		require.NoError(t, err)
		request.ContentLength = c.length
		for name, values := range c.header {
			request.Header[name] = values
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		response.Body.Close()
		var read, grown int
		_, err = scan(string(body), &read, &grown)
		require.NoError(t, err, string(body))
		assert.Equal(t, size, read, c.name)
		assert.Less(t, grown, 64<<10, "%s: resident kilobytes", c.name)
		t.Logf("%s: resident memory grew by %d KB", c.name, grown)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func scan(body string, read, grown *int) (int, error) {
	fields := strings.Fields(body)
	var err error
	if *read, err = strconv.Atoi(fields[0]); err != nil {
		return 0, err
	}
	*grown, err = strconv.Atoi(fields[len(fields)-1])
	return 2, err
}

// TestRefusedUpload: Tyk copies the request of a 403 into an event, body and
// all, unless it is kept from it.
func TestRefusedUpload(t *testing.T) {
	h := startHost(t, ChainPost)
	request, err := http.NewRequest(http.MethodPost, h.url("/fhir/forbidden"), strings.NewReader("canary-value"))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, http.StatusForbidden, response.StatusCode)
	assert.Equal(t, "own words\n", string(body))
	assert.NotContains(t, h.output.String(), "Go-plugin", "Tyk took our answer for a failure")
}

func TestDeadlinesReachTheConnection(t *testing.T) {
	h := startHost(t, ChainPost)
	connection, err := net.Dial("tcp", h.address)
	require.NoError(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, "POST /fhir/deadline HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	body, _ := io.ReadAll(response.Body)
	assert.Equal(t, "<nil> true", string(body))
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	h := startHost(t, ChainPost)
	connection, err := net.Dial("tcp", h.address)
	require.NoError(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, "GET /fhir/3k HTTP/1.1\r\nHost: x\r\n")
	require.NoError(t, err)
	require.NoError(t, connection.SetReadDeadline(time.Now().Add(2*readHeaderTimeout)))
	_, err = io.ReadAll(connection)
	assert.NoError(t, err, "the connection is closed before our own deadline")
	status, _ := get(t, h.url("/fhir/3k"))
	assert.Equal(t, http.StatusOK, status)
}

func TestHugeHeadersAreRefused(t *testing.T) {
	h := startHost(t, ChainPost)
	request, err := http.NewRequest(http.MethodGet, h.url("/fhir/3k"), nil)
	require.NoError(t, err)
	request.Header.Set("X-Long", strings.Repeat("x", 2*maxHeaderBytes))
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		response.Body.Close()
		assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, response.StatusCode)
	}
}

// TestReload: requests in flight survive it, policies are new afterwards.
func TestReload(t *testing.T) {
	h := startHost(t, ChainPost)
	stream := make(chan string, 1)
	go func() {
		response, err := http.Get(h.url("/fhir/slow"))
		if err != nil {
			stream <- err.Error()
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			stream <- err.Error()
			return
		}
		stream <- string(body)
	}()
	time.Sleep(100 * time.Millisecond)
	h.signal(t, syscall.SIGHUP)
	for !strings.Contains(h.output.String(), "reloaded") {
		status, _ := get(t, h.url("/fhir/3k"))
		require.Equal(t, http.StatusOK, status, "during the reload")
	}
	assert.True(t, strings.HasSuffix(<-stream, "end"))
	status, _ := get(t, h.url("/fhir/3k"))
	assert.Equal(t, http.StatusOK, status)
	status, _ = get(t, h.url("/other"))
	assert.Equal(t, http.StatusNotFound, status)
}
