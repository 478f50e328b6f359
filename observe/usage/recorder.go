package usage

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"fhirgate/observe"
)

const (
	flushEvery   = 2 * time.Second
	flushTimeout = 10 * time.Second
)

// Recorder counts the calls of a node.
type Recorder struct {
	id    string // of this process' life; other lives' flushes have other numbers
	redis redis.UniversalClient
	log   *slog.Logger
	now   func() time.Time

	mu    sync.Mutex
	tally *tally // that counts

	flushing sync.Mutex // of what follows
	spare    *tally     // that counts after the next flush
	backlog  *backlog

	stop   context.CancelFunc
	done   chan struct{} // closed when run has returned
	failed bool          // run's last flush, and that was logged
}

// NewRecorder returns a recorder that writes to client every 2 seconds, until
// Close. That it cannot is logged once; what was counted is kept meanwhile.
func NewRecorder(client redis.UniversalClient, log *slog.Logger) *Recorder {
	r := newRecorder(client, log, time.Now)
	ctx, stop := context.WithCancel(context.Background())
	r.stop, r.done = stop, make(chan struct{})
	go r.run(ctx)
	return r
}

// newRecorder returns a recorder that flushes when it is told to only.
func newRecorder(client redis.UniversalClient, log *slog.Logger, now func() time.Time) *Recorder {
	return &Recorder{
		id: rand.Text()[:12], redis: client, log: log, now: now,
		tally: newTally(), spare: newTally(), backlog: newBacklog(),
	}
}

// Record counts a finished call, if its consumer is known. It is cheap, and
// waits for nothing but other calls' Records.
func (r *Recorder) Record(c *observe.Call) {
	if c.Consumer == "" {
		return
	}
	now := r.now()
	r.mu.Lock()
	r.tally.add(c, now)
	r.mu.Unlock()
}

// Close writes what was counted, within ctx, and ends the recorder. Calls that
// are recorded later are not counted.
func (r *Recorder) Close(ctx context.Context) error {
	r.stop()
	<-r.done
	// What an earlier flush has left is sent by the first, what came since by the second.
	for range 2 {
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *Recorder) run(ctx context.Context) {
	defer close(r.done)
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.report(r.flush(ctx))
		}
	}
}

// report logs when flushes begin to fail, and when they no longer do.
func (r *Recorder) report(err error) {
	switch {
	case err != nil && !r.failed:
		r.log.Warn("the usage of consumers cannot be written: it is kept and tried again", "error", err)
	case err == nil && r.failed:
		r.log.Info("the usage of consumers is written again")
	}
	r.failed = err != nil
}

// flush writes what was counted until now. What could not be written is tried
// again by the next flush.
func (r *Recorder) flush(ctx context.Context) error {
	r.flushing.Lock()
	defer r.flushing.Unlock()
	r.mu.Lock()
	counted := r.tally
	r.tally = r.spare
	r.mu.Unlock()

	r.backlog.take(counted)
	counted.reset()
	r.spare = counted
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	return r.send(ctx)
}
