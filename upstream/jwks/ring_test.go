package jwks

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// life is a ring whose time is 30 hours, and its clock.
type life struct {
	ring Ring
	now  time.Time
	made int
}

func newLife() *life { return &life{ring: Ring{Name: "r", After: DefaultAfter}, now: begin} }

func (l *life) add() error {
	l.made++
	return l.ring.add(fmt.Sprint("k", l.made), "sealed", l.now)
}

func (l *life) states() string {
	var states []string
	for _, key := range l.ring.Keys {
		states = append(states, key.KID+" "+string(key.State(l.now)))
	}
	return fmt.Sprint(states)
}

func TestTheLifeOfKeys(t *testing.T) {
	type step struct {
		after  time.Duration // since the beginning
		do     string        // add, retire KID, force KID, or nothing
		err    error
		signs  string
		states string
	}
	for name, steps := range map[string][]step{
		"the first key signs at once": {
			{0, "add", nil, "k1", "[k1 active]"},
			{365 * 24 * time.Hour, "", nil, "k1", "[k1 active]"},
		},
		"a rotation": {
			{0, "add", nil, "k1", "[k1 active]"},
			{time.Hour, "add", nil, "k1", "[k1 active k2 published]"},
			{2 * time.Hour, "add", ErrRotating, "k1", "[k1 active k2 published]"},
			{31 * time.Hour, "", nil, "k1", "[k1 active k2 published]"},
			{31*time.Hour + time.Second, "", nil, "k2", "[k1 retiring k2 active]"},
			{61 * time.Hour, "", nil, "k2", "[k1 retiring k2 active]"},
			{61*time.Hour + time.Second, "", nil, "k2", "[k1 retired k2 active]"},
			{(61 + 7*24) * time.Hour, "tidy", nil, "k2", "[k1 retired k2 active]"},
			{(61+7*24)*time.Hour + time.Second, "tidy", nil, "k2", "[k2 active]"},
		},
		"a second rotation while the first key is still published": {
			{0, "add", nil, "k1", "[k1 active]"},
			{0, "add", nil, "k1", "[k1 active k2 published]"},
			{31 * time.Hour, "add", nil, "k2", "[k1 retiring k2 active k3 published]"},
			{62 * time.Hour, "", nil, "k3", "[k1 retired k2 retiring k3 active]"},
			{92 * time.Hour, "", nil, "k3", "[k1 retired k2 retired k3 active]"},
		},
		"the only key is not retired": {
			{0, "add", nil, "k1", "[k1 active]"},
			{time.Hour, "retire k1", ErrLastKey, "k1", "[k1 active]"},
			{time.Hour, "force k1", nil, "", "[k1 retired]"},
			{time.Hour, "add", nil, "k2", "[k1 retired k2 active]"},
		},
		"the signing key is not retired for one that vendors may not know": {
			{0, "add", nil, "k1", "[k1 active]"},
			{time.Hour, "add", nil, "k1", "[k1 active k2 published]"},
			{2 * time.Hour, "retire k1", ErrLastKey, "k1", "[k1 active k2 published]"},
			{2 * time.Hour, "force k1", nil, "k2", "[k1 retired k2 active]"},
			{50 * time.Hour, "", nil, "k2", "[k1 retired k2 active]"},
		},
		"the one before signs again": {
			{0, "add", nil, "k1", "[k1 active]"},
			{0, "add", nil, "k1", "[k1 active k2 published]"},
			{40 * time.Hour, "retire k2", nil, "k1", "[k1 active k2 retired]"},
			{400 * time.Hour, "tidy", nil, "k1", "[k1 active]"},
		},
		"the one before signs again until the next takes over": {
			{0, "add", nil, "k1", "[k1 active]"},
			{0, "add", nil, "k1", "[k1 active k2 published]"},
			{40 * time.Hour, "add", nil, "k2", "[k1 retiring k2 active k3 published]"},
			{41 * time.Hour, "retire k2", nil, "k1", "[k1 active k2 retired k3 published]"},
			{69 * time.Hour, "", nil, "k1", "[k1 active k2 retired k3 published]"},
			{71 * time.Hour, "", nil, "k3", "[k1 retiring k2 retired k3 active]"},
			{101 * time.Hour, "", nil, "k3", "[k1 retired k2 retired k3 active]"},
		},
		"the next key is retired": {
			{0, "add", nil, "k1", "[k1 active]"},
			{0, "add", nil, "k1", "[k1 active k2 published]"},
			{time.Hour, "retire k2", nil, "k1", "[k1 active k2 retired]"},
			{100 * time.Hour, "", nil, "k1", "[k1 active k2 retired]"},
		},
		"an old key is retired before its time": {
			{0, "add", nil, "k1", "[k1 active]"},
			{0, "add", nil, "k1", "[k1 active k2 published]"},
			{31 * time.Hour, "retire k1", nil, "k2", "[k1 retired k2 active]"},
			{32 * time.Hour, "retire k1", nil, "k2", "[k1 retired k2 active]"},
			{32 * time.Hour, "retire k9", ErrNoKey, "k2", "[k1 retired k2 active]"},
		},
		"a clock that is behind": {
			{0, "add", nil, "k1", "[k1 active]"},
			{-time.Minute, "", nil, "k1", "[k1 published]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife()
			for i, s := range steps {
				l.now = begin.Add(s.after)
				var err error
				switch do := s.do; {
				case do == "add":
					err = l.add()
				case do == "tidy":
					l.ring.tidy(l.now)
				case len(do) > 7 && do[:6] == "retire":
					err = l.ring.retire(do[7:], false, l.now)
				case len(do) > 6 && do[:5] == "force":
					err = l.ring.retire(do[6:], true, l.now)
				}
				if s.err != nil {
					l.made -= map[bool]int{true: 1}[s.do == "add"]
				}
				require.ErrorIs(t, err, s.err, "step %d", i)
				require.Equal(t, s.signs, l.ring.At(l.now).Signing, "step %d", i)
				require.Equal(t, s.states, l.states(), "step %d", i)
			}
		})
	}
}

// TestNoChangeFailsACall makes random rotations and retirements, without force,
// and looks at each minute that follows: what signs has been published for the
// ring's time, or since the beginning, without a gap; and a key that signed an
// hour ago is still published unless it was retired.
func TestNoChangeFailsACall(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for run := range 60 {
		l := newLife()
		require.NoError(t, l.add())
		since := map[string]time.Time{}
		for range 60 {
			for range random.IntN(300) {
				l.now = l.now.Add(time.Minute)
				now := l.ring.At(l.now)
				for kid := range since {
					if !slices.Contains(now.Published, kid) {
						delete(since, kid)
					}
				}
				for _, kid := range now.Published {
					if _, known := since[kid]; !known {
						since[kid] = l.now
					}
				}
				require.Contains(t, now.Published, now.Signing)
				if known := since[now.Signing]; now.Signing != "k1" {
					require.GreaterOrEqual(t, l.now.Sub(known), DefaultAfter-time.Minute, "run %d: %s", run, l.states())
				}
			}
			switch key := l.ring.Keys[random.IntN(len(l.ring.Keys))]; random.IntN(4) {
			case 0:
				_ = l.ring.retire(key.KID, false, l.now) // refused for the last key
			case 1:
				l.ring.tidy(l.now)
			default:
				_ = l.add() // refused during a rotation
			}
		}
	}
}
