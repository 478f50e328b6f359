package budget

import (
	"context"
	"sync"
	"time"
)

// leases are the calls of this node that are under way. While there are any they
// are renewed by a timer; without, nothing runs.
type leases struct {
	life  time.Duration
	renew func(ctx context.Context, life time.Duration, names []string) error

	mu    sync.Mutex
	held  map[string]struct{}
	timer *time.Timer // nil until the first lease
}

func (l *leases) add(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[name] = struct{}{}
	if len(l.held) == 1 {
		l.schedule()
	}
}

func (l *leases) remove(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, name)
	if len(l.held) == 0 {
		l.timer.Stop()
	}
}

// schedule starts the timer. The caller holds the lock.
func (l *leases) schedule() {
	if l.timer == nil {
		l.timer = time.AfterFunc(l.life/3, l.renewAll)
		return
	}
	l.timer.Reset(l.life / 3)
}

// renewAll renews the leases held, and comes again when there are any.
func (l *leases) renewAll() {
	l.mu.Lock()
	names := make([]string, 0, len(l.held))
	for name := range l.held {
		names = append(names, name)
	}
	l.mu.Unlock()
	if len(names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(storeTimeout, l.life/3))
	defer cancel()
	_ = l.renew(ctx, l.life, names) // tried again in a third of the lease's life, and told by renew
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.held) > 0 {
		l.schedule()
	}
}

// hold keeps the lease of a call that was granted, and returns what ends it.
func (b *Budget) hold(c *call) (release func()) {
	if b.limits.Concurrency <= 0 || c.consumer == "" {
		return func() {}
	}
	b.leases.add(c.name)
	return sync.OnceFunc(func() {
		b.leases.remove(c.name)
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		if err := b.client.ZRem(ctx, b.keys.leases, c.name).Err(); err != nil {
			b.log.Warn("a call that has ended counts as under way until its lease runs out", "error", err)
		}
		select {
		case b.freed <- struct{}{}:
		default:
		}
	})
}
