package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
)

func TestAConsumerIsShownAndRevoked(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	p.gateway.keys["key_1"] = &record.Key{ID: "key_1", Secrets: []record.Secret{{Hash: "hash-key_1", Hint: "wxyz"}}, JWKSURL: "https://app.example/jwks"}
	address := "/console/consumers/" + ids["credential"]
	shown := b.page(address)
	for _, text := range []string{
		"key_1", "API key", "viewer", "North &lt;General&gt;", "…wxyz", "https://app.example/jwks", "19 of 20 units", "2,500", "10,000",
		"1,230", "REQ-1", "the hospital's own answer", "transient", "/console/requests/" + ids["granted"],
	} {
		has(t, shown, text)
	}
	hasNot(t, shown, "hash-key_1") // the hash is nothing for a page

	require.Equal(t, http.StatusUnprocessableEntity, b.post(address+"/revoke").Status)
	got := b.post(address+"/revoke", "reason", strings.Repeat("x", 2001))
	has(t, got.Body, "too long")
	shown = b.done(b.post(address+"/revoke", "reason", "it leaked"), address)
	has(t, shown, "it leaked")
	has(t, shown, "Revoked")
	hasNot(t, shown, address+"/revoke")
	require.Equal(t, http.StatusConflict, b.post(address+"/revoke", "reason", "again").Status)
}

func TestARevocationThatTheGatewayHasNotHeardOf(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	p.gateway.away = true
	address := "/console/consumers/" + ids["credential"]
	shown := b.done(b.post(address+"/revoke", "reason", "it leaked"), address)
	has(t, shown, "completed as soon as it does")
	has(t, shown, "Revoking")
}

func TestAConsumerThatTheGatewayDoesNotKnow(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	lost, err := p.Lost(t.Context(), ids["credential"], "the gateway does not know it")
	require.NoError(t, err)
	require.True(t, lost)
	address := "/console/consumers/" + ids["credential"]
	has(t, b.page("/console/consumers?state=lost"), "Not known to the gateway")
	has(t, b.page(address), "The gateway does not know this key")
	b.done(b.post(address+"/revoke", "reason", "it will not come back"), address)
}

func TestConsumersAreSearchedAndPaged(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	for i := range 120 {
		_, err := p.Adopt(t.Context(), store.Credential{
			KeyID: fmt.Sprintf("key_line%03d", i), Name: fmt.Sprintf("line <%03d>", i), Kind: "certificate", Plan: "nightly",
			Hospitals: []string{"south"}, Created: time.Now().Add(-time.Hour),
		})
		require.NoError(t, err)
	}
	rows := func(address string) int { return strings.Count(b.page(address), `<th scope="row">`) }
	require.Equal(t, 50, rows("/console/consumers"))
	require.Equal(t, 21, rows("/console/consumers?page=3"))
	require.Equal(t, 0, rows("/console/consumers?page=4"))
	require.Equal(t, 1, rows("/console/consumers?search=line077"))
	require.Equal(t, 1, rows("/console/consumers?search=team+of+viewer"))
	require.Equal(t, 1, rows("/console/consumers?plan=trial"))
	require.Equal(t, 50, rows("/console/consumers?plan=nightly"))
	require.Equal(t, 50, rows("/console/consumers?kind=certificate"))
	require.Equal(t, 1, rows("/console/consumers?hospital=north"))
	require.Equal(t, 0, rows("/console/consumers?state=revoked"))
	has(t, b.page("/console/consumers?search=line077"), "Command line")
	has(t, b.page("/console/consumers?plan=nightly"), "page=2&amp;plan=nightly") // the filter goes with the pages

	part := b.get("/console/consumers?search=line077", "HX-Request", "true")
	hasNot(t, part.Body, "<html")
	require.Equal(t, 1, strings.Count(part.Body, `<th scope="row">`))

	require.Equal(t, 50, rows("/console/plans/nightly"))
	require.Equal(t, 20, rows("/console/plans/nightly?page=3"))
	has(t, b.page("/console/plans"), "No such plan any more")
	has(t, b.page("/console/plans/nightly"), "There is no such plan any more")
	has(t, b.page("/console/plans"), "120 consumers")
}

func TestTheOverviewTellsOfKeysThatEndAndOfCalls(t *testing.T) {
	p, admin, ids := full(t)
	b := p.as(t, admin)
	hasNot(t, b.page("/console"), "name of key_1") // its life of 10 days has just begun
	require.NoError(t, p.Mirror(t.Context(), []store.Mirror{{
		KeyID: "key_1", Name: "name of key_1", Plan: "trial", Hospitals: []string{"north"}, Expires: time.Now().Add(10 * 24 * time.Hour),
		Hints: []store.SecretHint{{Hash: "hash", Hint: "wxyz", Until: time.Now().Add(24 * time.Hour)}},
	}}))
	shown := b.page("/console")
	has(t, shown, "name of key_1") // of another team, with its only secret in a rotation's grace
	has(t, shown, "1,234")
	has(t, shown, "/console/requests/"+ids["request"])
	has(t, shown, "The breaker is open")
	has(t, shown, "announcement.create")
}
