package developer

import (
	"context"
	"errors"
	"net/http"
	"time"
	"unicode/utf8"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys/record"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

// patience is how long a page waits for what the gateway adds to it.
const patience = 3 * time.Second

// credentialData is what a credential's page shows. What the gateway has not
// told is nil, and Away says why.
type credentialData struct {
	App        ownApp
	Credential ownCredential
	Request    *store.AccessRequest // under which it was made; nil = none
	Record     *record.Key
	Limits     *limitsLeft
	Errors     []failedCall
	Away       string
	Problem    string // with the form of the revocation
}

// QuickStart is the query for the quick start of this credential.
func (d credentialData) QuickStart() string {
	return quickStart(d.App.ID, d.Credential.ID, d.Credential.Hospitals)
}

// Renewable reports whether another credential can be made under its access.
func (d credentialData) Renewable() bool {
	return d.App.CanChange() && !d.Withheld() && d.Request != nil && d.Request.Holds(d.Credential.now)
}

// Withheld reports whether the reader has approved its access, so that its secrets
// are for others.
func (d credentialData) Withheld() bool { return d.Request != nil && d.App.Approved(*d.Request) }

// EndsFirst reports whether the access ends when the credential does, so that
// another one would not live longer.
func (d credentialData) EndsFirst() bool {
	return d.Request != nil && !d.Request.Ends.IsZero() && !d.Request.Ends.After(d.Credential.Expires.Add(time.Minute))
}

// credential shows a credential: everything but its secrets.
func (p *Pages) credential(r *page.Request, app ownApp, credential ownCredential) error {
	return p.renderCredential(r, http.StatusOK, app, credential, "")
}

func (p *Pages) renderCredential(r *page.Request, status int, app ownApp, credential ownCredential, problem string) error {
	request, err := p.accessOf(r, credential)
	if err != nil {
		return err
	}
	shown := credentialData{App: app, Credential: credential, Request: request, Problem: problem}
	err = p.askGateway(r.Context(), &shown)
	gone := adminapi.Refused(err, http.StatusNotFound) && (credential.Gone() || credential.Lost())
	if err != nil && !gone {
		shown.Away = awayText(err)
	}
	return r.Render(status, "dev-credential", shown)
}

// accessOf returns the request under which a credential was made; nil = none.
func (p *Pages) accessOf(r *page.Request, credential ownCredential) (*store.AccessRequest, error) {
	if credential.RequestID == "" {
		return nil, nil
	}
	request, err := p.store.Request(r.Context(), credential.RequestID)
	if err != nil {
		return nil, err
	}
	return &request, nil
}

// askGateway adds what only the gateway knows.
func (p *Pages) askGateway(ctx context.Context, shown *credentialData) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	keyID := shown.Credential.KeyID
	failed, err := p.gateway.KeyErrors(ctx, keyID)
	if err != nil {
		return err
	}
	shown.Errors = failedCalls(failed, shown.Credential)
	if !shown.Credential.Works() {
		return nil
	}
	if shown.Record, err = p.gateway.Show(ctx, keyID); err != nil {
		return err
	}
	limits, err := p.gateway.KeyLimits(ctx, keyID)
	if err != nil {
		return err
	}
	shown.Limits = &limitsLeft{Limits: *limits}
	return nil
}

// awayText tells what is missing on a page when the gateway has not told it.
func awayText(err error) string {
	switch {
	case adminapi.Refused(err, http.StatusNotFound):
		return "The gateway does not know this credential, so there are neither limits nor errors of it."
	case adminapi.Refused(err, http.StatusConflict):
		return "Its plan does not exist any more: calls are refused. Ask an administrator."
	default:
		return "The gateway does not answer just now, so its limits and last errors are missing here. Calls of your program may work all the same. Try again in a minute."
	}
}

// limitsLeft is what is left of a plan's limits.
type limitsLeft struct{ adminapi.Limits }

// QuotaUsed is how much of the quota is gone.
func (l limitsLeft) QuotaUsed() int64 { return max(0, l.Quota-l.QuotaLeft) }

// BurstUsed is how much of the burst is gone.
func (l limitsLeft) BurstUsed() int { return max(0, l.Burst-l.BurstLeft) }

// revokeCredential ends a credential for good.
func (p *Pages) revokeCredential(r *page.Request, app ownApp, credential ownCredential) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	reason := form.Value("reason")
	if reason == "" {
		return p.renderCredential(r, http.StatusUnprocessableEntity, app, credential, "Nothing was revoked: say why, for those who look at it later.")
	}
	if utf8.RuneCountInString(reason) > maxDescription {
		return p.renderCredential(r, http.StatusUnprocessableEntity, app, credential, "Nothing was revoked: the reason has at most 500 characters.")
	}
	err = p.credentials.Revoke(r.Context(), r.By(), credential.ID, reason)
	switch {
	case errors.Is(err, adminapi.ErrUnreachable):
		r.Flash("warn", "The revocation is noted, but the gateway does not answer: the credential works until it does. The portal keeps trying.")
	case err != nil:
		return err
	default:
		r.Flash("ok", "Revoked: no call with it is taken any more.")
	}
	return r.Redirect("/credentials/%s", credential.ID)
}
