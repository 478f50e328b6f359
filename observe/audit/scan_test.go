package audit

import (
	"bytes"
	"encoding/json"
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
		w.add(&one)
		w.pending, w.bytes = w.pending[:0], 0
	}
}

func BenchmarkVerify(b *testing.B) {
	ring := fixed(b)
	plain := records(b)["read"].encode(server)
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

// FuzzScan reads what could stand in a file.
func FuzzScan(f *testing.F) {
	ring := fixed(f)
	line, err := ring.seal.Seal([]byte(`{"resourceType":"AuditEvent"}`))
	require.NoError(f, err)
	f.Add([]byte(line))
	f.Add([]byte(line + "\n" + line[:20]))
	f.Add([]byte("\n\n\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		offset := int64(0)
		scanLines(ring, bytes.NewReader(data), func(line scanned) bool {
			require.Equal(t, offset, line.offset)
			require.Equal(t, line.record == nil, line.err != nil)
			offset += int64(line.size)
			return true
		})
		require.Equal(t, len(data), int(offset))
	})
}

// FuzzDecode reads what could be sealed in a line.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"read", "gap", "recovered"} {
		plain := records(f)[name].encode(server)
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		r, err := decodeRecord(plain)
		if err != nil {
			return
		}
		again := r.encode(server)
		_, err = decodeRecord(again)
		require.NoError(t, err)
		same, err := json.Marshal(r.resource(server))
		require.NoError(t, err)
		require.JSONEq(t, string(same), string(again))
	})
}
