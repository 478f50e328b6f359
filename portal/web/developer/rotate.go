package developer

import (
	"errors"
	"net/http"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// graces are how long the secret of before can work on.
var graces = []struct {
	value  string
	length time.Duration
	option ui.Option
}{
	{"24h", 24 * time.Hour, ui.Option{Label: "24 hours", Help: "Time to put the new secret everywhere. The usual choice."}},
	{"7d", 7 * 24 * time.Hour, ui.Option{Label: "7 days", Help: "For programs that are changed by hand in many places."}},
	{"1h", time.Hour, ui.Option{Label: "1 hour", Help: "For programs that read their secret anew by themselves."}},
	{"none", 0, ui.Option{Label: "None: the old secret ends now", Help: "When it has leaked. Calls with it are refused at once."}},
}

// rotateForm is the page that asks for the grace.
type rotateForm struct {
	App        ownApp
	Credential ownCredential
	Form       *page.Form
	Graces     []ui.Option
	Once       string
}

func (p *Pages) askRotation(r *page.Request, app ownApp, credential ownCredential) error {
	return p.renderRotation(r, http.StatusOK, app, credential, nil)
}

func (p *Pages) renderRotation(r *page.Request, status int, app ownApp, credential ownCredential, form *page.Form) error {
	if err := p.rotatable(r, app, credential); err != nil {
		return err
	}
	once, err := p.newOnce(r, "rotate")
	if err != nil {
		return err
	}
	shown := rotateForm{App: app, Credential: credential, Form: form, Once: once}
	for _, grace := range graces {
		option := grace.option
		option.Value = grace.value
		shown.Graces = append(shown.Graces, option)
	}
	return r.Render(status, "dev-rotate", shown)
}

// rotatable returns why its reader may not rotate a credential, or nil.
func (p *Pages) rotatable(r *page.Request, app ownApp, credential ownCredential) error {
	request, err := p.accessOf(r, credential)
	switch {
	case err != nil:
		return err
	case request != nil && app.Approved(*request):
		return page.Forbidden(ownDecision)
	case !credential.HasSecret():
		return page.Conflict("This client signs with its own keys: it has no secret to rotate. Change its keys instead.")
	case !credential.Settled():
		return page.Conflict("Only a credential that works, and with which nothing else is under way, can be rotated.")
	default:
		return nil
	}
}

// rotateCredential gives a credential a new secret and answers with it.
func (p *Pages) rotateCredential(r *page.Request, app ownApp, credential ownCredential) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	if err := p.rotatable(r, app, credential); err != nil {
		return err
	}
	grace, known := graceOf(form.Value("grace"))
	if !known {
		form.Fail("grace", "Choose how long the old secret works on.")
	}
	if form.OK() {
		first, err := p.takeOnce(r, "rotate", form.Value("once"))
		if err != nil {
			return err
		}
		if !first {
			form.Fail("", sentBefore)
		}
	}
	if !form.OK() {
		return p.renderRotation(r, http.StatusUnprocessableEntity, app, credential, form)
	}
	issued, err := p.credentials.Rotate(r.Context(), r.By(), credential.ID, grace)
	var refusal *adminapi.Refusal
	switch {
	case errors.Is(err, store.ErrConflict):
		return page.Conflict("Somebody else is rotating it just now, or has revoked it. Look at it again.")
	case errors.As(err, &refusal) && refusal.Status == http.StatusUnprocessableEntity:
		form.Fail("", sentence(refusal.Text))
		return p.renderRotation(r, http.StatusUnprocessableEntity, app, credential, form)
	case err != nil:
		return err
	}
	return p.renderIssued(r, app, issued, true)
}

func graceOf(value string) (time.Duration, bool) {
	for _, grace := range graces {
		if grace.value == value {
			return grace.length, true
		}
	}
	return 0, false
}
