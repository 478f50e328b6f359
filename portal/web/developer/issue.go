package developer

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/credentials"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// What a new credential can be.
const (
	makeKey    = "key"    // an API key
	makeClient = "client" // an OAuth client with a secret
	makeSigner = "signer" // an OAuth client that signs with its own keys
)

// issueForm is the page of a new credential.
type issueForm struct {
	App      ownApp
	Form     *page.Form
	Requests []ownRequest // under which one can be made
	Withheld bool         // because the reader has approved what they chose, or all there is
	Request  *ownRequest  // that was chosen; nil = none yet
	Make     string       // what it is to be
	Lives    []ui.Option
	Once     string
}

func (p *Pages) newCredential(r *page.Request, app ownApp) error {
	query := r.URL.Query()
	return p.renderIssue(r, http.StatusOK, app, page.NewForm("request", query.Get("request"), "make", query.Get("make")))
}

// renderIssue shows the form. Of a single request there is nothing to choose.
func (p *Pages) renderIssue(r *page.Request, status int, app ownApp, form *page.Form) error {
	found, err := p.store.RequestsOfApp(r.Context(), app.ID)
	if err != nil {
		return err
	}
	shown := issueForm{App: app, Form: form, Make: form.Value("make")}
	if shown.Once, err = p.newOnce(r, "issue"); err != nil {
		return err
	}
	var approved []string // by the reader
	for _, request := range p.ownRequests(found) {
		switch {
		case !request.Usable():
		case app.Approved(request.AccessRequest):
			approved = append(approved, request.ID)
		default:
			shown.Requests = append(shown.Requests, request)
		}
	}
	shown.Withheld = slices.Contains(approved, form.Value("request")) || len(approved) > 0 && len(shown.Requests) == 0
	for i, request := range shown.Requests {
		if request.ID == form.Value("request") || len(shown.Requests) == 1 {
			shown.Request = &shown.Requests[i]
		}
	}
	if shown.Make != makeClient && shown.Make != makeSigner {
		shown.Make = makeKey
	}
	if shown.Request != nil {
		shown.Lives = livesOf(shown.Request.Ends, p.now())
	}
	return r.Render(status, "dev-issue", shown)
}

// livesOf are the lives to choose from: none is longer than the access.
func livesOf(ends, now time.Time) []ui.Option {
	var options []ui.Option
	for _, life := range []struct{ days, label string }{
		{"30", "30 days"}, {"90", "90 days"}, {"180", "180 days"}, {"365", "365 days"},
	} {
		length, _ := lifeOf(life.days)
		if ends.IsZero() || now.Add(length).Before(ends) {
			options = append(options, ui.Option{Value: life.days, Label: life.label})
		}
	}
	whole := ui.Option{Value: "access", Label: "As long as the access", Help: "It has no end: change the secret or the keys from time to time."}
	if !ends.IsZero() {
		whole.Help = "Until " + ends.UTC().Format("2 January 2006") + "."
	}
	return append(options, whole)
}

// lifeOf reads a life as livesOf offers it; 0 is as long as the access.
func lifeOf(value string) (time.Duration, bool) {
	const day = 24 * time.Hour
	life, known := map[string]time.Duration{
		"30": 30 * day, "90": 90 * day, "180": 180 * day, "365": 365 * day, "access": 0,
	}[value]
	return life, known
}

// issueCredential makes a credential and answers with its secret: the only time
// that anybody sees it.
func (p *Pages) issueCredential(r *page.Request, app ownApp) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	request, err := p.requestOf(r, app, form.Value("request"))
	if err != nil {
		return err
	}
	if !request.Usable() {
		return page.Conflict("This access is not approved, or it has come to its end.")
	}
	if app.Approved(request.AccessRequest) {
		return page.Forbidden(ownDecision)
	}
	wanted, err := checkWanted(r, form)
	if err != nil {
		return err
	}
	wanted.RequestID = request.ID
	if form.OK() {
		first, err := p.takeOnce(r, "issue", form.Value("once"))
		if err != nil {
			return err
		}
		if !first {
			form.Fail("", sentBefore)
		}
	}
	if !form.OK() {
		return p.renderIssue(r, http.StatusUnprocessableEntity, app, form)
	}
	issued, err := p.credentials.Issue(r.Context(), r.By(), wanted)
	full := errors.Is(err, store.ErrFull)
	if full {
		form.Fail("", fmt.Sprintf("The app has %d keys and clients, and more cannot be made. Revoke one that is not used any more, then send this again.", store.MaxCredentials))
	}
	if full || refused(form, err) {
		return p.renderIssue(r, http.StatusUnprocessableEntity, app, form)
	}
	if err != nil {
		return err
	}
	return p.renderIssued(r, app, issued, false)
}

func checkWanted(r *page.Request, form *page.Form) (credentials.Wanted, error) {
	wanted := credentials.Wanted{Kind: string(record.KindKey), Name: form.Value("name"), AllowFrom: checkNetworks(form)}
	what := "API key"
	switch form.Value("make") {
	case makeKey:
	case makeClient:
		wanted.Kind, what = string(record.KindClient), "OAuth client"
	case makeSigner:
		wanted.Kind, wanted.NoSecret, what = string(record.KindClient), true, "OAuth client"
		var err error
		if wanted.JWKS, wanted.JWKSURL, err = checkKeys(r, form); err != nil {
			return wanted, err
		}
	default:
		form.Fail("", "Choose what to make.")
	}
	checkName(form, "name", wanted.Name)
	if wanted.Name == "" {
		wanted.Name = what
	}
	var known bool
	if wanted.Life, known = lifeOf(form.Value("life")); !known {
		form.Fail("life", "Choose how long it works.")
	}
	return wanted, nil
}

// checkKeys reads a client's own keys: a set, pasted or as a file, or its
// address. A private key goes no further, not even back into the form.
func checkKeys(r *page.Request, form *page.Form) (json.RawMessage, string, error) {
	pasted, address := form.Value("jwks"), form.Value("jwks_url")
	file, err := r.File("jwks_file")
	if err != nil {
		return nil, "", err
	}
	field, text := "jwks", pasted
	if text == "" && strings.TrimSpace(file) != "" {
		field, text = "jwks_file", file
	}
	switch {
	case text == "" && address == "":
		form.Fail("jwks_url", "Give the address of your JWK set, or paste or upload the set below.")
	case text != "" && address != "":
		form.Fail("jwks_url", "Give either the address of the set or the set itself, not both.")
	case address != "":
		checkKeysURL(form, address)
	}
	if text == "" {
		return nil, address, nil
	}
	if problem := keysProblem(text); problem != "" {
		form.Fail(field, problem)
	}
	if holdsPrivateKey(text) {
		form.Values.Del("jwks")
	}
	return json.RawMessage(text), address, nil
}

// refused reports whether the gateway has refused what a form asks for, and
// notes why beside the field.
func refused(form *page.Form, err error) bool {
	var refusal *adminapi.Refusal
	if !errors.As(err, &refusal) || refusal.Status != http.StatusUnprocessableEntity {
		return false
	}
	field := ""
	switch {
	case strings.Contains(refusal.Text, "JWK set") && form.Value("jwks_url") != "":
		field = "jwks_url"
	case strings.Contains(refusal.Text, "JWK set"):
		field = "jwks"
	case strings.Contains(refusal.Text, "network"):
		field = "allow_from"
	case strings.Contains(refusal.Text, "name"):
		field = "name"
	}
	form.Fail(field, sentence(refusal.Text))
	return true
}

// sentence gives a text a capital and a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}
