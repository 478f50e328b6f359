package sandbox

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Hang takes the request and never answers: it returns when the client gives up or the hospital closes.
func Hang() http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a departing client is only noticed once its body was read
		<-r.Context().Done()
	})
}

// Slow waits before next answers, or until the client gives up.
func Slow(wait time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(wait):
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
}

// ResetBefore resets the connection (TCP RST) before any byte of an answer.
func ResetBefore() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reset(w, "") })
}

// ResetMidBody declares size bytes of JSON, sends the first sent of them and resets the connection.
func ResetMidBody(size, sent int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reset(w, "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: "+strconv.Itoa(size)+"\r\n\r\n"+
			string(sample(size)[:sent]))
	})
}

// HTMLError answers with status and a page of HTML, as a proxy in front of a hospital would.
func HTMLError(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html><head><title>"+http.StatusText(status)+"</title></head><body><h1>"+
			strconv.Itoa(status)+" "+http.StatusText(status)+"</h1></body></html>\n")
	})
}

// HalfBody sends, chunked, the first half of size bytes of JSON and closes the connection without the final chunk.
func HalfBody(size int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/fhir+json")
		_, _ = w.Write(sample(size)[:size/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
}

// WrongLength declares declared bytes of JSON, sends fewer and closes the connection in good order (TCP FIN).
func WrongLength(declared, sent int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/fhir+json")
		w.Header().Set("Content-Length", strconv.Itoa(declared))
		_, _ = w.Write(sample(declared)[:sent])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
}

// GarbageJSON answers 200 and declares FHIR JSON, but the body breaks off inside an object: a whole answer that isn't JSON.
func GarbageJSON() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/fhir+json")
		_, _ = io.WriteString(w, `{"resourceType":"Patient","id":"1","name":[{"family":"Doe"`)
	})
}

// Refuse answers with status and an OperationOutcome, and with a Retry-After header unless retryAfter is empty.
func Refuse(status int, retryAfter string) http.Handler {
	code := "processing"
	switch status {
	case http.StatusTooManyRequests:
		code = "throttled"
	case http.StatusServiceUnavailable:
		code = "transient"
	case http.StatusLocked:
		code = "lock-error"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		write(w, status, "application/fhir+json", outcome(issue{severity: "error", code: code, diagnostics: http.StatusText(status)}))
	})
}

// reset writes head as it is and resets the connection (TCP RST).
func reset(w http.ResponseWriter, head string) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	_, _ = buffered.WriteString(head)
	_ = buffered.Flush()
	if head != "" {
		time.Sleep(50 * time.Millisecond) // a reset overtakes bytes that the peer has not read yet
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// sample is a Bundle of exactly size bytes, at least 64.
func sample(size int) []byte {
	const head, tail = `{"resourceType":"Bundle","type":"searchset","id":"`, `"}`
	body := make([]byte, max(size, 64))
	for i := range body {
		body[i] = 'x'
	}
	copy(body, head)
	copy(body[len(body)-len(tail):], tail)
	return body
}
