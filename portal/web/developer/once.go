package developer

import (
	"errors"
	"time"

	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

// sentBefore is told when a form is sent again whose answer was a secret: by
// reloading that answer, say.
const sentBefore = "This form was sent before, or opened once more since. Nothing was done this time: look at it, and send it again if you want another."

// onceLife is how long a form counts that was opened.
const onceLife = 12 * time.Hour

// newOnce marks a form as one that counts a single time, and returns its mark. It
// is kept by the store and not in the session, of which requests at the same time
// have a copy each.
func (p *Pages) newOnce(r *page.Request, form string) (string, error) {
	return p.store.NewToken(r.Context(), "once."+form, r.User.ID, onceLife)
}

// takeOnce reports whether a form has the mark that its reader was given last,
// which counts no more from then on.
func (p *Pages) takeOnce(r *page.Request, form, mark string) (bool, error) {
	reader, err := p.store.TakeToken(r.Context(), "once."+form, mark)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return reader == r.User.ID, err
}
