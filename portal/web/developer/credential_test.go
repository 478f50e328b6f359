package developer_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/adminapi"
)

const day = 24 * time.Hour

func TestACredentialsEndIsReminded(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	request := s.approved(app, time.Time{})
	credential := s.credential(request, "night", 90*day)
	member, path := s.as("member"), "/credentials/"+credential.ID
	for _, c := range []struct {
		ahead time.Duration
		tone  string // of the callout; "" = none
	}{
		{0, ""}, {59 * day, ""}, {61 * day, "warn"}, {82 * day, "warn"}, {84 * day, "bad"},
	} {
		s.ahead = c.ahead
		shown := member.ok(path)
		require.Equal(t, c.tone != "", strings.Contains(shown, "Make another"), c.ahead)
		if c.tone != "" {
			require.Contains(t, shown, `callout `+c.tone, c.ahead)
			require.Contains(t, shown, "/keys/new?request="+request.ID)
			require.Contains(t, member.ok("/apps/"+app.ID), `callout `+c.tone)
		}
	}
	s.ahead = 91 * day
	shown := member.ok(path)
	require.Contains(t, shown, "It has come to its end")
	require.Contains(t, shown, "Expired")
	require.Equal(t, http.StatusConflict, member.get(path+"/rotate").status)
	require.Equal(t, http.StatusConflict, member.get(path+"/edit").status)
}

func TestAShortLifeIsRemindedOfInItsLastThird(t *testing.T) {
	s := newSite(t)
	credential := s.credential(s.approved(s.app("Worklist"), time.Time{}), "night", 30*day)
	for ahead, tone := range map[time.Duration]string{0: "", 19 * day: "", 21 * day: "warn", 24 * day: "bad"} {
		s.ahead = ahead
		shown := s.as("member").ok("/credentials/" + credential.ID)
		require.Equal(t, tone != "", strings.Contains(shown, "Make another"), ahead)
		require.Equal(t, tone != "", strings.Contains(shown, "callout "+tone+`"`), ahead)
	}
}

func TestWhenTheAccessEndsAsWellAnotherKeyIsNoHelp(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	credential := s.credential(s.approved(app, time.Now().Add(20*day)), "night", 0)
	s.ahead = 15 * day
	shown := s.as("member").ok("/credentials/" + credential.ID)
	require.Contains(t, shown, "Its access ends then, too")
	require.Contains(t, shown, "/request?plan=practice")
}

func TestACredentialsPageTellsLimitsAndErrors(t *testing.T) {
	s := newSite(t)
	credential := s.credential(s.approved(s.app("Worklist"), time.Time{}), "night", 0)
	s.gateway.errors[credential.KeyID] = []adminapi.CallError{
		{At: time.Now(), RequestID: "REQUEST1", Hospital: "harbor", Interaction: "search-type", Type: "Patient", Status: 429, Issue: "throttled"},
		{At: time.Now(), RequestID: "REQUEST2", Hospital: "harbor", Interaction: "read", Type: "Patient", Status: 422},
	}
	viewer := s.as("viewer")
	shown := viewer.ok("/credentials/" + credential.ID)
	for _, want := range []string{"87,655 left", "480 can come at once", "REQUEST1", "search-type Patient", "/docs/errors#throttled", "Wait for Retry-After, then go slower", "/docs/errors#422", "of the hospital"} {
		require.Contains(t, shown, want)
	}
	require.NotContains(t, shown, "/revoke", "a viewer changes nothing")
	require.NotContains(t, shown, "/rotate")
	require.Contains(t, viewer.ok("/apps/"+credential.AppID+"/errors"), "REQUEST2")
}

func TestWithoutTheGatewayPagesTellWhatTheyKnow(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	credential := s.credential(s.approved(app, time.Time{}), "night", 0)
	waiting := s.request(app)
	s.gateway.away = true
	member := s.as("member")
	shown := member.ok("/credentials/" + credential.ID)
	require.Contains(t, shown, "Not everything is shown")
	require.Contains(t, shown, "…Zq01")
	require.NotContains(t, shown, "No call with it was refused", "that is not known")
	require.Contains(t, member.ok("/apps/"+app.ID+"/errors"), "The gateway does not answer")
	require.Contains(t, member.ok("/apps/"+app.ID+"/usage"), "Quotas are not shown")
	for _, path := range []string{"/", "/apps", "/apps/" + app.ID, "/apps/" + app.ID + "/edit", "/apps/" + app.ID + "/keys/new", "/usage", "/teams", "/teams/" + s.team.ID, "/credentials/" + credential.ID + "/rotate"} {
		member.ok(path)
	}
	require.Equal(t, http.StatusServiceUnavailable, member.get("/apps/"+app.ID+"/request").status, "plans are the gateway's")
	member.sent("/apps/" + app.ID + "/requests/" + waiting.ID + "/withdraw")
	require.Equal(t, "/credentials/"+credential.ID, member.sent("/credentials/"+credential.ID+"/revoke", "reason", "leaked"))
	shown = member.ok("/credentials/" + credential.ID)
	require.Contains(t, shown, "the gateway does not answer")
	require.Contains(t, shown, "The revocation is not complete")
}

