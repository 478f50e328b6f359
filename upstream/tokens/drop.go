package tokens

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"
)

// dropped is the channel on which nodes tell one another what to drop from
// memory: a name and a version, or a name alone for all that is known of it.
// A node that misses a message learns of it by a 401.
const dropped = KeyPrefix + "dropped"

// tellDropped tells the other nodes.
func (c *Cache) tellDropped(ctx context.Context, name, version string) {
	_ = c.ask(ctx, func(ctx context.Context) error { // they will find out
		return c.client.Publish(ctx, dropped, name+" "+version).Err()
	})
}

// listen drops what other nodes drop, until the cache is closed.
func (c *Cache) listen() {
	defer c.work.Done()
	news := c.client.Subscribe(c.ctx, dropped)
	defer news.Close()
	messages := news.Channel(redis.WithChannelSize(maxEntries))
	for {
		select {
		case <-c.ctx.Done():
			return
		case m, open := <-messages:
			if !open {
				return
			}
			name, version, _ := strings.Cut(m.Payload, " ")
			c.drop(name, version)
		}
	}
}

// drop removes a version from memory, or all that is known when it is "".
func (c *Cache) drop(name, version string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, e := range c.entries {
		switch h := e.held.Load(); {
		case e.name != name:
		case version == "":
			delete(c.entries, id)
			c.flights.Forget(name)
		case h != nil && h.version == version:
			e.held.CompareAndSwap(h, nil)
		}
	}
}

// Forget drops all that is known of id on all nodes: its token, failures and
// pauses. The next Get fetches. The outcome of a fetch under way is told to
// those who wait for it, but not kept. An error means that Redis does not
// answer, and that only this process has forgotten.
func (c *Cache) Forget(ctx context.Context, id Identity) error {
	e := c.entry(id)
	c.drop(e.name, "")
	err := c.ask(ctx, func(ctx context.Context) error {
		return c.client.Del(ctx, e.value(), e.lock(), e.failing(), e.attempts()).Err()
	})
	if err == nil {
		c.tellDropped(ctx, e.name, "")
	}
	return err
}
