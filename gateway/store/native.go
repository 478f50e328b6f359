package store

import (
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// Command is a command of our own that the embedded store executes in Go, for
// what would be a Lua script on a real Redis: miniredis builds a Lua machine for
// each script, which costs many times the command itself.
//
// Like a script it is atomic among writing commands, and what it changed is on
// disk (or will be, for counters) before it is answered. It is not available
// in MULTI or to scripts.
type Command struct {
	// Keys returns the keys among the arguments, which may be any arguments at
	// all. The command uses no other keys.
	Keys func(args []string) []string
	// Run executes the command. The integers are its answer; the error's text is
	// its answer instead, and should begin with a Redis error code such as ERR.
	Run func(tx *Tx, args []string) ([]int64, error)
}

// Tx is what a [Command] sees of the store, valid while it runs.
type Tx struct {
	db  *miniredis.RedisDB
	now time.Time
}

// Now returns the store's time, in whole milliseconds.
func (t *Tx) Now() time.Time {
	return t.now
}

// Get returns the string at key, or an error that is [miniredis.ErrKeyNotFound]
// or [miniredis.ErrWrongType].
func (t *Tx) Get(key string) (string, error) {
	return t.db.Get(key)
}

// TTL returns how long the key still lives, 0 when it lives for ever or does not exist.
func (t *Tx) TTL(key string) time.Duration {
	return t.db.TTL(key)
}

// Set makes key hold value for ttl, in whole milliseconds; 0 is for ever. The
// error is [miniredis.ErrWrongType] when it holds something else than a string.
func (t *Tx) Set(key, value string, ttl time.Duration) error {
	if err := t.db.Set(key, value); err != nil {
		return err
	}
	if ttl != 0 {
		t.db.SetTTL(key, ttl)
	}
	return nil
}

// handler lets miniredis execute a command. It runs within embedded.execute.
func (e *embedded) handler(c Command) server.Cmd {
	return func(peer *server.Peer, _ string, args []string) {
		answer, err := c.Run(&Tx{db: e.engine.db, now: e.run.now}, args)
		if err != nil {
			peer.WriteError(err.Error())
			return
		}
		peer.Block(func(w *server.Writer) {
			w.WriteLen(len(answer))
			for _, n := range answer {
				w.WriteInt(int(n))
			}
		})
	}
}
