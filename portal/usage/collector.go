// Package usage brings the usage of consumers from the gateway, which keeps it for
// days, into the portal's store, which keeps it for a year and more.
package usage

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/store"
)

// Gateway is the part of adminapi.Client that tells usage.
type Gateway interface {
	Usage(ctx context.Context, since string) (*adminapi.Used, error)
}

// Store is the part of store.Store that keeps usage.
type Store interface {
	Cursor(ctx context.Context, name string) (string, error)
	SetCursor(ctx context.Context, name, value string) error
	PutUsage(ctx context.Context, rows []store.UsageRow) error
	DropUsage(ctx context.Context, before store.Day) error
}

// Options are what a Collector is made of.
type Options struct {
	Gateway Gateway
	Store   Store
	Every   time.Duration // default 5s
	Keep    int           // days besides today for which usage is kept; default 400
	Log     *slog.Logger

	now func() time.Time // replaced by tests
}

// Collector collects usage. Several portals may do so on one store, each with a
// Collector of its own: what they write are counts of whole days so far, not
// increases, so that writing one twice adds nothing. One that is slow may write
// an older count over a newer one, but has then still to read the change that made
// it newer, since it goes on from where itself was, not from where another is.
type Collector struct {
	options Options
	begun   bool      // cursor has been read from the store
	cursor  string    // how far it has come
	dropped store.Day // when old usage was dropped last
	failed  bool      // the last time, and that was logged
}

// New returns a Collector. It does nothing before it runs.
func New(o Options) *Collector {
	if o.Every == 0 {
		o.Every = 5 * time.Second
	}
	if o.Keep == 0 {
		o.Keep = 400
	}
	if o.now == nil {
		o.now = time.Now
	}
	return &Collector{options: o}
}

// Run collects until ctx ends. What fails is tried again the next time, and is
// logged once.
func (c *Collector) Run(ctx context.Context) {
	ticker := time.NewTicker(c.options.Every)
	defer ticker.Stop()
	for {
		err := errors.Join(c.collect(ctx), c.drop(ctx))
		if ctx.Err() != nil {
			return
		}
		c.report(err)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// report logs when collecting begins to fail, and when it no longer does.
func (c *Collector) report(err error) {
	switch {
	case err != nil && !c.failed:
		c.options.Log.Warn("usage cannot be collected from the gateway: it is tried again", "error", err)
	case err == nil && c.failed:
		c.options.Log.Info("usage is collected again")
	}
	c.failed = err != nil
}

// cursorName is the name of the cursor in the store, for the next start.
const cursorName = "usage"

// collect reads all that has changed, page by page. The cursor is written after
// the counts that it stands for: what lies between is read twice after a crash.
func (c *Collector) collect(ctx context.Context) error {
	if !c.begun {
		var err error
		if c.cursor, err = c.options.Store.Cursor(ctx, cursorName); err != nil {
			return err
		}
		c.begun = true
	}
	for {
		used, err := c.options.Gateway.Usage(ctx, c.cursor)
		if c.cursor != "" && adminapi.Refused(err, http.StatusBadRequest) {
			c.cursor = "" // another version of the gateway wrote it otherwise
			continue
		}
		if err != nil {
			return err
		}
		if len(used.Rows) > 0 {
			if err := c.options.Store.PutUsage(ctx, rowsOf(used.Rows)); err != nil {
				return err
			}
		}
		if used.Next != c.cursor {
			if err := c.options.Store.SetCursor(ctx, cursorName, used.Next); err != nil {
				return err
			}
			c.cursor = used.Next
		}
		if !used.More {
			return nil
		}
	}
}

func rowsOf(used []adminapi.Usage) []store.UsageRow {
	rows := make([]store.UsageRow, len(used))
	for i, u := range used {
		rows[i] = store.UsageRow{
			KeyID: u.Consumer, Day: store.Day(u.Day), Hospital: u.Hospital, Interaction: u.Interaction, Status: u.Status, Calls: u.Calls,
		}
	}
	return rows
}

// drop ends what is too old, once a day.
func (c *Collector) drop(ctx context.Context) error {
	now := c.options.now()
	today := store.DayOf(now)
	if c.dropped == today {
		return nil
	}
	if err := c.options.Store.DropUsage(ctx, store.DayOf(now.UTC().AddDate(0, 0, -c.options.Keep))); err != nil {
		return err
	}
	c.dropped = today
	return nil
}
