package keys

import (
	"context"
	"net/netip"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// BenchmarkKeyInUse is a lookup of a key that was looked up a moment ago: the
// cost of every call.
func BenchmarkKeyInUse(b *testing.B) {
	store := miniredis.RunT(b)
	client := redis.NewClient(&redis.Options{Addr: store.Addr()})
	b.Cleanup(func() { _ = client.Close() })
	_, secret, err := NewKeeper(tyk{store}, client).Create(b.Context(), New{Name: "pacs", Plan: "plan", WithSecret: true})
	require.NoError(b, err)
	node := NewDirectory(client)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := node.Key(ctx, secret, netip.Addr{}); err != nil {
			b.Fatal(err)
		}
	}
}
