package keys

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// flushEvery is how often at most it is written down when keys were used.
const flushEvery = time.Minute

// used collects when keys were used, and writes it down in the background. What
// is not written yet when the process is killed is lost.
type used struct {
	redis redis.UniversalClient

	mu     sync.Mutex
	at     map[string]any // Unix seconds by id; nil = nothing to write
	timer  *time.Timer    // of the next writing
	closed bool
}

// note remembers that a key was used, and sees to it that this is written.
func (u *used) note(id string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	if u.at == nil {
		u.at = make(map[string]any)
		u.timer = time.AfterFunc(flushEvery, func() { _ = u.flush(context.Background()) }) // an error is met again at the next time
	}
	u.at[id] = now.Unix()
}

// flush writes what was noted. What can't be written is kept for the next time.
func (u *used) flush(ctx context.Context) error {
	u.mu.Lock()
	noted := u.at
	u.at = nil
	u.mu.Unlock()
	if noted == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, undoTimeout)
	defer cancel()
	err := u.redis.HSet(ctx, usedName, noted).Err()
	if err == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at == nil && !u.closed {
		u.timer.Reset(flushEvery)
	}
	maps.Copy(noted, u.at) // what was noted meanwhile has a timer
	u.at = noted
	return err
}

// close writes what was noted, and takes nothing more.
func (u *used) close(ctx context.Context) error {
	u.mu.Lock()
	u.closed = true
	if u.timer != nil {
		u.timer.Stop()
	}
	u.mu.Unlock()
	return u.flush(ctx)
}

// usedAt reads a time that flush has written; what is none is zero.
func usedAt(stored any) time.Time {
	text, _ := stored.(string)
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
