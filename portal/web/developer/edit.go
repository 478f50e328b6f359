package developer

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"fhirgate/gateway/keys/record"
	"fhirgate/portal/credentials"
	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

// credentialForm is the page that changes a credential.
type credentialForm struct {
	App        ownApp
	Credential ownCredential
	Form       *page.Form
	Keys       string // the client's keys of now, in words; "" = none
}

// Signs reports whether the client has keys of its own, or could have.
func (f credentialForm) Signs() bool { return f.Credential.IsClient() }

func (p *Pages) editCredential(r *page.Request, app ownApp, credential ownCredential) error {
	key, err := p.recordOf(r, credential)
	if err != nil {
		return err
	}
	form := opened(fieldsOf(key)...)
	form.Values.Set(wasKeys, editionOf(key))
	return p.renderEdit(r, http.StatusOK, app, credential, key, form)
}

// fieldsOf are the fields of the form, each with its value behind it.
func fieldsOf(key *record.Key) []string {
	return []string{"name", key.Name, "allow_from", strings.Join(networksOf(key), "\n"), "jwks_url", key.JWKSURL}
}

// recordOf returns what the gateway keeps of a credential that can be changed.
func (p *Pages) recordOf(r *page.Request, credential ownCredential) (*record.Key, error) {
	if !credential.Settled() {
		return nil, page.Conflict("Only a credential that works, and with which nothing else is under way, can be changed.")
	}
	return p.gateway.Show(r.Context(), credential.KeyID)
}

func (p *Pages) renderEdit(r *page.Request, status int, app ownApp, credential ownCredential, key *record.Key, form *page.Form) error {
	return r.Render(status, "dev-credential-form", credentialForm{App: app, Credential: credential, Form: form, Keys: strings.Join(kidsOf(key), ", ")})
}

func (p *Pages) updateCredential(r *page.Request, app ownApp, credential ownCredential) error {
	form, err := r.ReadForm()
	if err != nil {
		return err
	}
	key, err := p.recordOf(r, credential)
	if err != nil {
		return err
	}
	bringUp(form, fieldsOf(key)...)
	address := form.Value("jwks_url")
	changes, err := checkChanges(r, form, credential, key)
	if err != nil {
		return err
	}
	if form.OK() {
		err = p.credentials.Update(r.Context(), r.By(), credential.ID, changes)
		if errors.Is(err, store.ErrOwnDecision) {
			return page.Forbidden(ownDecision)
		}
		if err != nil && !refused(form, err) {
			return err
		}
	}
	if !form.OK() {
		form.Values.Set("jwks_url", address) // which a set that is taken would have replaced
		return p.renderEdit(r, http.StatusUnprocessableEntity, app, credential, key, form)
	}
	r.Flash("ok", "Saved.")
	return r.Redirect("/credentials/%s", credential.ID)
}

// checkChanges reads what is to be changed: what stays as it is, is left out.
func checkChanges(r *page.Request, form *page.Form, credential ownCredential, key *record.Key) (credentials.Changes, error) {
	var changes credentials.Changes
	name := form.Required("name", "Give the credential a name.")
	checkName(form, "name", name)
	if name != key.Name {
		changes.Name = &name
	}
	if networks := checkNetworks(form); !slices.Equal(networks, networksOf(key)) {
		if networks == nil {
			networks = []string{}
		}
		changes.AllowFrom = &networks
	}
	if !credential.IsClient() {
		return changes, nil
	}
	err := checkKeyChanges(r, form, credential, key, &changes)
	return changes, err
}

// checkKeyChanges reads what a client's own keys are to be changed to.
func checkKeyChanges(r *page.Request, form *page.Form, credential ownCredential, key *record.Key, changes *credentials.Changes) error {
	address := form.Value("jwks_url")
	given, err := r.File("jwks_file")
	if err != nil {
		return err
	}
	hasSet := form.Value("jwks") != "" || strings.TrimSpace(given) != ""
	if form.Value("jwks") == "" && hasSet && keysProblem(given) == "" {
		form.Values.Set("jwks", given) // a form that comes back has no files
	}
	if edition := editionOf(key); form.Value(wasKeys) != edition {
		if hasSet || address != key.JWKSURL {
			form.Fail("", changedMeanwhile("the keys", cmp.Or(key.JWKSURL, strings.Join(kidsOf(key), ", "))))
		}
		form.Values.Set(wasKeys, edition)
	}
	if hasSet && address == key.JWKSURL {
		form.Values.Del("jwks_url") // the set takes the place of the address that was there
	}
	switch {
	case hasSet, address != "" && address != key.JWKSURL:
		set, address, err := checkKeys(r, form)
		if err != nil {
			return err
		}
		if changes.JWKS = set; set == nil {
			changes.JWKSURL = &address
		}
	case address == "" && key.JWKSURL != "":
		if !credential.HasSecret() {
			form.Fail("jwks_url", "A client without a secret needs its keys: give an address or a set.")
		}
		changes.JWKSURL = &address
	}
	return nil
}

// wasKeys is the hidden field with the edition of the keys that a form was opened
// with: the form shows an address of them, but not a set.
const wasKeys = was + "keys"

// editionOf tells a client's keys from others, even those of the same names.
func editionOf(key *record.Key) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(key.JWKSURL+"\n"+string(key.JWKS))))
}

func networksOf(key *record.Key) []string {
	var networks []string
	for _, prefix := range key.AllowFrom {
		text := prefix.String()
		if prefix.IsSingleIP() {
			text = prefix.Addr().String()
		}
		networks = append(networks, text)
	}
	return networks
}

// kidsOf names the keys of a client's set.
func kidsOf(key *record.Key) []string {
	var set struct {
		Keys []struct {
			KeyID string `json:"kid"`
		} `json:"keys"`
	}
	if len(key.JWKS) == 0 || json.Unmarshal(key.JWKS, &set) != nil {
		return nil
	}
	kids := make([]string, len(set.Keys))
	for i, k := range set.Keys {
		kids[i] = k.KeyID
	}
	return kids
}
