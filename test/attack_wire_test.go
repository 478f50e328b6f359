package test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// dial opens a connection to node a from the row's own address.
func (f *fight) dial() net.Conn {
	f.t.Helper()
	conn, err := dialerFrom(f.from).Dial("tcp", strings.TrimPrefix(f.a.url, "http://"))
	require.NoError(f.t, err)
	require.NoError(f.t, conn.SetDeadline(time.Now().Add(5*time.Second)))
	f.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// wire sends text byte by byte as it is, and returns every answer that comes
// until the gateway closes the connection. The text must make it do so.
func (f *fight) wire(text string) []answer {
	f.t.Helper()
	conn := f.dial()
	go func() { _, _ = io.WriteString(conn, text) }() // the gateway may close before all is written
	method, _, _ := strings.Cut(text, " ")
	reader := bufio.NewReader(conn)
	var answers []answer
	for {
		if _, err := reader.Peek(1); err != nil {
			require.NotErrorIs(f.t, err, os.ErrDeadlineExceeded, "the connection stays open")
			return answers
		}
		response, err := http.ReadResponse(reader, &http.Request{Method: method})
		require.NoError(f.t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(f.t, err)
		response.Body.Close()
		response.Request, err = http.NewRequestWithContext(f.t.Context(), http.MethodGet, f.a.url, http.NoBody)
		require.NoError(f.t, err)
		answers = append(answers, answer{response, f.t, body})
	}
}
