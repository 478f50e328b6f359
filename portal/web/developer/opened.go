package developer

import (
	"strings"

	"fhirgate/portal/web/page"
)

// was comes before the name of a field in that of the hidden one which tells what
// it was opened with: so a form that is sent changes only what its reader has
// changed, and nothing that somebody else has changed since without saying so.
const was = "was_"

// opened returns a form that holds values, each behind its name, and that it was
// opened with them.
func opened(values ...string) *page.Form {
	form := page.NewForm(values...)
	for i := 0; i+1 < len(values); i += 2 {
		form.Values.Set(was+values[i], values[i+1])
	}
	return form
}

// bringUp brings a form that was sent up to the values of now, each behind its
// name. A field that its reader left alone gets that of now. One that was changed
// on both sides fails once: the form that comes back was opened with that of now.
func bringUp(form *page.Form, values ...string) {
	for i := 0; i+1 < len(values); i += 2 {
		name, now := values[i], plain(values[i+1])
		given, before := plain(form.Value(name)), plain(form.Value(was+name))
		switch {
		case given == before:
			form.Values.Set(name, now)
		case given != now && before != now:
			form.Fail(name, changedMeanwhile("this", now))
		}
		form.Values.Set(was+name, now)
	}
}

// plain returns a text as it is compared: browsers end lines in their own way.
func plain(text string) string {
	return strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
}

// changedMeanwhile tells what somebody else has made of what a form changes.
func changedMeanwhile(what, now string) string {
	if now == "" {
		return "Somebody has removed " + what + " meanwhile: save again if you still want yours."
	}
	return "Somebody has changed " + what + " meanwhile to " + now + ": look at it, and save again if you still want yours."
}
