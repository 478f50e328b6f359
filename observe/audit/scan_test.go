package audit

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
)

func BenchmarkRecord(b *testing.B) {
	trail := &Trail{ring: fixed(b), queue: newQueue()}
	e := read("123")
	e.Resources = nil
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%1024 == 0 {
			trail.queue.take(maxQueued)
		}
		trail.Record(e)
	}
}

// BenchmarkTrail is the throughput from Record to what is safely stored, with
// one reader of one patient a record.
func BenchmarkTrail(b *testing.B) {
	trail := opened(b, Options{Config: completed(b, nil), Keys: envelope.NewSet(), Server: server})
	e := read("123")
	b.ReportAllocs()
	for b.Loop() {
		trail.Record(e)
	}
	closed(b, trail)
	require.Zero(b, trail.Stats().Lost)
}

func BenchmarkAdd(b *testing.B) {
	w := &writer{ring: fixed(b), now: time.Now, head: &head{Node: "n"}, next: 1, server: server}
	r := records(b)["read"]
	b.ReportAllocs()
	for b.Loop() {
		one := Record{Kind: KindCall, Event: r.Event}
		if err := w.add(&one); err != nil {
			b.Fatal(err)
		}
		w.pending, w.bytes = w.pending[:0], 0
	}
}

func BenchmarkVerify(b *testing.B) {
	ring := fixed(b)
	plain, err := records(b)["read"].encode(server)
	require.NoError(b, err)
	line, err := ring.seal.Seal(plain)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		opened, err := ring.seal.Open(line)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := decodeRecord(opened); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzScan reads what could stand in a file: sealed records between anything.
func FuzzScan(f *testing.F) {
	ring := fixed(f)
	var sealed []byte
	for _, r := range records(f) {
		plain, err := r.encode(server)
		require.NoError(f, err)
		line, err := ring.seal.Seal(plain)
		require.NoError(f, err)
		sealed = append(append(sealed, line...), '\n')
		f.Add([]byte(line), plain)
	}
	f.Add(sealed, []byte(`{"resourceType":"AuditEvent"}`))
	f.Add([]byte("\n\n\x00"), []byte(`[]`))
	f.Fuzz(func(t *testing.T, data, plain []byte) {
		size, offset := 0, int64(0)
		scanLines(ring, bytes.NewReader(data), func(line scanned) bool {
			require.Equal(t, offset, line.offset)
			require.True(t, (line.record == nil) == (line.err != nil))
			size += line.size
			offset += int64(line.size)
			return true
		})
		require.Equal(t, len(data), size)

		r, err := decodeRecord(plain) // what was sealed may be anything too
		if err != nil {
			return
		}
		again, err := r.encode(server)
		require.NoError(t, err)
		_, err = decodeRecord(again)
		require.NoError(t, err)
	})
}
