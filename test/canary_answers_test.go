package test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// says is a hospital's answer.
func says(status int, contentType, body string, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// writes is a hospital's answer byte by byte, which need not be HTTP.
func writes(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, text)
	})
}

func isToken(r *http.Request) bool { return strings.Contains(r.URL.Path, "token") }

// inAnswers lets the hospital say marked things in every way that is wrong.
func inAnswers(t *testing.T, c *client, marks canaries) {
	outcome := func(mark string) string {
		return fmt.Sprintf(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid","diagnostics":%q,"details":{"text":%q}}]}`, mark, mark)
	}
	answers := map[string]http.Handler{}
	paused := map[int]bool{429: true, 503: true} // by which a hospital asks for a pause
	for _, status := range []int{400, 401, 403, 404, 409, 412, 422, 429, 500, 503} {
		mark := marks.at(fmt.Sprintf("the hospital's outcome with %d", status))
		retryAfter := mark
		if paused[status] {
			retryAfter = "0"
		}
		answers[fmt.Sprintf("outcome %d", status)] = says(status, fhirJSON, outcome(mark), "Retry-After", retryAfter, "WWW-Authenticate", "Bearer "+mark)
		answers[fmt.Sprintf("HTML %d", status)] = says(status, "text/html", "<h1>"+marks.at(fmt.Sprintf("the hospital's page with %d", status))+"</h1>", "Retry-After", "0")
	}
	whole := `{"resourceType":"Patient","id":"1","name":[{"family":"%s"}]}`
	for name, body := range map[string]string{
		"half a body": `{"resourceType":"Patient","name":[{"family":"%s"`, "trailing text": `{"resourceType":"Patient"} %s`, "no JSON": "%s",
		"a bad escape": `{"resourceType":"Patient","a":"%s\x"}`, "a bad key": `{%s:1}`, "another resource": `{"resourceType":"%s"}`,
		"a long one that breaks": `{"resourceType":"Patient","a":"` + strings.Repeat("z", 2<<20) + `","b":"%s`,
	} {
		answers[name] = says(200, fhirJSON, fmt.Sprintf(body, marks.at(name)))
	}
	answers["HTML 200"] = says(200, "text/html", "<p>"+marks.at("a page instead of a resource"))
	answers["another media type"] = says(200, marks.at("a media type")+"/x", fmt.Sprintf(whole, marks.at("a body of another media type")))
	answers["marked headers"] = says(200, fhirJSON, fmt.Sprintf(whole, marks.at("a resource")), "Set-Cookie", marks.at("a cookie"), "ETag", marks.at("an ETag"),
		"Location", marks.at("a Location"), "Content-Location", "http://"+marks.at("a host")+"/Patient/1", "Last-Modified", marks.at("a date"), "X-Hospital", marks.at("a header"))
	answers["redirect"] = says(302, "text/plain", "", "Location", "http://127.0.0.1:1/"+marks.at("a redirect"))
	answers["bundle that goes on elsewhere"] = says(200, fhirJSON, fmt.Sprintf(`{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"https://elsewhere.example/%s"}]}`, marks.at("a link to elsewhere")))
	answers["a link too long to seal"] = says(200, fhirJSON, fmt.Sprintf(`{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"%s?%s%s"}]}`,
		c.Harbor.BaseURL(), marks.at("a link that is too long"), strings.Repeat("q", 8<<10)))
	answers["no HTTP"] = writes(marks.at("an answer that is no HTTP") + "\r\n\r\n")
	answers["a bad status line"] = writes("HTTP/1.1 2x0 " + marks.at("a status line") + "\r\n\r\n")
	answers["a bad header"] = writes("HTTP/1.1 200 OK\r\n" + marks.at("a header without a colon") + "\r\n\r\n")
	answers["a bad length"] = writes("HTTP/1.1 200 OK\r\nContent-Length: " + marks.at("a length") + "\r\n\r\n")
	answers["a bad encoding"] = writes("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + marks.at("an encoding") + "\r\n\r\n")
	answers["a bad chunk"] = writes("HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nTransfer-Encoding: chunked\r\n\r\n" + marks.at("a chunk's size") + "\r\n")
	answers["a compressed body that is none"] = says(200, fhirJSON, marks.at("a body that claims to be compressed"), "Content-Encoding", "gzip")
	answers["more than was announced"] = writes("HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: 2\r\n\r\n{}" + marks.at("bytes after an answer"))

	defer c.Harbor.Fail(nil)
	for name, handler := range answers {
		var heard atomic.Int64
		c.Harbor.Fail(func(r *http.Request) http.Handler {
			if isToken(r) {
				return nil
			}
			heard.Add(1)
			return handler
		})
		within(t, "the hospital says "+name, func() bool {
			for _, target := range []string{somewhere, "/fhir/harbor/Patient?_count=1", "/fhir/harbor/Binary/1", "/fhir/harbor/metadata"} {
				_, _ = c.try(http.MethodGet, target, "") // whatever comes, nothing may be said of it
			}
			return heard.Load() > 0
		})
		_, _ = c.try(http.MethodPost, "/fhir/harbor/Patient", `{"resourceType":"Patient"}`)
	}
}

// inTokens lets the token endpoint say marked things, and gives out a marked
// token.
func inTokens(t *testing.T, c *client, marks canaries) {
	token := marks.at("an access token")
	for name, handler := range map[string]http.Handler{
		"refusal":       says(400, "application/json", fmt.Sprintf(`{"error":%q,"error_description":%q}`, marks.at("an OAuth error"), marks.at("an OAuth description"))),
		"page":          says(500, "text/html", marks.at("a page of the token endpoint")),
		"no JSON":       says(200, "application/json", marks.at("a token answer that is no JSON")),
		"wrong type":    says(200, "application/json", fmt.Sprintf(`{"access_token":7,"token_type":%q}`, marks.at("a token type"))),
		"no HTTP":       writes(marks.at("a token answer that is no HTTP") + "\r\n\r\n"),
		"a scope":       says(200, "application/json", fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":60,"scope":%q}`, marks.at("a token with a scope"), marks.at("a scope"))),
		"a good answer": says(200, "application/json", fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":60}`, token)),
	} {
		hospital := c.Harbor
		if strings.Contains(name, "a") {
			hospital = c.StMary
		}
		hospital.RevokeTokens()
		hospital.Fail(func(r *http.Request) http.Handler {
			if isToken(r) {
				return handler
			}
			return nil
		})
		_, _ = c.try(http.MethodGet, "/fhir/harbor/Patient/100001", "")    // it may be 502 or more patient than we are
		_, _ = c.try(http.MethodGet, "/fhir/st-mary/Patient/12724065", "") // likewise
		require.NotEmpty(t, hospital.Calls(), "the hospital was asked after %s", name)
		hospital.Fail(nil)
		hospital.RevokeTokens()
	}
	require.Eventually(t, func() bool {
		return c.get(somewhere).StatusCode == http.StatusOK && c.get("/fhir/st-mary/Patient/12724065").StatusCode == http.StatusOK
	}, 30*time.Second, 200*time.Millisecond, "the hospitals are reached again")
}

// onTheWire sends what is no HTTP to the public port, and leaves in the middle
// of requests.
func onTheWire(t *testing.T, g *gateway, marks canaries) {
	for _, text := range []string{
		"GET /%s\r\n\r\n", "%s / HTTP/1.1\r\nHost: g\r\n\r\n", "GET / HTTP/1.1\r\nHost: %s\r\nbroken header\r\n\r\n", "GET / HTTP/9.9 %s\r\n\r\n",
		"POST /fhir/harbor/Patient HTTP/1.1\r\nHost: g\r\nContent-Length: 99\r\n\r\n{\"%s", "\x16\x03\x01%s and no handshake of TLS at all\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n%s", "GET / HTTP/1.1\r\nHost: g\r\nUpgrade: h2c\r\nHTTP2-Settings: %s\r\n\r\n",
	} {
		dialer := net.Dialer{}
		conn, err := dialer.DialContext(context.Background(), "tcp", strings.TrimPrefix(g.url, "http://"))
		require.NoError(t, err)
		_, err = fmt.Fprintf(conn, text, marks.at("the wire: "+text))
		require.NoError(t, err)
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		_, _ = io.Copy(io.Discard, conn) // until the gateway or the deadline ends it
		require.NoError(t, conn.Close())
	}
}
