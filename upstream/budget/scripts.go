package budget

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed ledger.lua
	ledgerSource string
	//go:embed acquire.lua
	acquireSource string
	//go:embed giveback.lua
	givebackSource string
	//go:embed state.lua
	stateSource string
	//go:embed renew.lua
	renewSource string
	//go:embed close.lua
	closeSource string
)

// The scripts are sent once and called by their hash from then on.
var (
	acquireScript  = redis.NewScript(ledgerSource + acquireSource)
	givebackScript = redis.NewScript(ledgerSource + givebackSource)
	stateScript    = redis.NewScript(ledgerSource + stateSource)
	renewScript    = redis.NewScript(renewSource)
	closeScript    = redis.NewScript(closeSource)
)

// storeTimeout is how long Redis may take to answer.
const storeTimeout = 5 * time.Second

// What a script says is lacking.
const (
	lacksNothing = iota
	lacksRequests
	lacksConcurrency
	closed
)

// call is one wish for a request, which may be asked for several times.
type call struct {
	consumer string
	name     string // of its lease and its place in the line; ends with the consumer
	entry    string // what the log holds of it, once granted
	again    bool   // it asked before
}

// verdict is what acquire.lua answers.
type verdict struct {
	granted bool
	lacking int64
	wait    time.Duration // until its turn, when there is one
	late    bool          // the answer was under way for much longer than others are
}

var errAnswer = errors.New("the script's answer has another form")

// ask asks Redis for the call.
func (b *Budget) ask(ctx context.Context, c *call) (verdict, error) {
	l := b.limits
	start := time.Now()
	answer, err := acquireScript.Run(ctx, b.client, b.keys.ledger(c.consumer),
		l.window().Microseconds(), l.memory().Microseconds(),
		c.consumer, c.name, c.again, l.Requests, b.reserve, l.Concurrency,
		b.leases.life.Microseconds(), l.grain().Microseconds(), grace.Microseconds(), stuck.Microseconds()).Slice()
	if err != nil {
		return verdict{}, fmt.Errorf("budget: %w", err)
	}
	end := time.Now()
	if len(answer) != 5 {
		return verdict{}, errAnswer
	}
	granted, ok1 := answer[0].(int64)
	wait, ok2 := answer[1].(int64)
	lacking, ok3 := answer[2].(int64)
	entry, ok4 := answer[3].(string)
	now, ok5 := answer[4].(int64)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
		return verdict{}, errAnswer
	}
	c.entry = entry
	c.again = true
	underWay := min(end.Sub(start), b.delay.above(end.Sub(time.UnixMicro(now))))
	return verdict{granted: granted == 1, lacking: lacking, wait: microseconds(wait), late: underWay > l.slack()}, nil
}

// giveBack returns what a call holds that will not be made: its request, its
// lease and its place in the line.
func (b *Budget) giveBack(ctx context.Context, c *call) error {
	l := b.limits
	return givebackScript.Run(ctx, b.client, b.keys.ledger(c.consumer),
		l.window().Microseconds(), l.memory().Microseconds(), c.consumer, c.name, c.entry).Err()
}

// renew makes the leases last for another life.
func (b *Budget) renew(ctx context.Context, life time.Duration, names []string) error {
	args := make([]any, 0, len(names)+1)
	args = append(args, life.Microseconds())
	for _, name := range names {
		args = append(args, name)
	}
	err := renewScript.Run(ctx, b.client, []string{b.keys.leases}, args...).Err()
	if err != nil {
		b.log.Warn("leases of calls under way could not be renewed", "error", err)
	}
	return err
}

// delay is the shortest time that there was between Redis' clock in an answer and
// ours at its coming. It holds how far the clocks are apart and the way of the
// fastest answer, so that what is above it was lost on the way.
type delay struct{ shortest atomic.Int64 }

func newDelay() *delay {
	d := &delay{}
	d.shortest.Store(math.MaxInt64)
	return d
}

// above returns how much longer than the shortest an answer's time was.
func (d *delay) above(t time.Duration) time.Duration {
	for {
		shortest := d.shortest.Load()
		if shortest <= int64(t) {
			return t - time.Duration(shortest)
		}
		if d.shortest.CompareAndSwap(shortest, int64(t)) {
			return 0
		}
	}
}

func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
