package keys

import (
	"crypto/sha256"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"fhirgate/facade"
)

const (
	// freeGuesses is how many unknown credentials an address may try at once.
	freeGuesses = 20
	// guessEvery is how long it takes until it may try another one.
	guessEvery = 3 * time.Second
	// maxDebt is how many more than that are held against an address: those that
	// were under way at once. It bounds how long an address is slowed.
	maxDebt = 100
	// maxAddresses is how many addresses are watched; those that were wrong
	// longest ago are forgotten.
	maxAddresses = 20_000
	// warnEvery is how often one address is warned of.
	warnEvery = time.Minute
)

// Guesses slows down who tries unknown credentials, by address: an IPv4 address,
// or the /64 of an IPv6 address, which is what one host may have. An address has
// 20 wrong ones, and one more every three seconds. One that is sent again and
// again is counted once: that is a consumer who has not noticed that its key was
// revoked, and must not shut out others behind the same address. A nil Guesses
// slows nobody, and nobody whose address is not known is slowed.
type Guesses struct {
	log     *slog.Logger
	counted func(way facade.Way)
	now     func() time.Time

	mu    sync.Mutex
	wrong *simplelru.LRU[netip.Prefix, *guesser]
}

// guesser is an address from which wrong credentials came.
type guesser struct {
	bucket *rate.Limiter
	tries  int // since the last warning
	warned time.Time
	recent [8][sha256.Size]byte // the wrong ones of late
	next   int                  // place in recent
}

// repeats reports whether a wrong credential was tried of late, and remembers it.
func (w *guesser) repeats(sum [sha256.Size]byte) bool {
	if slices.Contains(w.recent[:], sum) {
		return true
	}
	w.recent[w.next] = sum
	w.next = (w.next + 1) % len(w.recent)
	return false
}

// NewGuesses returns Guesses that warn in log, and call counted, unless it is nil,
// for every wrong credential that was looked at.
func NewGuesses(log *slog.Logger, counted func(way facade.Way)) *Guesses {
	wrong, _ := simplelru.NewLRU[netip.Prefix, *guesser](maxAddresses, nil) // fails for a size below 1 only
	return &Guesses{log: log, counted: counted, now: time.Now, wrong: wrong}
}

// host returns what guesses of an address are held against.
func host(from netip.Addr) netip.Prefix {
	from = from.Unmap().WithZone("")
	bits := from.BitLen()
	if from.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(from, bits).Masked()
}

// Slowed reports whether credentials of an address must not be looked at, and for
// how long. It counts the one that is refused for that.
func (g *Guesses) Slowed(from netip.Addr) (after time.Duration, slowed bool) {
	if g == nil || !from.IsValid() {
		return 0, false
	}
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	who, known := g.wrong.Peek(host(from))
	if !known {
		return 0, false
	}
	missing := 1 - who.bucket.TokensAt(now)
	if missing <= 0 {
		return 0, false
	}
	g.count(who, host(from), now)
	return time.Duration(missing * float64(guessEvery)), true
}

// Failed counts a credential from an address that was looked at and gives no
// access. The way is for the metrics.
func (g *Guesses) Failed(from netip.Addr, way facade.Way) {
	g.wrongOne(from, way, [sha256.Size]byte{})
}

// wrongOne is Failed of a credential that is known again by its sum; zero when it
// is not.
func (g *Guesses) wrongOne(from netip.Addr, way facade.Way, sum [sha256.Size]byte) {
	if g == nil {
		return
	}
	if g.counted != nil {
		g.counted(way)
	}
	if !from.IsValid() {
		return
	}
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	who, known := g.wrong.Get(host(from))
	if !known {
		who = &guesser{bucket: rate.NewLimiter(rate.Every(guessEvery), freeGuesses)}
		g.wrong.Add(host(from), who)
	}
	if sum != [sha256.Size]byte{} && who.repeats(sum) {
		return
	}
	// Many at once must be no way around the bucket: it goes below zero.
	if who.bucket.TokensAt(now) > -maxDebt {
		who.bucket.ReserveN(now, 1)
	}
	g.count(who, host(from), now)
}

// count notes a try, and warns of an address whose bucket is empty. g.mu is held.
func (g *Guesses) count(who *guesser, address netip.Prefix, now time.Time) {
	who.tries++
	if who.bucket.TokensAt(now) >= 1 || now.Before(who.warned.Add(warnEvery)) {
		return
	}
	g.log.Warn("credentials are being guessed", "address", address.Addr().String(), "count", who.tries)
	who.tries, who.warned = 0, now
}

// refuse returns the error for an address that is slowed.
func (g *Guesses) refuse(from netip.Addr) error {
	if after, slowed := g.Slowed(from); slowed {
		return &facade.SlowedError{After: after}
	}
	return nil
}