// TestAKeyWhosePlanIsGone says so: to try again in a minute would not help.
func TestAKeyWhosePlanIsGone(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	gone, other := s.credential(s.approved(app, time.Time{}), "night", 0), s.credential(s.approved(app, time.Time{}), "day", 0)
	s.gateway.gone = gone.Plan
	s.gateway.keys[other.KeyID].Plan = "another"
	viewer := s.as("viewer")
	shown := viewer.ok("/credentials/" + gone.ID)
	require.Contains(t, shown, "Its plan does not exist any more: calls are refused. Ask an administrator.")
	require.NotContains(t, shown, "does not answer")
	shown = viewer.ok("/apps/" + app.ID + "/usage")
	require.NotContains(t, shown, "Quotas are not shown")
	require.Equal(t, 1, strings.Count(shown, "87,655 left"), "of the other key")
}

func TestRevocationAsksWhy(t *testing.T) {
	s := newSite(t)
	credential := s.credential(s.approved(s.app("Worklist"), time.Time{}), "night", 0)
	member, path := s.as("member"), "/credentials/"+credential.ID
	member.refused("", "say why", path+"/revoke", "reason", "  ")
	member.refused("", "at most 500", path+"/revoke", "reason", strings.Repeat("x", 501))
	require.Zero(t, s.gateway.keys[credential.KeyID].Revoked)
	require.Equal(t, path, member.sent(path+"/revoke", "reason", strings.Repeat("ü", 500)))
	shown := member.ok(path)
	require.Contains(t, shown, "no call with it is taken any more")
	require.Contains(t, shown, "Revoked")
	require.NotContains(t, shown, path+"/revoke")
	require.NotZero(t, s.gateway.keys[credential.KeyID].Revoked)
	require.Equal(t, http.StatusConflict, member.post(path+"/revoke", "reason", "again").status)
}

func TestAKeyThatTheGatewayLost(t *testing.T) {
	s := newSite(t)
	credential := s.credential(s.approved(s.app("Worklist"), time.Time{}), "night", 0)
	lost, err := s.store.Lost(t.Context(), credential.ID, "it is gone")
	require.NoError(t, err)
	require.True(t, lost)
	delete(s.gateway.keys, credential.KeyID)
	shown := s.as("member").ok("/credentials/" + credential.ID)
	require.Contains(t, shown, "Not known to the gateway")
	require.Contains(t, shown, "/revoke")
	require.Contains(t, s.as("member").ok("/apps/"+credential.AppID), "Not known to the gateway")
}

func TestACredentialThatCouldNotBeMadeSaysWhy(t *testing.T) {
	s := newSite(t)
	app := s.app("Worklist")
	request := s.approved(app, time.Time{})
	s.gateway.refuse = "the plan is not in force"
	member, path := s.as("member"), "/apps/"+app.ID+"/keys/new"
	member.refused("", "The plan is not in force.", path, "request", request.ID, "make", "key", "life", "30", "once", member.once(path))
	found, err := s.store.CredentialsOfApp(t.Context(), app.ID)
	require.NoError(t, err)
	require.Len(t, found, 1)
	shown := member.ok("/credentials/" + found[0].ID)
	require.Contains(t, shown, "the plan is not in force")
	require.Contains(t, shown, "Failed")
	require.NotContains(t, shown, "Not everything is shown")
	require.NotContains(t, shown, "/revoke")
}

func TestDuringARotationNothingElseIsOffered(t *testing.T) {
	s := newSite(t)
	credential := s.credential(s.approved(s.app("Worklist"), time.Time{}), "night", 0)
	require.NoError(t, s.store.BeginRotation(t.Context(), s.by("member"), credential.ID))
	member, path := s.as("member"), "/credentials/"+credential.ID
	shown := member.ok(path)
	require.Contains(t, shown, "A rotation is under way")
	require.NotContains(t, shown, path+"/rotate")
	require.Contains(t, shown, path+"/revoke")
	for _, what := range []string{"/rotate", "/edit"} {
		require.Equal(t, http.StatusConflict, member.get(path+what).status)
		require.Equal(t, http.StatusConflict, member.post(path+what, "grace", "none", "name", "x").status)
	}
}
