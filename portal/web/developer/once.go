package developer

import (
	"crypto/rand"

	"fhirgate/portal/web/page"
)

// sentBefore is told when a form is sent again whose answer was a secret: by
// reloading that answer, say.
const sentBefore = "This form was sent before, or opened once more since. Nothing was done this time: look at it, and send it again if you want another."

// newOnce marks a form as one that counts a single time, and returns its mark.
func newOnce(r *page.Request, form string) string {
	mark := rand.Text()
	r.Remember("once."+form, mark)
	return mark
}

// takeOnce reports whether a form has the mark that was given out last, which
// counts no more from then on.
func takeOnce(r *page.Request, form, mark string) bool {
	return mark != "" && r.Recall("once."+form) == mark
}
