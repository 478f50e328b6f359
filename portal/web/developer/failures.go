package developer

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/web/page"
)

// failedCall is a call that was refused or failed.
type failedCall struct {
	adminapi.CallError
	Credential ownCredential
}

// What is the call in a few words: its interaction and type.
func (c failedCall) What() string {
	if c.Type == "" {
		return c.Interaction
	}
	return c.Interaction + " " + c.Type
}

// Tone is the colour of its status.
func (c failedCall) Tone() string {
	if c.Status >= http.StatusInternalServerError {
		return "bad"
	}
	return "warn"
}

// Anchor is where the page of errors tells of it.
func (c failedCall) Anchor() string {
	if c.Issue == "" {
		return strconv.Itoa(c.Status)
	}
	return c.Issue
}

// remedies tell in a line what to do, by issue code; the page of errors says
// more.
var remedies = map[string]string{
	"login":         "Send the key or token as a Bearer credential",
	"expired":       "Get a new token or key; of a link: search again",
	"security":      "Keep credentials out of addresses",
	"forbidden":     "The text of the answer says which scope or permission is missing",
	"not-found":     "Check hospital, type and id",
	"not-supported": "The hospital or the plan does not offer this",
	"invalid":       "Mend the request as the text says",
	"structure":     "Mend the body as the text says",
	"value":         "Mend the value that the text names",
	"required":      "Add the parameter that the text names",
	"conflict":      "Read again, then write again",
	"too-long":      "Send or ask for less at once",
	"deleted":       "The resource is gone",
	"throttled":     "Wait for Retry-After, then go slower",
	"transient":     "Try reads again; after a write, look first",
	"timeout":       "Try reads again; after a write, look first",
	"no-store":      "Wait for Retry-After",
	"exception":     "Tell the administrators the request id",
}

// Remedy is what to do, in a line.
func (c failedCall) Remedy() string {
	if remedy, known := remedies[c.Issue]; known {
		return remedy
	}
	if c.Issue == "" {
		return "The hospital's own answer: see its text"
	}
	return "See what it means"
}

func failedCalls(found []adminapi.CallError, of ownCredential) []failedCall {
	all := make([]failedCall, len(found))
	for i, call := range found {
		all[i] = failedCall{CallError: call, Credential: of}
	}
	return all
}

// What the page of an app's errors asks and shows at most.
const (
	maxAsked  = 20  // credentials
	maxErrors = 200 // calls
)

// errorsData is the page of an app's last errors.
type errorsData struct {
	App         ownApp
	Tab         string
	Credentials []ownCredential
	Errors      []failedCall
	Away        string
}

// appErrors shows the last calls of an app that failed, the newest first.
func (p *Pages) appErrors(r *page.Request, app ownApp) error {
	found, err := p.store.CredentialsOfApp(r.Context(), app.ID)
	if err != nil {
		return err
	}
	all := byUse(p.own(found))
	shown := errorsData{App: app, Tab: "errors", Credentials: all[:min(len(all), maxAsked)]}
	if shown.Errors, err = p.errorsOf(r.Context(), shown.Credentials); err != nil {
		shown.Away = awayText(err)
	}
	return r.Render(http.StatusOK, "dev-errors", shown)
}

// errorsOf asks for the errors of several credentials. Those that the gateway
// does not know have none.
func (p *Pages) errorsOf(ctx context.Context, of []ownCredential) ([]failedCall, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var all []failedCall
	var problem error
	for _, credential := range of {
		found, err := p.gateway.KeyErrors(ctx, credential.KeyID)
		if adminapi.Refused(err, http.StatusNotFound) {
			continue
		}
		if err != nil {
			problem = err
			break
		}
		all = append(all, failedCalls(found, credential)...)
	}
	slices.SortStableFunc(all, func(a, b failedCall) int { return b.At.Compare(a.At) })
	return all[:min(len(all), maxErrors)], problem
}
