package tokens

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// State is what the console shows of a token: never its value.
type State struct {
	Held     bool      // there is a token that can be used
	Scope    string    // granted
	Obtained time.Time // when it was asked for
	Expires  time.Time
	Fetching bool // some node is fetching

	Attempts int       // failed in a row
	Failure  string    // text of the last failure while it is remembered, else ""
	Again    time.Time // when the token endpoint is asked again after it, else zero
}

// State returns what all nodes know of id. When Redis does not answer it
// returns what this process knows, and the error.
func (c *Cache) State(ctx context.Context, id Identity) (State, error) {
	e := c.entry(id)
	var value, failing, attempts, lock *redis.StringCmd
	var rest *redis.DurationCmd
	err := c.ask(ctx, func(ctx context.Context) error {
		_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			value, lock = p.Get(ctx, e.value()), p.Get(ctx, e.lock())
			failing, rest, attempts = p.Get(ctx, e.failing()), p.PTTL(ctx, e.failing()), p.Get(ctx, e.attempts())
			return nil
		})
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil {
		return describeState(e.held.Load(), e.failure.Load()), err
	}
	var h *held
	if value.Err() == nil {
		h = c.openValue(e.name, value.Val())
	}
	var f *remembered
	if failing.Err() == nil {
		f = c.openFailure(e.name, failing.Val(), rest.Val())
	}
	s := describeState(h, f)
	s.Attempts, _ = attempts.Int() // none is 0
	s.Fetching = lock.Err() == nil
	return s, nil
}

func describeState(h *held, f *remembered) State {
	now := time.Now()
	var s State
	if h.serves(now, "") {
		s.Held, s.Scope, s.Obtained, s.Expires = true, h.token.Scope, h.obtained, h.token.Expires
	}
	if f.lasts(now) {
		s.Attempts, s.Failure, s.Again = f.attempts, f.Text, f.until
	}
	return s
}
