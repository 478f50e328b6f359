//go:build slow

package budget

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// The bar in real time, which takes nine minutes:
// go test -tags slow -run RealMinute -timeout 20m ./upstream/budget.
func TestTheRealMinute(t *testing.T) {
	onBoth(t, func(t *testing.T, connect func() redis.UniversalClient) {
		thousands(t, connect, time.Minute, 1, true)
	})
}
