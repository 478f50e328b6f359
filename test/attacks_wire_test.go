package test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// request returns a request byte by byte: a request line, header lines and a
// body, with a good key. The connection is to be closed behind it.
func (f *fight) request(line, header, body string) string {
	return line + " HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer " + f.keys["e2e"].key + "\r\n" + header + "\r\n" + body
}

// smuggled is what a request hides in its body: it would delete a Patient.
func (f *fight) smuggled() string {
	return f.request("DELETE /fhir/harbor/Patient/100007", "Connection: close\r\n", "")
}

// smuggling is an attack by requests of which each hides another one. Exactly one
// answer may come.
func smuggling(name, sends string, status int, code string, requests func(f *fight) []string) attack {
	return attack{
		name: name, sends: sends, status: status, code: code,
		hides: "One answer comes: the hidden request is never read as one.",
		try: func(f *fight) {
			f.works(f.plan("e2e").get(somewhere))
			for _, text := range requests(f) {
				f.strikes(f.only(text))
			}
			f.works(f.plan("e2e").get("/fhir/harbor/Patient/100007"))
		},
	}
}

// only sends a request that hides another one, and a harmless one behind it. It
// returns the answer, the only one but for that of the harmless one.
func (f *fight) only(text string) answer {
	f.t.Helper()
	const sentinel = "/nothing/is/here"
	answers := f.wire(text + "GET " + sentinel + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
	require.NotEmpty(f.t, answers)
	for _, a := range answers[1:] {
		require.Equal(f.t, http.StatusNotFound, a.StatusCode, "the hidden request was read as one: %.300s\n%s", text, a.body)
	}
	require.LessOrEqual(f.t, len(answers), 2)
	return answers[0]
}

const (
	searchLine = "POST /fhir/harbor/Patient/_search"
	formLine   = "Content-Type: application/x-www-form-urlencoded\r\n"
)

func wireAttacks() []attack {
	return []attack{
		smuggling("A request in the body of a read", "A GET with `Content-Length`, and one with chunks, whose body is another request.", 400, "invalid", func(f *fight) []string {
			inner := f.smuggled()
			return []string{
				f.request("GET "+somewhere, fmt.Sprintf("Content-Length: %d\r\n", len(inner)), inner),
				f.request("GET "+somewhere, "Transfer-Encoding: chunked\r\n", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner)),
			}
		}),
		smuggling("Two lengths", "`Content-Length` twice with different values, with a list, with a sign, in hexadecimal, and negative.", 400, "", func(f *fight) []string {
			var requests []string
			for _, lengths := range []string{
				"Content-Length: 8\r\nContent-Length: 0\r\n", "Content-Length: 0\r\nContent-Length: 8\r\n", "Content-Length: 8, 0\r\n", "Content-Length: +8\r\n",
				"Content-Length: 0x8\r\n", "Content-Length: -1\r\n", "Content-Length: 8 \x0b\r\n",
			} {
				requests = append(requests, f.request(searchLine, formLine+lengths, "_count=1"+f.smuggled()))
			}
			return requests
		}),
		smuggling("A disguised Transfer-Encoding", "`Transfer-Encoding: xchunked`, `chunked, identity`, `identity`, twice, in a list.", 501, "", func(f *fight) []string {
			var requests []string
			for _, encodings := range []string{
				"Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding: identity\r\n", "Transfer-Encoding: gzip, chunked\r\n",
				"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "Transfer-Encoding: \"chunked\"\r\n",
			} {
				requests = append(requests, f.request(searchLine, formLine+encodings+"Content-Length: 5\r\n", "0\r\n\r\n"+f.smuggled()))
			}
			return requests
		}),
		smuggling("A header name with a blank", "`Transfer-Encoding : chunked`, `Content-Length : 0`, a name with a tab, a line without a colon.", 400, "", func(f *fight) []string {
			var requests []string
			for _, header := range []string{"Transfer-Encoding : chunked\r\n", "Content-Length : 0\r\n", "Content\tLength: 0\r\n", "nothing\r\n", "X: a\rTransfer-Encoding: chunked\r\n", "X: a\x00b\r\n"} {
				requests = append(requests, f.request(searchLine, formLine+header, "0\r\n\r\n"+f.smuggled()))
			}
			return requests
		}),
		{
			name: "A folded header", sends: "`Authorization` with a good key in a line that begins with a blank, with two, with a tab.",
			hides: sameAnswer + " A folded line is part of the header before it, and never a header.", status: 401, code: "login",
			try: func(f *fight) {
				f.works(f.plan("e2e").get(somewhere))
				for _, fold := range []string{" ", "\t", "  "} {
					answers := f.wire("GET " + somewhere + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nX-A: b\r\n" + fold + "Authorization: Bearer " + f.keys["e2e"].key + "\r\n\r\n")
					require.Len(f.t, answers, 1)
					f.strikes(answers...)
				}
			},
		},
		{
			name: "Length and chunks at once", sends: "A search by POST with `Content-Length` and `Transfer-Encoding: chunked`, each of which ends the body elsewhere, and another request behind it (CL.TE and TE.CL); the same as HTTP/1.0 that keeps its connection.",
			hides:  "The chunks count, and the connection is closed: what a proxy that reads it in the other way lets through is never read as a request.",
			status: 200, answer: "200 to the first request, and no other answer",
			try: func(f *fight) { lengthAndChunks(f) },
		},
		{
			name: "Two hosts", sends: "A request with two `Host` headers, with none, and with one that holds a path.",
			hides: "It is refused before anybody looks at the key.", status: 400,
			try: func(f *fight) {
				f.works(f.plan("e2e").get(somewhere))
				key := "Authorization: Bearer " + f.keys["e2e"].key + "\r\nConnection: close\r\n\r\n"
				for _, hosts := range []string{"Host: gateway\r\nHost: evil.example\r\n", "", "Host: evil.example/fhir\r\n", "Host: a b\r\n"} {
					f.strikes(f.wire("GET " + somewhere + " HTTP/1.1\r\n" + hosts + key)...)
				}
			},
		},
		{
			name: "Headers without an end", sends: "A header of 200 KiB, and 200 of 1 KiB.",
			hides: "It is refused before anybody looks at the key.", status: 431,
			try: func(f *fight) {
				f.works(f.plan("e2e").get(somewhere, "X-A", strings.Repeat("a", 20<<10)))
				f.strikes(f.wire(f.request("GET "+somewhere, "X-A: "+strings.Repeat("a", 200<<10)+"\r\n", ""))...)
				f.strikes(f.wire(f.request("GET "+somewhere, strings.Repeat("X-A: "+strings.Repeat("b", 1000)+"\r\n", 200), ""))...)
			},
		},
		{
			name: "A connection that was good before", sends: "On one connection a call with a good key, and then one without.",
			hides: sameAnswer, status: 401, code: "login",
			try: func(f *fight) {
				const open = "GET " + somewhere + " HTTP/1.1\r\nHost: gateway\r\n"
				answers := f.wire(open + "Authorization: Bearer " + f.keys["e2e"].key + "\r\n\r\n" + open + "Connection: close\r\n\r\n")
				require.Len(f.t, answers, 2)
				f.works(answers[0])
				f.strikes(answers[1])
			},
		},
		{
			name: "HTTP/2 without TLS", sends: "HTTP/2 with prior knowledge, with bad credentials and with none, many calls on one connection.",
			hides: sameAnswer, status: 401, code: "login",
			try: func(f *fight) {
				c := caller{f: f, node: f.a, secret: f.keys["e2e"].key, from: f.from, http: clientFrom(f.from)}
				transport := c.http.Transport.(*http.Transport)
				transport.Protocols = new(http.Protocols)
				transport.Protocols.SetUnencryptedHTTP2(true)
				transport.DisableKeepAlives = false
				defer transport.CloseIdleConnections()
				good := f.works(c.get(somewhere))
				require.Equal(f.t, 2, good.ProtoMajor)
				for _, secret := range []string{"fg_" + strings.Repeat("0", 43), "", f.forged(claims{"exp": ago(time.Hour)})} {
					c.secret = secret
					for range 6 {
						a := c.get(somewhere)
						require.Equal(f.t, 2, a.ProtoMajor)
						f.strikes(a)
					}
				}
			},
		},
		{
			name: "An upgrade", sends: "`Upgrade: h2c` with `HTTP2-Settings`, and `Upgrade: websocket`, with a bad key.",
			hides: sameAnswer + " Nothing is upgraded, with a good key neither.", status: 401, code: "login",
			try: func(f *fight) {
				for _, upgrade := range []string{
					"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings, close\r\n",
					"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: Upgrade, close\r\n",
				} {
					f.works(f.wire(f.request("GET "+somewhere, upgrade, ""))[0])
					f.strikes(f.wire("GET " + somewhere + " HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer fg_" + strings.Repeat("0", 43) + "\r\n" + upgrade + "\r\n")...)
				}
			},
		},
		{
			name: "Slow headers", sends: "A request whose headers go on with a line a second, on twenty connections.",
			hides: "There is no answer, and others are served meanwhile.", answer: "the connection is closed within 15 s", slow: true,
			try: slowHeaders,
		},
		{
			name: "A body that does not come", sends: "The first byte of a body, and then nothing: without a credential to a hospital, to `/oauth/token`, to a path that does not exist, and with a GET.",
			hides: "There is no more than the refusal.", answer: "the connection is closed within 15 s", slow: true,
			try: missingBodies,
		},
	}
}

// lengthAndChunks sends a body whose end is told in two ways.
func lengthAndChunks(f *fight) {
	f.works(f.plan("e2e").post("/fhir/harbor/Patient/_search", "_count=1", "Content-Type", formMedia))
	body := "8\r\n_count=1\r\n0\r\n\r\n"
	for _, header := range []string{
		fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", len(body+f.smuggled())), "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
		"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n",
	} {
		a := f.only(f.request(searchLine, formLine+header, body+f.smuggled()))
		require.Equal(f.t, http.StatusOK, a.StatusCode)
		f.clean(a)
		f.struck++
	}
	old := strings.Replace(f.request(searchLine, formLine+"Connection: keep-alive\r\nContent-Length: 8\r\nTransfer-Encoding: chunked\r\n", "_count=1"), "HTTP/1.1", "HTTP/1.0", 1)
	f.only(old + f.smuggled())
	for _, call := range f.a.Harbor.Calls() {
		require.NotEqual(f.t, http.MethodDelete, call.Method)
	}
	f.works(f.plan("e2e").get("/fhir/harbor/Patient/100007"))
}

// missingBodies announces bodies that never come.
func missingBodies(f *fight) {
	f.works(f.anyone().form("/oauth/token", secretForm(f.client.id, f.client.secret)))
	closed := make(chan error, 4)
	for _, request := range []string{
		"POST /fhir/harbor/Patient HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/fhir+json\r\nContent-Length: 100\r\n\r\n{",
		"POST /oauth/token HTTP/1.1\r\nHost: gateway\r\n" + formLine + "Content-Length: 100\r\n\r\ng",
		"POST /nothing/here HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na",
		"GET /fhir/harbor/Patient HTTP/1.1\r\nHost: gateway\r\nContent-Length: 100\r\n\r\n{",
	} {
		conn := f.dial()
		require.NoError(f.t, conn.SetDeadline(time.Now().Add(15*time.Second)))
		_, err := io.WriteString(conn, request)
		require.NoError(f.t, err)
		go func() {
			said, err := io.ReadAll(conn)
			if err == nil && strings.Contains(string(said), " 200 ") {
				err = errors.New("it answers 200")
			}
			closed <- err
		}()
	}
	for range cap(closed) {
		require.NoError(f.t, <-closed, "the connection is still open after 15 s")
		f.struck++
	}
}

// slowHeaders holds twenty connections open with headers that never end.
func slowHeaders(f *fight) {
	began := time.Now()
	closed := make(chan error, 20)
	for range cap(closed) {
		conn := f.dial()
		require.NoError(f.t, conn.SetDeadline(began.Add(15*time.Second)))
		_, err := io.WriteString(conn, "GET "+somewhere+" HTTP/1.1\r\nHost: gateway\r\n")
		require.NoError(f.t, err)
		go func() {
			for n := 0; ; n++ {
				time.Sleep(time.Second)
				if _, err := fmt.Fprintf(conn, "X-%d: a\r\n", n); err != nil {
					return
				}
			}
		}()
		go func() {
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err == nil {
				err = fmt.Errorf("it answers %q", line)
			}
			closed <- err
		}()
	}
	for range 5 {
		answer := f.plan("e2e").get(somewhere)
		require.Equal(f.t, http.StatusOK, answer.StatusCode)
		f.worked++
	}
	for range cap(closed) {
		err := <-closed
		require.NotContains(f.t, err.Error(), "timeout", "the connection is still open after 15 s")
		require.NotContains(f.t, err.Error(), "it answers 200")
		f.struck++
	}
}
