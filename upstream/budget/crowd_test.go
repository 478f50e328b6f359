package budget

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

// crowd is many calls that come at once, on several nodes, and come back as they
// are told until they are granted.
type crowd struct {
	nodes   []*Budget
	wants   map[string]int // calls by consumer
	rounded bool           // come back after whole seconds, as Retry-After says them

	granted grants
	mu      sync.Mutex
	came    int // back
	again   int // of them were told to come back again
}

func (c *crowd) run(t *testing.T) {
	var calls []string
	for consumer, n := range c.wants {
		calls = append(calls, slices.Repeat([]string{consumer}, n)...)
	}
	rand.Shuffle(len(calls), func(i, j int) { calls[i], calls[j] = calls[j], calls[i] })
	var wg sync.WaitGroup
	for i, consumer := range calls {
		wg.Go(func() {
			after, ok := c.ask(t, c.nodes[i%len(c.nodes)], consumer)
			for !ok {
				time.Sleep(after)
				after, ok = c.ask(t, c.nodes[i%len(c.nodes)], consumer)
				c.mu.Lock()
				c.came++
				if !ok {
					c.again++
				}
				c.mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d were told to come back, %d of them were told so again", c.came, c.again)
}

// ask makes one call. It is not ok when it has to come back.
func (c *crowd) ask(t *testing.T, b *Budget, consumer string) (after time.Duration, ok bool) {
	err := take(b, consumer)
	if err == nil {
		c.granted.add(consumer)
		return 0, true
	}
	var e *fhir.Error
	if !assert.ErrorAs(t, err, &e) || !assert.Equal(t, http.StatusTooManyRequests, e.Status, "%v", err) {
		return 0, true
	}
	if c.rounded {
		return seconds(e.RetryAfter), false
	}
	return e.RetryAfter, false
}

// Time runs forty times as fast here, which leaves the embedded store and the race
// detector time for a fifth of the calls. TestTheRealMinute makes them all, in nine
// minutes.
func TestTwoThousandCallsOfThreeConsumersOnTwoNodes(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		share := raceShare
		if strings.HasSuffix(t.Name(), "/embedded") {
			share = 5
		}
		thousands(t, connect, 1500*time.Millisecond, share, false)
	})
}

// thousands makes a share of 2,000 calls, on the same share of a budget of 250.
func thousands(t *testing.T, connect func() redis.UniversalClient, per time.Duration, share int, rounded bool) {
	limits := Limits{Requests: 250 / share, Per: per}
	c := &crowd{
		nodes:   []*Budget{New(connect(), "h", limits, WithReserve(0)), New(connect(), "h", limits, WithReserve(0))},
		wants:   map[string]int{"a": 800 / share, "b": 600 / share, "c": 600 / share},
		rounded: rounded,
	}
	start := time.Now()
	c.run(t)
	t.Logf("took %v", time.Since(start))
	for consumer, n := range c.wants {
		require.Len(t, c.granted.times[consumer], n)
	}
	require.LessOrEqual(t, most(c.granted.all(), per), limits.Requests, "never 251 in any window")
	require.Less(t, time.Since(start), 12*limits.window(), "the budget is used")
	// On a machine that does other things besides, some come late and find their turn taken.
	require.LessOrEqual(t, c.again, c.came/10, "Retry-After is true")
	// While all three have calls left, each has its third, within a tenth.
	for _, windows := range []int{1, 5} {
		end := start.Add(time.Duration(windows) * limits.window())
		total := c.granted.before("a", end) + c.granted.before("b", end) + c.granted.before("c", end)
		for consumer := range c.wants {
			n := c.granted.before(consumer, end)
			t.Logf("%s after %d windows: %d of %d", consumer, windows, n, total)
			require.InDelta(t, float64(total)/3, n, float64(total)/30, "%s after %d windows", consumer, windows)
		}
	}
}

// A consumer with twenty times the calls has no more than another until that has all
// it wants, and then the rest.
func TestTheLoudOneDoesNotCrowdOutTheOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		limits := Limits{Requests: 60, Per: 1500 * time.Millisecond}
		c := &crowd{
			nodes: []*Budget{New(connect(), "h", limits, WithReserve(0)), New(connect(), "h", limits, WithReserve(0))},
			wants: map[string]int{"loud": 200, "a": 10, "b": 10},
		}
		start := time.Now()
		c.run(t)
		require.LessOrEqual(t, most(c.granted.all(), limits.Per), limits.Requests)
		for _, consumer := range []string{"a", "b"} {
			require.Equal(t, 10, c.granted.before(consumer, start.Add(2*limits.window())), consumer)
		}
		require.GreaterOrEqual(t, c.granted.before("loud", start.Add(3*limits.window())), 70)
	})
}
