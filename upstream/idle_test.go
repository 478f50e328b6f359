package upstream

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// An answer that stops in the middle ends with errIdle on every kind of body
// that net/http makes, and closing it twice does no harm.
func TestSilenceEndsEveryKindOfBody(t *testing.T) {
	plain := func(w http.ResponseWriter) io.Writer { return w }
	zipped := func(w http.ResponseWriter) io.Writer {
		w.Header().Set("Content-Encoding", "gzip")
		return gzip.NewWriter(w)
	}
	for name, c := range map[string]struct {
		http2 bool
		body  func(http.ResponseWriter) io.Writer
	}{
		"HTTP/1.1":       {body: plain},
		"HTTP/1.1, gzip": {body: zipped},
		"HTTP/2":         {http2: true, body: plain},
		"HTTP/2, gzip":   {http2: true, body: zipped},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := c.body(w)
				_, _ = io.WriteString(body, "half")
				if zip, ok := body.(*gzip.Writer); ok {
					_ = zip.Flush()
				}
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}))
			server.EnableHTTP2 = c.http2
			server.StartTLS()
			defer server.Close()
			defer server.CloseClientConnections()
			h := &hospital{Server: server}
			client := h.client(t, func(cfg *Config) {
				cfg.Auth = Auth{}
				cfg.BaseURL, _ = url.Parse(server.URL)
				cfg.TLS = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
				cfg.TLS.NextProtos = nil
			})
			resp, err := get(t, client, server.URL+"/Patient/1")
			require.NoError(t, err)
			require.Equal(t, c.http2, resp.ProtoMajor == 2)
			got, err := io.ReadAll(resp.Body)
			require.ErrorIs(t, err, errIdle)
			require.Equal(t, "half", string(got))
			_ = resp.Body.Close()
			_ = resp.Body.Close()
		})
	}
}
