package engine

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type result struct {
	body  string
	err   error
	close bool
}

func stream(c *http.Client, url string) <-chan result {
	done := make(chan result, 1)
	go func() {
		response, err := c.Get(url)
		if err != nil {
			done <- result{err: err}
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		done <- result{string(body), err, response.Close}
	}()
	return done
}

// TestStop: requests in flight finish, new connections are refused.
func TestStop(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "h2c"} {
		t.Run(protocol, func(t *testing.T) {
			h := startHost(t, ChainPost)
			inFlight := stream(client(t, protocol), h.url("/fhir/slow"))
			time.Sleep(300 * time.Millisecond)
			h.signal(t, syscall.SIGTERM)
			time.Sleep(200 * time.Millisecond)
			_, err := net.Dial("tcp", h.address)
			assert.Error(t, err, "the port is still open")
			got := <-inFlight
			require.NoError(t, got.err)
			assert.True(t, strings.HasSuffix(got.body, "end"))
			h.waitFor(t, "stopped <nil>")
			_, err = os.Stat(filepath.Join(h.dir, "data/engine"))
			assert.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}

// TestStopHasADeadline: what doesn't finish is cancelled, and is no complete
// answer.
func TestStopHasADeadline(t *testing.T) {
	h := startHost(t, ChainPost)
	var streams []<-chan result
	for range 3 {
		streams = append(streams, stream(client(t, "HTTP/1.1"), h.url("/fhir/slow?")))
	}
	// The drain of a test host is 3 s, a slow answer takes 2 s: hold one open.
	connection, err := net.Dial("tcp", h.address)
	require.NoError(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, "POST /fhir/count HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
	require.NoError(t, err)
	time.Sleep(200 * time.Millisecond)
	h.signal(t, syscall.SIGTERM)
	for _, s := range streams {
		assert.NoError(t, (<-s).err)
	}
	h.waitFor(t, "stopped engine: requests were cut off")
}

func TestASecondSignalStopsAtOnce(t *testing.T) {
	h := startHost(t, ChainPost)
	inFlight := stream(client(t, "HTTP/1.1"), h.url("/fhir/slow"))
	time.Sleep(200 * time.Millisecond)
	h.signal(t, syscall.SIGTERM)
	time.Sleep(100 * time.Millisecond)
	h.signal(t, syscall.SIGTERM)
	h.waitFor(t, "stopped at once")
	assert.Error(t, (<-inFlight).err)
}

// TestOtherSignals: Tyk would fork on SIGUSR2 and stop on SIGQUIT.
func TestOtherSignals(t *testing.T) {
	h := startHost(t, ChainPost)
	h.signal(t, syscall.SIGUSR2)
	h.signal(t, syscall.SIGUSR1)
	time.Sleep(300 * time.Millisecond)
	status, _ := get(t, h.url("/fhir/3k"))
	assert.Equal(t, http.StatusOK, status)
	assert.NotContains(t, h.output.String(), "spawned")
	assert.NotContains(t, h.output.String(), "re-executing")
}

func TestAPortInUseRefusesStart(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	h := launchHost(t, ChainPost, "127.0.0.1:1", func(conf map[string]any) {
		conf["listen_port"] = listener.Addr().(*net.TCPAddr).Port
	})
	require.Error(t, h.command.Wait())
	assert.Contains(t, h.output.String(), listener.Addr().String()+" is already in use")
}

func TestADataFolderInUseRefusesStart(t *testing.T) {
	h := startHost(t, ChainPost)
	second := launchHost(t, ChainPost, h.redis, func(conf map[string]any) {
		conf["fhirgate"].(map[string]any)["data_dir"] = filepath.Join(h.dir, "data")
	})
	require.Error(t, second.command.Wait())
	assert.Contains(t, second.output.String(), ErrInUse.Error())
	status, _ := get(t, h.url("/fhir/3k"))
	assert.Equal(t, http.StatusOK, status, "the first one is not disturbed")
}
