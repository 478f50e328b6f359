package tokens

import "testing"

// BenchmarkGet is a call while the token is comfortably valid.
func BenchmarkGet(b *testing.B) {
	c := newNode(b, startRedis(b).dial(b))
	e := &endpoint{life: 1 << 50}
	get(b, c, e, "", "token-1")
	ctx, fetch := b.Context(), e.fetch
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Get(ctx, saintMary, "", fetch); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := c.Get(ctx, saintMary, "", fetch); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
