package links

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSigned holds Bundles that turn out to be signed only after locators.
// Those that must pass have {H}; what must change has {H} before, {G} after.
func TestSigned(t *testing.T) {
	m := toGateway()
	m.Link = func(_, url string) (string, error) { return "sealed", nil }
	const signature = `"signature":{"who":{"reference":"{H}/Practitioner/1"},"data":"QQ=="}`
	for _, c := range []struct{ in, out string }{
		{`{"resourceType":"Bundle","entry":[{"fullUrl":"{H}/P/1"}],` + signature + `}`, ``},
		{`{"entry":[{"fullUrl":"{H}/P/1"}],` + signature + `,"resourceType":"Bundle"}`, ``},
		{`{` + signature + `,"entry":[{"fullUrl":"{H}/P/1"}],"resourceType":"Bundle"}`, ``},
		{`{"entry":[{"fullUrl":"{H}/P/1"}],"resourceType":"B\u0075ndle",` + signature + `}`, ``},
		{`{"link":[{"url":"{H}?p=2","relation":"next"}],"resourceType":"Bundle",` + signature + `}`, ``},
		{`{"link":{"resourceType":"Bundle","url":"{H}?p=2","signature":1,"relation":"next"}}`, ``},
		{
			`{"link":[{"url":"{H}?p=2","a":{"resourceType":"Bundle","b":{"reference":"{H}/P/1"},` + signature + `},"relation":"next"}]}`,
			`{"link":[{"url":"sealed","a":{"resourceType":"Bundle","b":{"reference":"{H}/P/1"},` + signature + `},"relation":"next"}]}`,
		},
		{
			`{"entry":[{"fullUrl":"{H}/B/1","resource":{"resourceType":"Bundle","entry":[{"fullUrl":"{H}/P/1"}],` + signature + `}},{"fullUrl":"{H}/B/2"}]}`,
			`{"entry":[{"fullUrl":"{G}/B/1","resource":{"resourceType":"Bundle","entry":[{"fullUrl":"{H}/P/1"}],` + signature + `}},{"fullUrl":"{G}/B/2"}]}`,
		},
		{`{"entry":[{"resource":{"entry":[{"fullUrl":"{H}/P/1"}],` + signature + `}}],"a":{"reference":"{H}/P/1"},"resourceType":"Bundle",` + signature + `}`, ``},
		{
			`{"resourceType":"Provenance","target":[{"reference":"{H}/P/1"}],"signature":[{"who":{"reference":"{H}/P/2"}}]}`,
			`{"resourceType":"Provenance","target":[{"reference":"{G}/P/1"}],"signature":[{"who":{"reference":"{G}/P/2"}}]}`,
		},
		{
			`{"signature":[{"who":{"reference":"{H}/P/2"}}],"target":[{"reference":"{H}/P/1"}],"resourceType":"Provenance"}`,
			`{"signature":[{"who":{"reference":"{G}/P/2"}}],"target":[{"reference":"{G}/P/1"}],"resourceType":"Provenance"}`,
		},
		{
			`{"resourceType":"List","entry":[{"item":{"reference":"{H}/P/1"}}],"signature":1}`,
			`{"resourceType":"List","entry":[{"item":{"reference":"{G}/P/1"}}],"signature":1}`,
		},
	} {
		if c.out == "" {
			c.out = c.in
		}
		out, err := Rewrite(nil, []byte(fill(c.in)), m)
		require.NoError(t, err)
		require.Equal(t, fill(c.out), string(out))
		_, err = rewrite(t, fill(c.in), m)
		require.NoError(t, err)
	}
}

func TestSignedError(t *testing.T) {
	in := fill(`{"entry":[ {"fullUrl":"{H}/P/1"}], "signature":{}}`)
	w := NewWriter(io.Discard, toGateway())
	_, err := w.Write([]byte(in))
	require.NoError(t, err, "the change is still at hand: it is taken back")
	require.NoError(t, w.Close())

	w = NewWriter(io.Discard, toGateway())
	half := strings.Index(in, `"signature`)
	_, err = w.Write([]byte(in[:half]))
	require.NoError(t, err)
	_, err = w.Write([]byte(in[half:]))
	require.Equal(t, &SignedError{Offset: 0}, err)
	require.Equal(t, err, w.Close())

	m := toGateway()
	m.Frozen = []int64{0}
	out, err := rewrite(t, in, m)
	require.NoError(t, err)
	require.Equal(t, in, out)
}

