package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fhirgate/internal/freeport"
)

// Paths of the hospital. A base path is anything that ends before /Patient.
const (
	basePath   = "/r4"
	tokenPath  = "/token"
	seenPath   = "/seen" // answers with the Authorization of the last FHIR request
	readPath   = "/Patient/p1"
	searchPath = "/Patient?_count=20"
)

const hospitalToken = "hospital-token-0123456789abcdef"

// startHospital starts the static hospital in a process of its own.
func (b *bench) startHospital(ctx context.Context) error {
	var err error
	if b.hospital, err = freeport.Address(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p, err := b.start("hospital", otherCore, nil, self, "hospital", b.hospital)
	if err != nil {
		return err
	}
	return p.accepts(ctx, b.hospital)
}

func (b *bench) hospitalBase() string { return "http://" + b.hospital + basePath }

// hospital answers with bodies made beforehand, as fast as one goroutine a
// connection can. It understands no more of HTTP than it is asked.
type hospital struct {
	address string
	bodies  sync.Map // base path and kind → a whole answer
	seen    atomic.Pointer[string]
}

func serveHospital(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	h := &hospital{address: address}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go h.serve(conn)
	}
}

var (
	headEnd       = []byte("\r\n\r\n")
	authorization = []byte("\r\nAuthorization: ")
	contentLength = []byte("\r\nContent-Length: ")
)

// serve answers the requests of one connection.
func (h *hospital) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 16<<10)
	for {
		head, err := peekHead(in)
		if err != nil {
			return
		}
		target := string(field(head, []byte(" "), ' '))
		auth := string(field(head, authorization, '\r'))
		length, _ := strconv.Atoi(string(field(head, contentLength, '\r')))
		if _, err := in.Discard(len(head) + length); err != nil {
			return
		}
		if _, err := conn.Write(h.answer(target, auth)); err != nil {
			return
		}
	}
}

// peekHead returns the next request's head with the empty line at its end.
func peekHead(in *bufio.Reader) ([]byte, error) {
	for want := 1; ; {
		if _, err := in.Peek(want); err != nil {
			return nil, err
		}
		data, _ := in.Peek(in.Buffered()) // what is there
		if end := bytes.Index(data, headEnd); end >= 0 {
			return data[:end+len(headEnd)], nil
		}
		want = len(data) + 1
	}
}

// field returns what stands between start and end.
func field(head, start []byte, end byte) []byte {
	i := bytes.Index(head, start)
	if i < 0 {
		return nil
	}
	rest := head[i+len(start):]
	return rest[:max(0, bytes.IndexByte(rest, end))]
}

func (h *hospital) answer(target, auth string) []byte {
	base, rest, found := strings.Cut(target, "/Patient")
	switch {
	case target == tokenPath:
		return reply("application/json", `{"access_token":"`+hospitalToken+`","token_type":"Bearer","expires_in":3600}`)
	case target == seenPath:
		return reply("text/plain", *h.seen.Load())
	case !found:
		return []byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
	}
	if last := h.seen.Load(); last == nil || *last != auth {
		h.seen.Store(&auth)
	}
	kind := rest[:min(1, len(rest))] // "/" for a read, "?" for a search
	if made, ok := h.bodies.Load(base + kind); ok {
		return made.([]byte)
	}
	body := patientBody("http://"+h.address+base, "p1", 3000)
	if kind == "?" {
		body = searchsetBody("http://" + h.address + base)
	}
	made := reply("application/fhir+json;charset=UTF-8", body)
	h.bodies.Store(base+kind, made)
	return made
}

func reply(media, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: %s\r\nX-Powered-By: static\r\nETag: W/\"3\"\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		time.Now().UTC().Format(http.TimeFormat), media, len(body), body)
}

// serveProxy is Go's own reverse proxy and nothing else: listen,target.
func serveProxy(arg string) error {
	address, target, _ := strings.Cut(arg, ",")
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(u) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}
	server := &http.Server{Addr: address, Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}
