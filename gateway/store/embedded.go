package store

import (
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2/server"
)

// embedded is the Redis in this process: miniredis with persistence and expiry.
type embedded struct {
	engine   *engine
	journal  *journal
	counters []string // key prefixes
	commands map[string]command
	now      func() time.Time

	clients  clients
	sessions sync.Map // *server.Peer to *session, for both peers of a session

	// mu is held while a command that writes or reads the clock executes, so
	// that the journal's order is the order of execution.
	mu      sync.Mutex
	keys    *keyIndex
	changed map[string]struct{} // counters that the journal does not have yet
	run     execution
}

// execution is the command that runs under embedded.mu.
type execution struct {
	keys    []string // that it may write
	written []string // that a script of it wrote
}

func newEmbedded(dir string, counters []string, log *slog.Logger) (*embedded, error) {
	engine, err := newEngine()
	if err != nil {
		return nil, err
	}
	e := &embedded{
		engine:   engine,
		counters: counters,
		commands: commands(),
		now:      time.Now,
		keys:     newKeyIndex(),
		changed:  map[string]struct{}{},
	}
	e.journal = newJournal(dir, e, log)
	return e, nil
}

// listen serves on a free loopback port, to clients that know the password.
func (e *embedded) listen(password string) (*net.TCPAddr, error) {
	e.engine.redis.RequireAuth(password)
	// Dial starts miniredis without a listener of its own, so that the hook is
	// in place before the first connection.
	unused, err := e.engine.redis.Dial()
	if err != nil {
		return nil, err
	}
	if err := unused.Close(); err != nil {
		return nil, err
	}
	e.clients.server = e.engine.redis.Server()
	e.clients.server.SetPreHook(e.hook)
	return e.clients.listen()
}

// close ends all connections and then the journal.
func (e *embedded) close() error {
	e.clients.close()
	e.engine.redis.Close()
	return e.journal.close()
}

// load puts the keys that have not expired into the empty store.
func (e *embedded) load(states map[string]entry) error {
	now := e.now().UnixMilli()
	for _, s := range states {
		if s.deadline != 0 && s.deadline <= now {
			continue
		}
		if err := e.engine.restore(s); err != nil {
			return fmt.Errorf("restore a key: %w", err)
		}
		e.keys.set(s.key, s.deadline)
	}
	return nil
}

// hook is miniredis' pre-hook: it sees each command first, also those that a
// script calls, and returns true when it has answered it.
//
// A connection has two peers: the one that miniredis made, and a buffered one
// on which writing commands execute, so that nothing of their answer leaves
// before it may. A peer that has a context before it is known here is one that
// miniredis made for a script.
func (e *embedded) hook(peer *server.Peer, name string, args ...string) bool {
	known, ok := e.sessions.Load(peer)
	switch {
	case !ok && peer.Ctx != nil:
		return e.calledByScript(peer, name, args)
	case !ok:
		s := newSession(peer)
		e.sessions.Store(s.outer, s)
		e.sessions.Store(s.inner, s)
		peer.OnDisconnect(func() {
			e.sessions.Delete(s.outer)
			e.sessions.Delete(s.inner)
		})
		known = s
	}
	s := known.(*session)
	if peer == s.inner {
		return false
	}
	return e.serve(s, name, args)
}

// serve executes a connection's command.
func (e *embedded) serve(s *session, name string, args []string) bool {
	spec, problem := e.admit(s, name, args)
	if problem != "" {
		s.broken = s.transaction
		s.outer.WriteError(problem)
		return true
	}
	if spec.access == reads {
		if now := e.now(); e.keys.due(now.UnixMilli()) {
			e.mu.Lock()
			e.expire(now)
			e.mu.Unlock()
		}
		return false
	}
	abort := name == "EXEC" && s.broken
	if abort {
		name = "DISCARD"
	}
	reply, written := e.execute(s, name, args, spec)
	if abort {
		reply = "-EXECABORT Transaction discarded because of previous errors.\r\n"
	}
	if written != nil {
		if err := written.wait(); err != nil {
			s.outer.WriteError("IOERR the change is not on disk, and the store refuses all commands until a restart")
			return true
		}
	}
	s.outer.WriteRaw(reply)
	return true
}

// admit looks the command up and returns an error answer if it may not execute.
func (e *embedded) admit(s *session, name string, args []string) (spec command, problem string) {
	spec, ok := e.commands[name]
	switch {
	case !s.authenticated && name != "AUTH" && name != "HELLO" && name != "QUIT":
		problem = "NOAUTH Authentication required."
	case e.journal.broken.Load():
		problem = "IOERR the store's disk has failed, and it refuses all commands until a restart"
	case !ok:
		problem = fmt.Sprintf("ERR the embedded store does not offer the command '%.32s'", strings.ToLower(name))
	case name == "SELECT" && len(args) == 1 && args[0] != "0":
		problem = "ERR the embedded store has one database, 0"
	case s.transaction && strings.HasSuffix(name, "SUBSCRIBE"):
		problem = "ERR the embedded store does not subscribe in a transaction"
	}
	return spec, problem
}

// execute runs a command on the session's inner peer and hands what it changed
// to the journal. The batch is nil when there is nothing to wait for.
func (e *embedded) execute(s *session, name string, args []string, spec command) (reply string, written *batch) {
	var keys []string
	if spec.keys != nil {
		keys = spec.keys(args)
	}
	if name == "EXEC" {
		keys = s.queuedKeys
	}

	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.begin(keys, spec.rounds)
	e.run = execution{keys: keys}
	reply = s.dispatch(e.clients.server, name, args) // redis.Server() is nil once it is closed
	changed := e.run.written
	switch {
	case s.transaction && name != "EXEC": // queued
		s.queuedKeys = append(s.queuedKeys, keys...)
		if spec.access == writes && !spec.script {
			s.queuedWrites = append(s.queuedWrites, keys...)
		}
	case name == "EXEC":
		changed = append(changed, s.queuedWrites...)
	case spec.access == writes && !spec.script:
		changed = keys
	}
	s.follow(name, args, reply)
	return reply, e.record(changed, now)
}

// calledByScript checks a command that a script calls, while execute runs the
// script: it may write only what the script declared.
func (e *embedded) calledByScript(peer *server.Peer, name string, args []string) bool {
	spec, ok := e.commands[name]
	if !ok || spec.access == connects {
		peer.WriteError("ERR the embedded store does not offer this command to scripts")
		return true
	}
	if spec.keys == nil {
		return false
	}
	keys := spec.keys(args)
	for _, key := range keys {
		if !slices.Contains(e.run.keys, key) {
			peer.WriteError("ERR the script uses a key that is not in KEYS")
			return true
		}
	}
	if spec.access == writes {
		e.run.written = append(e.run.written, keys...)
	}
	return false
}
