package usage

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"fhirgate/gateway/adminapi"
)

// pageRows is about how many rows an answer has: the consumer's day with which
// there are that many is its last.
const pageRows = 5000

// hashesPerTrip is how many accounts are read at once.
const hashesPerTrip = 50

// Reader reads what the recorders of all nodes have written.
type Reader struct {
	redis redis.UniversalClient
	now   func() time.Time
	rows  int // pageRows, less in tests
}

// NewReader returns a Reader of client.
func NewReader(client redis.UniversalClient) *Reader {
	return &Reader{redis: client, now: time.Now, rows: pageRows}
}

// Since returns all counts of the consumers and days that changed since an earlier
// answer's Next; "" = all that are kept. No change is missed, and one may be told
// twice. A cursor that is none is an [ErrCursor].
func (r *Reader) Since(ctx context.Context, since string) (*adminapi.Used, error) {
	at, err := parseCursor(since)
	if err != nil {
		return nil, err
	}
	// A day more at both ends: other nodes' clocks may differ from ours.
	today := dayOf(r.now())
	first, last := today-day(keepCounts/(24*time.Hour))-1, today+1
	maps.DeleteFunc(at, func(name string, _ int64) bool { return name < first.String() || name > last.String() })
	used := &adminapi.Used{Rows: []adminapi.Usage{}}
	for d := first; d <= last; d++ {
		if err := r.sinceOf(ctx, d, at, used); err != nil {
			return nil, err
		}
		if used.More {
			break
		}
	}
	used.Next = at.String()
	return used, nil
}

// sinceOf adds what changed of a day, and moves the cursor on to what it added.
// It sets More when the page is full.
func (r *Reader) sinceOf(ctx context.Context, d day, at cursor, used *adminapi.Used) error {
	name := d.String()
	for {
		after := "(" + strconv.FormatInt(at[name], 10)
		changed, err := r.redis.ZRangeByScoreWithScores(ctx, changedName(d), &redis.ZRangeBy{Min: after, Max: "+inf", Count: hashesPerTrip}).Result()
		if err != nil {
			return fmt.Errorf("usage: %w", err)
		}
		if len(changed) == 0 {
			return nil
		}
		pipe := r.redis.Pipeline()
		counts := make([]*redis.MapStringStringCmd, len(changed))
		for i, z := range changed {
			counts[i] = pipe.HGetAll(ctx, account{memberOf(z), d}.name())
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("usage: %w", err)
		}
		for i, z := range changed {
			used.Rows = appendRows(used.Rows, memberOf(z), name, counts[i].Val())
			at[name] = int64(z.Score)
			if used.More = len(used.Rows) >= r.rows; used.More {
				return nil
			}
		}
	}
}

func memberOf(z redis.Z) string {
	member, _ := z.Member.(string)
	return member
}

func appendRows(rows []adminapi.Usage, consumer, name string, counts map[string]string) []adminapi.Usage {
	for field, value := range counts {
		what, ok := itemOf(field)
		calls, err := strconv.ParseInt(value, 10, 64)
		if !ok || err != nil {
			continue
		}
		rows = append(rows, adminapi.Usage{
			Consumer: consumer, Day: name, Hospital: what.hospital, Interaction: what.interaction, Status: what.status, Calls: calls,
		})
	}
	return rows
}

// ConsumerErrors returns the last calls of a consumer that failed, the newest first.
func (r *Reader) ConsumerErrors(ctx context.Context, id string) ([]adminapi.CallError, error) {
	return r.errors(ctx, subject{id: id})
}

// HospitalErrors returns the last calls to a hospital that failed, the newest first.
func (r *Reader) HospitalErrors(ctx context.Context, id string) ([]adminapi.CallError, error) {
	return r.errors(ctx, subject{hospital: true, id: id})
}

func (r *Reader) errors(ctx context.Context, s subject) ([]adminapi.CallError, error) {
	members, err := r.redis.ZRevRange(ctx, s.name(), 0, keptErrors-1).Result()
	if err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	out := make([]adminapi.CallError, len(members))
	for i, member := range members {
		if err := json.Unmarshal([]byte(member), &out[i]); err != nil {
			return nil, fmt.Errorf("usage: an error that is kept cannot be read: %w", err)
		}
	}
	return out, nil
}