type brokenWriter struct{ err error }

func (b brokenWriter) Write([]byte) (int, error) { return 0, b.err }

func TestBrokenDestination(t *testing.T) {
	gone := errors.New("gone")
	for _, text := range []string{`{"a":1}`, fill(`{"reference":"{H}"}`)} {
		w := NewWriter(brokenWriter{gone}, toGateway())
		_, err := w.Write([]byte(text))
		require.Equal(t, gone, err)
		_, err = w.Write([]byte(text))
		require.Equal(t, gone, err)
		require.Equal(t, gone, w.Close())
	}
}

func TestClosed(t *testing.T) {
	w := NewWriter(io.Discard, toGateway())
	_, err := w.Write([]byte(`{}`))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = w.Write([]byte(`{}`))
	require.Equal(t, errClosed, err)
	require.Equal(t, errClosed, w.Close())
}

// TestKeepsNoCaller checks that a Writer neither changes nor keeps the bytes
// that it is given.
func TestKeepsNoCaller(t *testing.T) {
	in := fill(`{"link":[{"url":"{H}/P/1","relation":"next"}],"a":{"reference":"{H}/P/1"}}`)
	want, err := Rewrite(nil, []byte(in), toGateway())
	require.NoError(t, err)
	var out bytes.Buffer
	w := NewWriter(&out, toGateway())
	piece := make([]byte, 7)
	for at := 0; at < len(in); at += 7 {
		n := copy(piece, in[at:])
		_, err := w.Write(piece[:n])
		require.NoError(t, err)
		require.Equal(t, in[at:at+n], string(piece[:n]))
		copy(piece, "#######")
	}
	require.NoError(t, w.Close())
	require.Equal(t, string(want), out.String())
}

// TestFlatMemory streams 64 MB of base64 and of narrative; what the Writer
// allocates does not grow with them.
func TestFlatMemory(t *testing.T) {
	for _, head := range []string{`{"data":"`, `{"text":{"div":"`, `{"photo":[{"url":"data:image/png;base64,`} {
		piece := []byte(strings.Repeat("QUJD", 16<<10))
		w := NewWriter(io.Discard, toGateway())
		_, err := w.Write([]byte(head))
		require.NoError(t, err)
		_, err = w.Write(piece)
		require.NoError(t, err)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 64 << 20 / len(piece) {
			if _, err := w.Write(piece); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), head)
		require.ErrorIs(t, w.Close(), ErrTruncated)
	}
}

// TestHostile bounds the work for texts made to be expensive.
func TestHostile(t *testing.T) {
	signed := strings.Repeat(`{"entry":[{"resource":`, 60) + searchset(100, 1000) +
		strings.Repeat(`}],"resourceType":"Bundle","signature":{}}`, 60)
	out, err := Rewrite(nil, []byte(signed), toGateway())
	require.NoError(t, err)
	require.True(t, signed == string(out), "signed all the way in")

	dribble := `{"text":{"div":"` + strings.Repeat(`h\u0068 `, 1<<15) + `"},"reference":"` + strings.Repeat("x", maxToken-1) + `"}`
	cut, err := pieces(dribble, toGateway(), everyByte(len(dribble))...)
	require.NoError(t, err)
	require.True(t, dribble == cut)
}

// TestConcurrent shares one Map, as a hospital's requests do.
func TestConcurrent(t *testing.T) {
	m, src := toGateway(), []byte(searchset(5, 1000))
	want, err := Rewrite(nil, src, m)
	require.NoError(t, err)
	done := make(chan string)
	for n := range 8 {
		go func() {
			for range 20 {
				out, err := pieces(string(src), m, someBytes(len(src), uint64(n))...)
				if err != nil || out != string(want) {
					done <- "differs"
					return
				}
			}
			done <- ""
		}()
	}
	for range 8 {
		require.Empty(t, <-done)
	}
}

func TestAllocations(t *testing.T) {
	src, m := []byte(searchset(20, 1000)), toGateway()
	dst := make([]byte, 0, 2*len(src))
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := Rewrite(dst, src, m); err != nil {
			t.Fatal(err)
		}
	})
	require.LessOrEqual(t, allocs, 1.0, "nothing is allocated for a token")
}
