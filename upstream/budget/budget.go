package budget

import (
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

// KeyPrefix begins the name of every key that a budget writes. It is within the
// prefix of the gateway's limits, which the embedded store need not write to its
// disk at each call.
const KeyPrefix = "limit:budget:"

// Defaults of Limits and the options.
const (
	DefaultPer     = time.Minute
	DefaultMaxWait = 2 * time.Second
	DefaultLease   = 30 * time.Second
)

// Limits are what one hospital may be asked. The zero value limits nothing; the
// hospital's own pauses hold even then.
type Limits struct {
	Requests    int           // in any time of Per; 0 = unlimited
	Per         time.Duration // a second, a minute, a day; default a minute
	Concurrency int           // calls under way at a time; 0 = unlimited
	MaxWait     time.Duration // how long a call waits for its turn; default 2s, negative = not at all
}

// Budget is one hospital's budget. All budgets of the same hospital's id on the
// same Redis are one, on whatever node; they should have the same limits. It is
// safe for concurrent use, and holds nothing that must be closed.
type Budget struct {
	client  redis.UniversalClient
	limits  Limits
	reserve int
	log     *slog.Logger
	keys    keys
	leases  *leases
	// asking holds a place for each call that asks Redis now.
	asking chan struct{}
	delay  *delay
	// freed wakes a call of this node that waits for another to end.
	freed chan struct{}
}

// Option changes a Budget at its making.
type Option func(*Budget)

// WithReserve sets how many of Requests are kept for the gateway's own calls,
// consumer "". Use 0 for a hospital that does not count them. The default is a
// fiftieth, rounded up, or none below twenty requests, where such a call is only the
// next to be granted.
func WithReserve(requests int) Option {
	return func(b *Budget) { b.reserve = requests }
}

// WithLease sets how long a call that is not renewed counts as under way, by
// default [DefaultLease]. It is renewed three times in that time.
func WithLease(d time.Duration) Option {
	return func(b *Budget) { b.leases.life = d }
}

// WithLogger sets where failures to reach Redis are told that no caller sees; by
// default slog.Default().
func WithLogger(log *slog.Logger) Option {
	return func(b *Budget) { b.log = log }
}

// New returns the budget of the hospital with this id. It asks Redis nothing yet.
func New(client redis.UniversalClient, hospital string, l Limits, options ...Option) *Budget {
	if l.Per <= 0 {
		l.Per = DefaultPer
	}
	if l.MaxWait == 0 {
		l.MaxWait = DefaultMaxWait
	}
	b := &Budget{
		client:  client,
		limits:  l,
		reserve: defaultReserve(l.Requests),
		log:     slog.Default(),
		keys:    keysOf(hospital),
		asking:  make(chan struct{}, mostAsking),
		delay:   newDelay(),
		freed:   make(chan struct{}, 1),
	}
	b.leases = &leases{life: DefaultLease, renew: b.renew, held: map[string]struct{}{}}
	for _, option := range options {
		option(b)
	}
	b.reserve = max(min(b.reserve, l.Requests-1), 0)
	return b
}

func defaultReserve(requests int) int {
	if requests < 20 {
		return 0
	}
	return (requests + 49) / 50
}

// keys are the names of a hospital's keys in Redis. The braces keep them in one
// slot of a cluster.
type keys struct{ log, consumers, leases, closed, guesses, line string }

func keysOf(hospital string) keys {
	base := KeyPrefix + "{" + hospital + "}:"
	return keys{log: base + "log", consumers: base + "consumers", leases: base + "leases", closed: base + "closed", guesses: base + "guesses", line: base + "line:"}
}

// ledger returns the keys of ledger.lua, and the consumer's line.
func (k keys) ledger(consumer string) []string {
	return []string{k.log, k.consumers, k.leases, k.closed, k.line + consumer}
}

// window returns how long a call granted counts: see the package's text.
func (l Limits) window() time.Duration { return l.Per + l.slack() }

// slack returns how far apart from the log's time a call may be made.
func (l Limits) slack() time.Duration { return min(l.Per/20, time.Second) }

// memory returns for how long a consumer's asking is remembered.
func (l Limits) memory() time.Duration {
	return min(max(l.Per/30, 20*time.Millisecond), time.Second)
}

// exactLog is how many requests a window the log holds one by one.
const exactLog = 4096

// grain returns the step of the log's times, 0 when it is exact.
func (l Limits) grain() time.Duration {
	if l.Requests <= exactLog {
		return 0
	}
	return max(l.window()/1000, time.Microsecond)
}
