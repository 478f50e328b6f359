package developer_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

// Of the plans that the settings name, those for simulated hospitals alone need
// no administrator.
func TestRequestsThatAreApprovedAtOnce(t *testing.T) {
	for plan, c := range map[string]struct {
		named []string
		state store.RequestState
	}{
		"practice": {[]string{"practice", "ward"}, store.RequestApproved},
		"ward":     {[]string{"practice", "ward"}, store.RequestPending}, // it reaches real ones
		"not told": {nil, store.RequestPending},
	} {
		t.Run(plan, func(t *testing.T) {
			if plan == "not told" {
				plan = "practice"
			}
			s := newSite(t, c.named...)
			app := s.app("Worklist")
			answer := s.as("member").post("/apps/"+app.ID+"/request", "plan", plan, "hospitals", "harbor", "purpose", "Show worklists to radiologists")
			require.Equal(t, http.StatusSeeOther, answer.status)
			requests, err := s.store.RequestsOfApp(t.Context(), app.ID)
			require.NoError(t, err)
			require.Len(t, requests, 1)
			require.Equal(t, c.state, requests[0].State)
			if c.state == store.RequestApproved {
				acts, err := s.store.Acts(t.Context(), store.ActFilter{Name: "access.approve"}, store.Page{})
				require.NoError(t, err)
				require.Len(t, acts.Items, 1)
				require.Empty(t, acts.Items[0].UserID, "the portal itself has approved it")
			}
		})
	}
}

// Who chooses between plans sees which of them is approved at once.
func TestPlansThatAreApprovedAtOnceSaySo(t *testing.T) {
	s := newSite(t, "practice")
	app := s.app("Worklist")
	list := s.as("member").get("/apps/" + app.ID + "/request").body
	require.Equal(t, 1, strings.Count(list, "Approved at once"), "of two plans one")
	require.NotContains(t, list, "decides", "that depends on the plan")
	require.Contains(t, s.as("member").get("/apps/"+app.ID+"/request?plan=practice").body, "It is approved at once")
	require.Contains(t, s.as("member").get("/apps/"+app.ID+"/request?plan=ward").body, "An administrator reads the purpose and decides")
}
