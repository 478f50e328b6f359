package links

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// pieces rewrites src by a Writer that gets it cut at the given offsets, and
// starts again as the gateway does when a Bundle turns out to be signed.
func pieces(src string, m *Map, cuts ...int) (string, error) {
	again := *m
	for {
		var out bytes.Buffer
		err := write(NewWriter(&out, &again), src, cuts)
		var signed *SignedError
		if !errors.As(err, &signed) {
			return out.String(), err
		}
		again.Frozen = append(again.Frozen[:len(again.Frozen):len(again.Frozen)], signed.Offset)
	}
}

func write(w *Writer, src string, cuts []int) error {
	at := 0
	for _, cut := range append(cuts, len(src)) {
		if _, err := w.Write([]byte(src[at:cut])); err != nil {
			if closed := w.Close(); !errors.Is(closed, err) {
				return errors.New("Close forgot the error of Write")
			}
			return err
		}
		at = cut
	}
	return w.Close()
}

// everyByte cuts between all bytes.
func everyByte(n int) []int {
	cuts := make([]int, 0, n)
	for i := 1; i < n; i++ {
		cuts = append(cuts, i)
	}
	return cuts
}

// someBytes cuts at places that the seed chooses.
func someBytes(n int, seed uint64) []int {
	random := rand.New(rand.NewPCG(seed, 7))
	var cuts []int
	for at := 0; n > 0; {
		if at += 1 + random.IntN(1+n/3); at >= n {
			break
		}
		cuts = append(cuts, at)
	}
	return cuts
}

// rewrite rewrites src whole, and checks that every way to cut it gives the
// same bytes or the same error.
func rewrite(t *testing.T, src string, m *Map) (string, error) {
	t.Helper()
	out, err := Rewrite([]byte("before"), []byte(src), m)
	if err != nil {
		require.Equal(t, "before", string(out), "the buffer comes back as it went")
	}
	want := string(bytes.TrimPrefix(out, []byte("before")))
	same := func(cuts ...int) {
		t.Helper()
		got, cutErr := pieces(src, m, cuts...)
		require.Equal(t, err, cutErr, "cut at %v", cuts)
		if err == nil {
			require.Equal(t, want, got, "cut at %v", cuts)
		}
	}
	same(everyByte(len(src))...)
	step := 1 + len(src)*len(src)/(1<<20) // every byte of all but long texts
	for cut := step; cut < len(src); cut += step {
		same(cut)
	}
	for seed := range uint64(20) {
		same(someBytes(len(src), seed)...)
	}
	return want, err
}
