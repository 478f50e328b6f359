package facade

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/fhir"
	"fhirgate/sandbox"
)

func (b *bench) statement(hospital string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.facade.ServeCapabilities(w, httptest.NewRequest(http.MethodGet, "/admin/hospitals/x/metadata", nil), hospital, "console")
	return w
}

// It is what a caller gets whose scopes cover all, and leaves no trace of a call.
func TestStatementsForTheAdminAPI(t *testing.T) {
	b := newBench(t, nil)
	for _, route := range b.routes {
		want := b.call("GET", "/fhir/"+route.ID+"/metadata", "")
		logged := b.log.String()
		got := b.statement(route.ID)
		require.Equal(t, 200, got.Code, got.Body)
		require.Equal(t, fhir.MediaType, got.Header().Get("Content-Type"))
		require.JSONEq(t, string(want.body), got.Body.String())
		require.Equal(t, logged, b.log.String())
	}
	require.Empty(t, gjson.Get(b.statement("harbor").Body.String(), `rest.0.resource.#(type=="Claim")`).Raw)
}

func TestStatementsThatAreNotToBeHad(t *testing.T) {
	b := newBench(t, nil)
	for name, test := range map[string]struct {
		hospital string
		answer   http.Handler
		status   int
	}{
		"no such hospital": {"nowhere", nil, 404},
		"not FHIR":         {"harbor", answering(200, "<html>", "Content-Type", "text/html"), 502},
		"another resource": {"harbor", answering(200, `{"resourceType":"Patient"}`, "Content-Type", fhirJSON), 502},
		"half":             {"harbor", sandbox.HalfBody(4 * holdBack), 502},
		"refused":          {"harbor", answering(403, `{"resourceType":"OperationOutcome"}`, "Content-Type", fhirJSON), 403},
	} {
		t.Run(name, func(t *testing.T) {
			if test.answer != nil {
				b.harborAnswers(test.answer)
			}
			got := b.statement(test.hospital)
			require.Equal(t, test.status, got.Code, got.Body)
			require.Equal(t, "OperationOutcome", gjson.Get(got.Body.String(), "resourceType").Str)
			require.False(t, strings.Contains(got.Body.String(), b.hospitals.Harbor.BaseURL()))
		})
	}
}
