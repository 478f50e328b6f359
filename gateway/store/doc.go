// Package store gives the gateway its Redis: a real one when the operator
// configures it, otherwise an embedded one in this process that keeps its
// data on disk.
//
// # The embedded store
//
// The engine is miniredis, which forgets everything at exit and never expires
// a key by itself. This package adds both, from miniredis' own command hook:
// every command that a connection sends passes through [embedded.hook] before
// it reaches miniredis.
//
// Persistence records states, not commands. When a command has changed keys,
// each such key's whole new state (type, content, absolute expiry) goes into
// the journal, all keys of one command, transaction or script together. That
// needs no replay engine: a script, INCR, SPOP or a relative expiry is just the
// state that it left behind, entries may be repeated without harm, and replay
// is "the last state of a key wins". The price is that a change to a big
// collection writes the whole collection: keep durable lists, sets, hashes and
// sorted sets below some thousand members.
//
// Keys are durable unless their prefix is listed in [Options.Counters]. A
// change to a durable key is written and fsynced before the command is
// answered; concurrent writers share an fsync. Counters are collected and
// written twice a second, so that at most their last second is lost at kill -9.
//
// # When the disk fails
//
// A command whose change could not be written and fsynced is answered with an
// error that begins with IOERR. From then on every command of every connection
// is, and [Store.Failed] reports the cause: the store does not try again,
// since after a failed fsync the state of the file is unknown. The change is
// still in memory, but nothing can read it any more, and the next start reads
// the disk. Two things remain possible, as with any database: another
// connection may have read the change between its execution and the failure,
// and a change answered with an error may be found on disk at the next start.
//
// # Expiry
//
// The store keeps each key's absolute expiry (Unix milliseconds) in a heap and
// deletes due keys before it executes the next command, so that no command
// ever sees an expired key, and hands miniredis the remaining time of the keys
// that a command names. This costs O(log n) for each changed or expired key;
// miniredis' FastForward on a ticker would sort and visit every key under its
// one lock at each step.
//
// # What it does not offer
//
// One database (SELECT 0), no WATCH, no blocking commands, no streams,
// HyperLogLog or geo commands, no FLUSHALL. A script must name the keys that
// it writes in KEYS, as in a Redis cluster. Anything not listed in commands.go
// is refused rather than executed without persistence.
package store
