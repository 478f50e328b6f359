package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

func TestARequestIsApproved(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	address := "/console/requests/" + ids["request"]

	shown := b.page(address)
	for _, text := range []string{
		"viewer", "team of viewer", "shows images", "dev", "to &lt;show&gt; worklists", "North &lt;General&gt;", "Trial plan",
		"60 units per minute, at most 20 at once.", "10,000 units in all, counted anew every 30 days.", "Patient: read and search",
		"Answers as the hospital gives them", "its purpose", "access.request", ids["granted"], "/approve", "/refuse",
	} {
		has(t, shown, text)
	}

	for mistake, ends := range map[string]string{
		"This day is over":  time.Now().AddDate(0, 0, -2).UTC().Format(time.DateOnly),
		"This is no date":   "tomorrow",
		"Choose today or a": "2001-01-01",
	} {
		got := b.post(address+"/approve", "approve_reason", "fine <by> me", "ends", ends)
		require.Equal(t, http.StatusUnprocessableEntity, got.Status)
		has(t, got.Body, mistake)
		has(t, got.Body, "fine &lt;by&gt; me") // what was typed stays
		has(t, got.Body, `aria-invalid="true"`)
	}
	require.Equal(t, http.StatusUnprocessableEntity, b.post(address+"/approve", "approve_reason", strings.Repeat("x", 2001)).Status)

	last := time.Now().AddDate(0, 1, 0).UTC().Format(time.DateOnly)
	shown = b.done(b.post(address+"/approve", "approve_reason", "fine", "ends", last), address)
	has(t, shown, "The access is approved")
	hasNot(t, shown, address+"/approve")
	decided, err := p.Request(t.Context(), ids["request"])
	require.NoError(t, err)
	require.Equal(t, store.RequestApproved, decided.State)
	require.Equal(t, admin.ID, decided.DecidedBy)
	require.Equal(t, last+"T23:59:59Z", decided.Ends.Format(time.RFC3339))
	require.Equal(t, []string{"access.approve"}, p.acts(t, 1))

	got := b.post(address+"/approve", "approve_reason", "again")
	require.Equal(t, http.StatusConflict, got.Status)
	has(t, got.Body, "does not wait for a decision any more")
}

func TestARequestIsRefusedWithAReason(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	address := "/console/requests/" + ids["request"]
	got := b.post(address+"/refuse", "refuse_reason", "  ")
	require.Equal(t, http.StatusUnprocessableEntity, got.Status)
	has(t, got.Body, "Say why")
	require.NotEqual(t, []string{"access.refuse"}, p.acts(t, 1))

	shown := b.done(b.post(address+"/refuse", "refuse_reason", "too wide"), address)
	has(t, shown, "too wide")
	has(t, shown, "access.refuse")
}

func TestNobodyDecidesTheirOwnRequest(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	own := p.asked(t, admin, p.app(t, admin, "own"))
	address := "/console/requests/" + own.ID

	shown := b.page(address)
	has(t, shown, "This is your own request")
	hasNot(t, shown, address+"/approve")
	hasNot(t, shown, address+"/refuse")
	has(t, b.page("/console/requests"), "Your own")

	for _, deed := range []string{"approve", "refuse"} {
		got := b.post(address+"/"+deed, "refuse_reason", "r", "approve_reason", "r")
		require.Equal(t, http.StatusForbidden, got.Status)
		has(t, got.Body, "ask another administrator")
	}
	after, err := p.Request(t.Context(), own.ID)
	require.NoError(t, err)
	require.Equal(t, store.RequestPending, after.State)

	other := p.as(t, p.user(t, "cem", store.RoleAdmin, false))
	other.done(other.post(address+"/approve"), address)
}

func TestAnAccessIsEnded(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	address := "/console/requests/" + ids["granted"]
	shown := b.page(address)
	has(t, shown, "name of key_1")
	require.Equal(t, http.StatusUnprocessableEntity, b.post(address+"/end").Status)

	p.gateway.away = true
	shown = b.done(b.post(address+"/end", "end_reason", "contract over"), address)
	has(t, shown, "revoked as soon as it does")
	has(t, shown, "contract over")
	ended, err := p.Request(t.Context(), ids["granted"])
	require.NoError(t, err)
	require.Equal(t, store.RequestEnded, ended.State)
	require.Equal(t, http.StatusConflict, b.post(address+"/end", "end_reason", "again").Status)
}

func TestRequestsAreListedByStateAndSearched(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	dev, err := p.User(t.Context(), ids["user"])
	require.NoError(t, err)
	for i := range 60 {
		owner := []store.User{dev, admin}[i%2] // nobody makes as many teams alone
		p.asked(t, dev, p.app(t, owner, fmt.Sprintf("app-%02d", i)))
	}
	require.Equal(t, 50, strings.Count(b.page("/console/requests"), `<th scope="row">`))
	require.Equal(t, 11, strings.Count(b.page("/console/requests?page=2"), `<th scope="row">`))
	require.Equal(t, 1, strings.Count(b.page("/console/requests?state=approved"), `<th scope="row">`))
	require.Equal(t, 1, strings.Count(b.page("/console/requests?state=all&search=app-17"), `<th scope="row">`))
	has(t, b.page("/console/requests?state=all&search=nothing-like-it"), "Nothing found")
	has(t, b.page("/console/requests?state=refused"), "No such requests")

	part := b.get("/console/requests?search=app-17", "HX-Request", "true")
	require.Equal(t, 1, strings.Count(part.Body, `<th scope="row">`))
	hasNot(t, part.Body, "<html")
}
