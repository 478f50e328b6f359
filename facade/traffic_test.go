package facade

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

func TestCallsAtTheSameTimeKeepTheirOwnAnswers(t *testing.T) {
	b := newBench(t, nil)
	ids := b.hospitals.Harbor.IDs("Patient")
	var group sync.WaitGroup
	for n := range 60 {
		group.Go(func() {
			id := ids[n%len(ids)]
			r, err := http.NewRequest(http.MethodGet, b.server.URL+"/fhir/harbor/Patient/"+id, nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Authorization", "Bearer alice")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK || gjson.GetBytes(body, "id").Str != id {
				t.Errorf("%d %v: asked for %s, got %s", resp.StatusCode, err, id, gjson.GetBytes(body, "id").Str)
			}
		})
	}
	group.Wait()
}

func TestBodiesAreBounded(t *testing.T) {
	b := newBench(t, nil)
	b.facade.limits = BodyLimits{JSON: 1000, Held: 1500, Binary: 3000}
	padded := func(n int) string {
		const head, tail = `{"resourceType":"Patient","id":"`, `"}`
		return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
	}
	raw := func(path, mediaType, body string, chunked bool) int {
		b.resetCalls()
		length := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
		if chunked {
			length = fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
		}
		status, _ := b.raw("POST /fhir/harbor/" + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer alice\r\nContent-Type: " + mediaType + "\r\n" + length)
		return status
	}
	for _, chunked := range []bool{false, true} {
		require.Equal(t, 201, raw("Patient", fhirJSON, padded(1000), chunked))
		require.Equal(t, 413, raw("Patient", fhirJSON, padded(1001), chunked))
		require.Zero(t, b.hospitalCalls())
		require.Equal(t, 201, raw("Binary", "application/pdf", strings.Repeat("x", 3000), chunked))
		require.Equal(t, 413, raw("Binary", "application/pdf", strings.Repeat("x", 3001), chunked))
		for _, call := range b.hospitals.Harbor.Calls() {
			require.LessOrEqual(t, call.BodyBytes, int64(3000), "not a byte more")
		}
	}
	require.Equal(t, []string{}, append([]string{}, b.binariesOf(3001)...))
}

// binariesOf returns the Binaries of harbor whose data is of n bytes.
func (b *bench) binariesOf(n int) (ids []string) {
	for _, id := range b.hospitals.Harbor.IDs("Binary") {
		resource, _ := b.hospitals.Harbor.Resource("Binary", id)
		if len(gjson.GetBytes(resource, "data").Str) == (n+2)/3*4 {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestTooManyBodiesAtOnceAreRefused(t *testing.T) {
	b := newBench(t, nil)
	require.True(t, b.facade.bodies.TryAcquire(b.facade.limits.Held)) // as many bodies that are being sent would
	b.resetCalls()
	a := b.call("POST", "/fhir/harbor/Patient", `{"resourceType":"Patient"}`)
	require.Equal(t, 503, a.StatusCode)
	code, _ := a.outcome(t)
	require.Equal(t, "throttled", code)
	require.NotEmpty(t, a.Header.Get("Retry-After"))
	require.Zero(t, b.hospitalCalls())
	require.Equal(t, 200, b.call("GET", "/fhir/harbor/Patient/100001", "").StatusCode, "reads go on")
	b.facade.bodies.Release(b.facade.limits.Held)
	for _, body := range []string{`{"resourceType":"Patient"}`, `{`, `{"resourceType":"Observation"}`} {
		b.call("POST", "/fhir/harbor/Patient", body)
	}
	require.Eventually(t, func() bool {
		ok := b.facade.bodies.TryAcquire(b.facade.limits.Held)
		if ok {
			b.facade.bodies.Release(b.facade.limits.Held)
		}
		return ok
	}, 2*time.Second, 10*time.Millisecond, "every call gives its room back")
}

// TestClientsThatLeave looks at what is left when callers go before their
// answer has come.
func TestClientsThatLeave(t *testing.T) {
	b := newBench(t, nil)
	b.call("GET", "/fhir/harbor/Patient/100001", "")
	gone := make(chan struct{}, 100)
	endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { gone <- struct{}{} }()
		if strings.HasSuffix(r.URL.Path, "/late") {
			w.Header().Set("Content-Type", fhirJSON)
			_, _ = io.WriteString(w, large())
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, strings.Repeat(" ", 1<<10))
				_ = http.NewResponseController(w).Flush()
			}
		}
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	b.harborAnswers(endless)
	time.Sleep(100 * time.Millisecond)
	before := runtime.NumGoroutine()
	for _, tc := range []struct{ method, id, body string }{{"GET", "early", ""}, {"GET", "late", ""}, {"PUT", "early", `{"resourceType":"Patient","id":"early"}`}} {
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
			r, err := http.NewRequestWithContext(ctx, tc.method, b.server.URL+"/fhir/harbor/Patient/"+tc.id, strings.NewReader(tc.body))
			require.NoError(t, err)
			r.Header.Set("Authorization", "Bearer alice")
			r.Header.Set("Content-Type", fhirJSON)
			resp, err := http.DefaultClient.Do(r)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			require.Error(t, err)
			cancel()
			select {
			case <-gone:
			case <-time.After(5 * time.Second):
				t.Fatalf("the hospital was not told that the caller of %s has left", tc.id)
			}
		}
	}
	require.Contains(t, b.log.String(), `"cause":"the caller left before it had the whole answer"`)
	require.NotContains(t, b.log.String(), "broke its answer off", "that was not the hospital")
	require.Eventually(t, func() bool {
		http.DefaultClient.CloseIdleConnections()
		for _, h := range b.facade.Snapshot().Hospitals {
			h.Client.Close()
		}
		return runtime.NumGoroutine() <= before+5
	}, 5*time.Second, 50*time.Millisecond, "goroutines are left")
}

// A client that closes its sending side, as "nc -N" does, looks as if it had
// left. Silence would be an empty 200 to it.
func TestAClientThatClosesItsSendingSideGetsNoEmptyAnswer(t *testing.T) {
	b := newBench(t, nil)
	b.call("GET", "/fhir/harbor/Patient/100001", "")
	b.harborAnswers(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /fhir/harbor/Patient/100001 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		require.GreaterOrEqual(t, resp.StatusCode, 400)
	}
}

// TestLinksOfAHostileHospital holds the next links that no caller may be made to
// follow through us.
func TestLinksOfAHostileHospital(t *testing.T) {
	b := newBench(t, nil)
	host := mustParse(t, b.hospitals.Harbor.BaseURL()).Host
	_, port, err := net.SplitHostPort(host)
	require.NoError(t, err)
	for _, link := range []string{
		"javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "ftp://" + host + "/x", "http://user:pass@" + host + "/fhir?_getpages=1", "http://169.254.169.254/latest",
		"http://[::1]:" + port + "/fhir", "http://[::ffff:127.0.0.1]:" + port + "/fhir", "http://127.1:" + port + "/fhir", "http://2130706433:" + port + "/fhir",
		"http://127.0.0.1:1/fhir", "http://127.0.0.1/fhir", "http://" + host + ".evil.example/fhir", "http://" + host + "@evil.example/fhir", "//evil.example/fhir",
		"http://127.0.0.1.:" + port + "/fhir", "https://" + host + "/%zz", "http://evil.example\\@" + host + "/fhir", "http://localhost:" + port + "/fhir", "gopher://x", "http://",
	} {
		t.Run(link, func(t *testing.T) {
			b.t = t
			b.harborAnswers(answering(200, `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":`+quote(link)+`}]}`, "Content-Type", fhirJSON))
			a := b.call("GET", "/fhir/harbor/Observation", "")
			require.Equal(t, 502, a.StatusCode, "%s", a.body)
			code, _ := a.outcome(t)
			require.Equal(t, "security", code)
			require.NotContains(t, string(a.body)+b.log.String(), "evil")

			b.harborAnswers(answering(200, `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"self","url":`+quote(link)+`}]}`, "Content-Type", fhirJSON))
			a = b.call("GET", "/fhir/harbor/Observation?status=final", "")
			require.Equal(t, 200, a.StatusCode)
			require.Equal(t, b.server.URL+"/fhir/harbor/Observation?status=final", gjson.GetBytes(a.body, "link.0.url").Str)
		})
	}
}

func TestExplainingASealedLinkOpensNothing(t *testing.T) {
	b := newBench(t, nil)
	a := b.call("GET", "/fhir/harbor/Patient?_count=50", "")
	next := gjson.GetBytes(a.body, `link.#(relation=="next").url`).Str
	r, err := http.NewRequest(http.MethodGet, next, nil)
	require.NoError(t, err)
	text, passes := Explain(b.facade.Snapshot(), r, "all")
	require.False(t, passes)
	require.Contains(t, text, "404 not-found")
}

// A large body comes whole, whatever the pieces in which it is written.
func TestChunkedUploads(t *testing.T) {
	b := newBench(t, nil)
	pdf := bytes.Repeat([]byte("%PDF-1.7 "), 500_000)
	reader, writer := io.Pipe()
	go func() {
		for rest := pdf; len(rest) > 0; {
			n := min(len(rest), 77_777)
			_, _ = writer.Write(rest[:n])
			rest = rest[n:]
		}
		_ = writer.Close()
	}()
	r, err := http.NewRequest(http.MethodPost, b.server.URL+"/fhir/harbor/Binary", reader)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer alice")
	r.Header.Set("Content-Type", "application/pdf")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	_ = resp.Body.Close()
	require.Equal(t, 201, resp.StatusCode)
	down := b.call("GET", resp.Header.Get("Location"), "", "Accept", "application/pdf")
	require.True(t, bytes.Equal(pdf, down.body))
}
