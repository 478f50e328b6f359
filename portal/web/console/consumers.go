package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
	"fhirgate/portal/web/ui"
)

// credentialStates are the states that the list of consumers can be narrowed to.
func credentialStates() []ui.Option {
	return []ui.Option{
		{Value: string(store.CredentialActive), Label: "Active"},
		{Value: string(store.CredentialCreating), Label: "Creating"},
		{Value: string(store.CredentialRotating), Label: "Rotating"},
		{Value: string(store.CredentialRevoking), Label: "Revoking"},
		{Value: string(store.CredentialRevoked), Label: "Revoked"},
		{Value: string(store.CredentialFailed), Label: "Failed"},
		{Value: string(store.CredentialLost), Label: "Not known to the gateway"},
	}
}

// kindNames are what the kinds of consumers are called.
func kindNames() map[string]string {
	return map[string]string{
		string(record.KindKey): "API key", string(record.KindClient): "OAuth client",
		string(record.KindExternal): "External identity", string(record.KindCertificate): "Certificate",
	}
}

func kindOptions() []ui.Option {
	var options []ui.Option
	for _, kind := range record.Kinds() {
		options = append(options, ui.Option{Value: string(kind), Label: kindNames()[string(kind)]})
	}
	return options
}

// consumers lists the credentials of all apps and of the command line.
func (p *Pages) consumers(r *page.Request) error {
	form := &page.Form{Values: r.URL.Query()}
	list, err := p.store.Credentials(r.Context(), store.CredentialFilter{
		Search: form.Value("search"), State: store.CredentialState(form.Value("state")),
		Plan: form.Value("plan"), Kind: form.Value("kind"), Hospital: form.Value("hospital"),
	}, r.Page(pageSize))
	if err != nil {
		return err
	}
	use, err := p.store.PlanUse(r.Context())
	if err != nil {
		return err
	}
	return listed(r, "console-consumers", struct {
		Form                 *page.Form
		Query                url.Values
		States, Plans, Kinds []ui.Option
		KindNames            map[string]string
		List                 store.List[store.Credential]
		Filtered             bool
		Now                  time.Time
	}{
		form, form.Values, credentialStates(), planOptions(use, form.Value("plan")), kindOptions(), kindNames(), list,
		strings.Join([]string{form.Value("search"), form.Value("state"), form.Value("plan"), form.Value("kind"), form.Value("hospital")}, "") != "", p.now(),
	})
}

// consumerView is what a consumer's page shows.
type consumerView struct {
	Credential store.Credential
	KindName   string
	MadeBy     named // a user
	Hospitals  []named
	Revocable  bool
	Ended      bool        // its time is over
	Key        *record.Key // as the gateway has it; nil = it was not asked or does not know it
	Limits     *adminapi.Limits
	Errors     []adminapi.CallError
	Names      map[string]string // of hospitals
	Usage      store.Usage
	Chart      ui.Chart
	Form       *page.Form
	Now        time.Time
	Away       string
}

// QuotaUsed returns how many units of the quota are used.
func (v consumerView) QuotaUsed() int64 { return max(0, v.Limits.Quota-v.Limits.QuotaLeft) }

func (p *Pages) consumer(r *page.Request) error {
	return p.showConsumer(r, http.StatusOK, page.NewForm())
}

func (p *Pages) showConsumer(r *page.Request, status int, form *page.Form) error {
	credential, err := p.store.Credential(r.Context(), r.PathValue("credential"))
	if err != nil {
		return err
	}
	query := p.lastDays(usualDays)
	query.Keys = []string{credential.KeyID}
	used, err := p.store.Usage(r.Context(), query)
	if err != nil {
		return err
	}
	view := consumerView{
		Credential: credential, KindName: kindNames()[credential.Kind], Revocable: revocable(credential.State),
		Ended: record.Ended(credential.Expires, p.now()),
		Usage: used, Chart: page.CallsChart(used), Form: form, Now: p.now(),
	}
	people, err := p.userNames(r.Context(), credential.CreatedBy)
	if err != nil {
		return err
	}
	view.MadeBy = named{ID: credential.CreatedBy, Name: people[credential.CreatedBy]}
	ctx, cancel := hurried(r)
	defer cancel()
	p.askOf(ctx, &view)
	return r.Render(status, "console-consumer", view)
}

// revocable reports whether a credential in this state can be revoked.
func revocable(state store.CredentialState) bool {
	return state == store.CredentialActive || state == store.CredentialRotating || state == store.CredentialLost
}

// askOf adds what the gateway knows of a consumer. One that it does not know has
// no limits and no errors.
func (p *Pages) askOf(ctx context.Context, view *consumerView) {
	id := view.Credential.KeyID
	key, errKey := p.gateway.Show(ctx, id)
	limits, errLimits := p.gateway.KeyLimits(ctx, id)
	failures, errFailures := p.gateway.KeyErrors(ctx, id)
	names, errNames := p.hospitalNames(ctx)
	view.Key, view.Limits, view.Errors, view.Names = key, limits, failures, names
	view.Hospitals = namesOf(view.Credential.Hospitals, names)
	view.Away = absenceOf(known(errKey), known(errLimits), known(errFailures), errNames)
}

// known is an error, unless it says that the gateway knows no such key.
func known(err error) error {
	if adminapi.Refused(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// revoke ends a credential for good.
func (p *Pages) revoke(r *page.Request) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	form.Required("reason", "Say why, so that the team knows.")
	reason := textOf(form, "reason")
	if !form.OK() {
		return p.showConsumer(r, http.StatusUnprocessableEntity, form)
	}
	id := r.PathValue("credential")
	err = p.credentials.Revoke(r.Context(), r.By(), id, reason)
	switch {
	case errors.Is(err, adminapi.ErrUnreachable):
		r.Flash("warn", "The revocation is noted. The gateway does not answer: it is completed as soon as it does.")
	case errors.Is(err, store.ErrConflict):
		return page.Conflict("This credential cannot be revoked: it was revoked already, or never came to work.")
	case err != nil:
		return err
	default:
		r.Flash("ok", "The credential is revoked. Calls with it are refused from now on.")
	}
	return r.Redirect("/console/consumers/%s", id)
}
