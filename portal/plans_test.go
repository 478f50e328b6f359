package portal

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
)

// A portal apart from the gateway has settings that the gateway never sees: it tells
// itself which of their plans are wrong, when the gateway answers.
func TestPlansThatSettingsNameAreLookedAt(t *testing.T) {
	w := newWorld(t, "http://portal.example")
	w.portal.config.AutoApprove = []string{"trial", "trail"}
	w.portal.config.TryPlan = "trail"
	w.portal.checkPlans(t.Context())
	require.Equal(t, 2, strings.Count(w.log.String(), `"msg":"a setting does not fit`), w.log.String())
	for _, setting := range []string{"auto_approve.1", "try_plan"} {
		require.Contains(t, w.log.String(), `"setting":"fhirgate.portal.`+setting+`","problem":"unknown plan \"trail\"; did you mean \"trial\"?"`)
	}

	away := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(away.Close)
	w.portal.gateway = adminapi.NewClient(away.URL, "secret of the tests")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.portal.checkPlans(ctx) // it ends with the portal
	require.Equal(t, 2, strings.Count(w.log.String(), `"msg":"a setting does not fit`), w.log.String())
}
