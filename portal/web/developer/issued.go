package developer

import (
	"fmt"
	"net/http"

	"fhirgate/portal/credentials"
	"fhirgate/portal/web/page"
)

// issuedData is the page that shows a new secret.
type issuedData struct {
	App        ownApp
	Credential ownCredential
	Secret     string
	TokenURL   string
	Rotated    bool
	Call       string // a first call, as shell commands
}

// SecretLabel is what the secret is called.
func (d issuedData) SecretLabel() string {
	if d.Credential.IsClient() {
		return "Client secret"
	}
	return "API key"
}

// QuickStart is the query for the quick start of this credential.
func (d issuedData) QuickStart() string {
	return quickStart(d.App.ID, d.Credential.ID, d.Credential.Hospitals)
}

func (p *Pages) renderIssued(r *page.Request, app ownApp, issued *credentials.Issued, rotated bool) error {
	shown := issuedData{
		App: app, Credential: ownCredential{Credential: issued.Credential, now: p.now()},
		Secret: issued.Secret, TokenURL: issued.TokenURL, Rotated: rotated,
	}
	shown.Call = firstCall(p.publicURL, shown)
	return r.Render(http.StatusOK, "dev-issued", shown)
}

// firstCall is a call that every plan allows: it asks what the caller may do at
// the hospital. The secret is typed in, so that it stays out of the shell's
// history; it is one command, so that what is pasted after its first line is not
// taken for the secret; and it stays in the variable that the quick start uses.
// It has no comment, which zsh would not take for one. A client that signs has
// no call that fits a line.
func firstCall(publicURL string, d issuedData) string {
	hospital := "HOSPITAL"
	if len(d.Credential.Hospitals) > 0 {
		hospital = d.Credential.Hospitals[0]
	}
	call := `curl -sS -H "Authorization: Bearer $%s" "` + publicURL + "/fhir/" + hospital + `/metadata"`
	switch {
	case d.Secret == "":
		return ""
	case d.Credential.IsClient():
		return "read -rs FHIRGATE_CLIENT_SECRET && export FHIRGATE_CLIENT_SECRET &&\n" +
			`TOKEN=$(curl -sS -u "` + d.Credential.KeyID + `:$FHIRGATE_CLIENT_SECRET" -d grant_type=client_credentials ` + d.TokenURL + " | jq -r .access_token) &&\n" +
			fmt.Sprintf(call, "TOKEN")
	default:
		return "read -rs FHIRGATE_KEY && export FHIRGATE_KEY &&\n" + fmt.Sprintf(call, "FHIRGATE_KEY")
	}
}
