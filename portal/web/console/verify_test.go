package console_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // opens the database behind the store's back
)

// verifying has the trail verified in the background until the test ends.
func (p *portal) verifying(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { p.trail.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	p.rested(t)
}

// rested waits until no verification is under way.
func (p *portal) rested(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { state := p.trail.State(); return state.Last != nil && !state.Running }, 10*time.Second, time.Millisecond)
}

// sql runs statements behind the store's back.
func (p *portal) sql(t *testing.T, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", p.options.SQLite)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	for _, statement := range statements {
		_, err = db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
}

func TestTheChainIsVerified(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	hasNot(t, b.page("/console/audit"), "intact")
	p.verifying(t)
	verdict, err := p.VerifyActs(t.Context())
	require.NoError(t, err)
	shown := b.page("/console/audit/verify")
	for _, text := range []string{"The chain is intact", fmt.Sprintf("%d acts were read", verdict.Count), verdict.Head, `data-time="full"`} {
		has(t, shown, text)
	}
	hasNot(t, shown, "hx-get")
	has(t, b.page("/console/audit"), fmt.Sprintf("%d acts, intact", verdict.Count))

	b.done(b.post("/console/audit/verify"), "/console/audit/verify")
	p.rested(t)
	require.Equal(t, []string{"acts.verify"}, p.acts(t, 1))
	has(t, b.page("/console/audit/verify"), fmt.Sprintf("%d acts were read", verdict.Count+1))
}

func TestABrokenChainIsToldOfEverywhere(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	p.verifying(t)
	hasNot(t, b.page("/console"), "The audit trail is broken")
	p.sql(t, "DROP TRIGGER acts_stay", "UPDATE acts SET name = 'user.nothing' WHERE seq = 3")
	b.post("/console/audit/verify")
	p.rested(t)
	shown := b.page("/console/audit/verify")
	has(t, shown, "The chain is broken at act 3")
	hasNot(t, shown, "intact")
	for _, path := range []string{"/console", "/console/audit"} {
		has(t, b.page(path), "The audit trail is broken at act 3")
	}
	hasNot(t, b.page("/console/users"), "The audit trail is broken")
}

// TestAVerificationTellsOfItsProgress asks for one that nothing runs.
func TestAVerificationTellsOfItsProgress(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	has(t, b.page("/console/audit/verify"), "None has ended yet")
	shown := b.done(b.post("/console/audit/verify"), "/console/audit/verify")
	for _, text := range []string{"A verification is under way", "It begins", `hx-get="/console/audit/verify" hx-trigger="every 1s"`, "<noscript>", "Verify now"} {
		has(t, shown, text)
	}
	part := b.get("/console/audit/verify", "HX-Request", "true")
	require.Equal(t, http.StatusOK, part.Status)
	require.Regexp(t, `^<div id="verification" hx-get`, part.Body)
	hasNot(t, part.Body, "<html")
	p.verifying(t)
	part = b.get("/console/audit/verify", "HX-Request", "true")
	require.Regexp(t, `^<div id="verification">`, part.Body)
	has(t, part.Body, "The chain is intact")
}

func TestATrailThatCannotBeReadIsToldOf(t *testing.T) {
	p, admin, _ := full(t)
	b := p.as(t, admin)
	p.verifying(t)
	p.sql(t, "ALTER TABLE acts_head RENAME TO away")
	<-p.trail.Begin()
	shown := b.page("/console/audit/verify")
	has(t, shown, "The trail could not be read")
	has(t, shown, "The chain is intact")
}
