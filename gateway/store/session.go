package store

import (
	"bufio"
	"bytes"
	"strings"

	"github.com/alicebob/miniredis/v2/server"
)

// session is one connection to the embedded store. Only the connection's own
// goroutine uses it.
type session struct {
	outer *server.Peer // writes to the connection
	inner *server.Peer // writes to answer
	// answer collects what a command answers, out is its buffer.
	answer bytes.Buffer
	out    *bufio.Writer

	authenticated bool
	transaction   bool     // between MULTI and EXEC or DISCARD
	broken        bool     // the transaction holds a command that was refused
	queuedKeys    []string // that the transaction's commands may use
	queuedWrites  []string // that its commands, scripts apart, will write
}

func newSession(outer *server.Peer) *session {
	s := &session{outer: outer}
	s.out = bufio.NewWriter(&s.answer)
	s.inner = server.NewPeer(s.out)
	return s
}

// dispatch executes a command and returns its answer, in Redis' protocol.
func (s *session) dispatch(srv *server.Server, name string, args []string) string {
	s.answer.Reset()
	s.inner.Ctx, s.inner.Resp3 = s.outer.Ctx, s.outer.Resp3
	srv.Dispatch(s.inner, append([]string{name}, args...))
	s.inner.Flush()
	s.outer.Ctx, s.outer.Resp3 = s.inner.Ctx, s.inner.Resp3
	return s.answer.String()
}

// follow keeps the connection's state in step with miniredis', from an executed
// command's answer.
func (s *session) follow(name string, args []string, reply string) {
	switch name {
	case "AUTH":
		s.authenticated = s.authenticated || reply == "+OK\r\n"
	case "HELLO":
		s.authenticated = s.authenticated || len(args) > 1 && strings.EqualFold(args[1], "AUTH") && !strings.HasPrefix(reply, "-")
	case "MULTI":
		s.transaction = s.transaction || reply == "+OK\r\n"
	case "EXEC":
		if strings.HasPrefix(reply, "*") || strings.HasPrefix(reply, "-EXECABORT") {
			s.endTransaction()
		}
	case "DISCARD":
		if reply == "+OK\r\n" {
			s.endTransaction()
		}
	}
}

func (s *session) endTransaction() {
	s.transaction, s.broken = false, false
	s.queuedKeys, s.queuedWrites = nil, nil
}
