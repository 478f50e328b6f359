package adminapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestErrorsTellWhatIsKnown(t *testing.T) {
	status, body := 0, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "Bearer secret", r.Header.Get("Authorization"))
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	client := NewClient(server.URL, "secret")
	const outcome = `{"resourceType":"OperationOutcome","issue":[{"diagnostics":"no key of this id"}]}`
	for name, c := range map[string]struct {
		status  int
		body    string
		unknown bool // what came of the call
		text    string
	}{
		"refused":             {404, outcome, false, "no key of this id"},
		"refused without one": {409, "conflict", false, "the admin API answered 409"},
		"the store is away":   {503, outcome, true, "no key of this id"},
		"no JSON":             {200, "<html>", false, "invalid character '<' looking for beginning of value"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body = c.status, c.body
			_, err := client.Show(t.Context(), "key_x")
			require.EqualError(t, err, c.text)
			require.Equal(t, c.unknown, errors.Is(err, ErrUnreachable))
			require.Equal(t, c.status >= 400, Refused(err, c.status))
		})
	}
	server.Close()
	_, err := client.Show(t.Context(), "key_x")
	require.ErrorIs(t, err, ErrUnreachable)
	require.NotContains(t, err.Error(), "secret")
}
