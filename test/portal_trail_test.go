package test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startAgain starts a portal that was stopped.
func (p *portal) startAgain() {
	p.t.Helper()
	p.process = serve(p.t, p.conf, p.env...)
	p.over = false
	p.t.Cleanup(func() {
		if !p.over {
			p.stopCleanly()
		}
	})
	p.waitReady()
	p.awaitPortal()
}

// verified is what a page tells of the last verification of an intact trail.
var verified = regexp.MustCompile(`([\d,]+) acts were read\.`)

// awaitVerified opens the page of the verification until it tells of an intact trail,
// and returns how many acts that has.
func (w *person) awaitVerified() (acts int) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		w.open("/console/audit/verify")
		found := verified.FindStringSubmatch(w.text("main"))
		if found == nil {
			return false
		}
		var err error
		acts, err = strconv.Atoi(strings.ReplaceAll(found[1], ",", ""))
		return err == nil
	}, 20*time.Second, 100*time.Millisecond)
	return acts
}

// TestABrokenTrailIsFound changes an act of a long trail behind the portal's back.
// Before that, an administrator has it verified, and sees the end of that without
// asking again.
func TestABrokenTrailIsFound(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, postgres bool) {
		p := startPortal(t, postgres, nil)
		admin := p.administrator()
		p.stopCleanly()
		seeds := p.openTables()
		seeds.exec("BEGIN")
		seeds.acts(p.actsKey(), time.Now().UTC())
		seeds.exec("COMMIT")
		p.startAgain()
		before := admin.awaitVerified()
		require.Greater(t, before, seededActs)
		admin.press("Verify now")
		admin.sees(fmt.Sprintf("%s acts were read", thousands(before+1)))
		admin.open("/console")
		require.NotContains(t, admin.text("main"), "The audit trail is broken")

		p.stopCleanly()
		require.NotContains(t, p.process.err.String(), "the trail of acts is broken")
		trigger := "DROP TRIGGER acts_stay"
		if postgres {
			trigger = "DROP TRIGGER acts_remain ON acts"
		}
		seeds.exec(trigger)
		seeds.exec("UPDATE acts SET user_name = 'eve@pacs.example' WHERE seq = 70000")
		p.grumbles = true
		p.startAgain()
		require.Eventually(t, func() bool {
			admin.open("/console")
			return strings.Contains(admin.text("main"), "The audit trail is broken at act 70,000")
		}, 20*time.Second, 100*time.Millisecond)
		admin.press("What to do")
		require.Equal(t, "/console/audit/verify", admin.path())
		admin.sees("act 70000 was changed")
		admin.axe("broken trail")
		told := p.process.err.String()
		require.Regexp(t, `"level":"ERROR".*"msg":"the trail of acts is broken".*"act":70000`, told)
		require.NotContains(t, told, "eve@pacs.example")
	})
}

// thousands writes a number of up to six digits as pages do.
func thousands(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }
