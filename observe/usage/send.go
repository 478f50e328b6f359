package usage

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"
)

// Scripts are sent as they are each time: they are a few lines, and no restart
// of Redis can have forgotten them.
var (
	//go:embed count.lua
	countScript string
	//go:embed announce.lua
	announceScript string
)

// perTrip is how many names one pipeline writes, so that each is answered well
// within the client's timeout.
const perTrip = 200

// send writes the backlog: the counts, then word of those that Redis has, so that
// who reads of a change reads its counts too, and the errors. Only a process that
// is killed between the first two leaves counts that nobody is told of before the
// consumer's next call of the day.
func (r *Recorder) send(ctx context.Context) error {
	return errors.Join(r.sendCounts(ctx), r.announce(ctx), r.sendErrors(ctx))
}

func (r *Recorder) sendCounts(ctx context.Context) error {
	b := r.backlog
	var failed error
	for accounts := range slices.Chunk(slices.Collect(maps.Keys(b.accounts)), perTrip) {
		pipe := r.redis.Pipeline()
		answers := make([]*redis.Cmd, len(accounts))
		for i, a := range accounts {
			d := b.accounts[a]
			args := []any{mark(r.id), d.number, int(keepCounts.Seconds())}
			for what, calls := range d.sent {
				args = append(args, what.field(), calls)
			}
			answers[i] = pipe.Eval(ctx, countScript, []string{a.name()}, args...)
		}
		_, _ = pipe.Exec(ctx) // each answer has its own error
		for i, a := range accounts {
			if err := answers[i].Err(); err != nil {
				failed = fmt.Errorf("counts: %w", err)
				continue
			}
			b.written(a)
		}
	}
	return failed
}

// announce tells readers what changed. Telling them twice does no harm.
func (r *Recorder) announce(ctx context.Context) error {
	days := map[day][]account{}
	for a := range r.backlog.announced {
		days[a.day] = append(days[a.day], a)
	}
	var failed error
	for d, all := range days {
		for accounts := range slices.Chunk(all, perTrip) {
			args := []any{int(keepCounts.Seconds())}
			for _, a := range accounts {
				args = append(args, a.consumer)
			}
			if err := r.redis.Eval(ctx, announceScript, []string{changedName(d)}, args...).Err(); err != nil {
				failed = fmt.Errorf("changes: %w", err)
				continue
			}
			for _, a := range accounts {
				delete(r.backlog.announced, a)
			}
		}
	}
	return failed
}

// sendErrors adds errors to those that Redis has. An error that is sent twice is
// the same member of its set.
func (r *Recorder) sendErrors(ctx context.Context) error {
	b := r.backlog
	var failed error
	for subjects := range slices.Chunk(slices.Collect(maps.Keys(b.errors)), perTrip) {
		pipe := r.redis.Pipeline()
		answers := make([][3]redis.Cmder, len(subjects))
		for i, s := range subjects {
			name := s.name()
			answers[i] = [3]redis.Cmder{
				pipe.ZAdd(ctx, name, b.errors[s]...),
				pipe.ZRemRangeByRank(ctx, name, 0, -keptErrors-1),
				pipe.Expire(ctx, name, keepErrors),
			}
		}
		_, _ = pipe.Exec(ctx) // each answer has its own error
		for i, s := range subjects {
			if err := errors.Join(answers[i][0].Err(), answers[i][1].Err(), answers[i][2].Err()); err != nil {
				failed = fmt.Errorf("errors: %w", err)
				continue
			}
			delete(b.errors, s)
		}
	}
	return failed
}
