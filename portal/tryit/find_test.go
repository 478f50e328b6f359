package tryit

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFind(t *testing.T) {
	search := Call{Hospital: "harbor", Interaction: Search, Type: "Patient"}
	for name, tt := range map[string]struct {
		status int
		body   string
		want   string // the id
	}{
		"the first of its type": {200, `{"entry":[{"resource":{"resourceType":"OperationOutcome","id":"o"}},{"resource":{"resourceType":"Patient","id":"1"}},{"resource":{"resourceType":"Patient","id":"2"}}]}`, "1"},
		"nothing":               {200, `{"resourceType":"Bundle","total":0}`, ""},
		"an entry without it":   {200, `{"entry":[{"fullUrl":"x"},7]}`, ""},
		"no JSON":               {200, `<html>{"entry":[{"resource":{"resourceType":"Patient","id":"1"}}]}`, ""},
		"refused":               {403, `{"entry":[{"resource":{"resourceType":"Patient","id":"1"}}]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.answer = func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}
			found, err := f.Find(t.Context(), "user_1", search)
			require.NoError(t, err)
			require.Equal(t, tt.want != "", found.Exists())
			require.Equal(t, tt.want, found.Get("id").Str)
		})
	}
}

// What is found counts as what is called, and is checked like that.
func TestFindIsACall(t *testing.T) {
	f := newFixture(t)
	var mistake *Mistake
	_, err := f.Find(t.Context(), "user_1", Call{Hospital: "st-mary", Interaction: Search, Type: "Patient"})
	require.ErrorAs(t, err, &mistake)
	for range callBurst {
		_, err = f.Find(t.Context(), "user_1", Call{Hospital: "harbor", Interaction: Search, Type: "Patient"})
		require.NoError(t, err)
	}
	_, err = f.Do(t.Context(), "user_1", Call{Hospital: "harbor", Interaction: Capabilities})
	require.ErrorIs(t, err, ErrTooFast)
}
