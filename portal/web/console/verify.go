package console

import (
	"net/http"
	"time"

	"fhirgate/portal/web/page"
)

// verified shows what the last verification of the trail found, and how far one is
// that is under way. Its page asks again for that part, by htmx, until it has ended.
func (p *Pages) verified(r *page.Request) error {
	state := p.trail.State()
	if r.HTMX() {
		return r.Part(http.StatusOK, "console-verify", "verification", state)
	}
	return r.Render(http.StatusOK, "console-verify", state)
}

// verifyPatience is how long a verification is waited for: a short trail is read
// by then, and needs no page that tells of progress.
const verifyPatience = 25 * time.Millisecond

// verify begins a verification. Who asked for it is an act, which it reads as well
// when it is not under way already.
func (p *Pages) verify(r *page.Request) error {
	if err := p.store.Record(r.Context(), r.By(), "acts.verify", "acts", "", nil); err != nil {
		return err
	}
	select {
	case <-p.trail.Begin():
	case <-time.After(verifyPatience):
	}
	return r.Redirect("/console/audit/verify")
}
