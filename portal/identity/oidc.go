package identity

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"fhirgate/portal/store"
)

// flowLife is how long a login at the provider may take.
const flowLife = 15 * time.Minute

// ErrProvider says that the provider cannot be reached, or does not keep to the
// protocol.
var ErrProvider = errors.New("the identity provider does not answer as it should")

// flow is what the portal remembers of a login at the provider while the reader
// is there.
type flow struct {
	State      string    `json:"state"`
	Nonce      string    `json:"nonce"`
	Verifier   string    `json:"verifier"` // PKCE (RFC 7636)
	Next       string    `json:"next"`
	Invitation string    `json:"invitation,omitempty"` // token
	Begun      time.Time `json:"begun"`
}

// OIDCName returns what the login of the company is called; "" when there is none.
func (s *Service) OIDCName() string {
	if s.oidc == nil {
		return ""
	}
	return s.oidc.name
}

// BeginOIDC returns the address at the provider at which a login begins, and what
// has to be kept in the session until FinishOIDC: it is sealed. next is where to
// go in the end, invitation the token of one that is to be accepted, or "". again
// asks the provider to have people sign in there even if they are signed in.
func (s *Service) BeginOIDC(ctx context.Context, next, invitation string, again bool) (target, kept string, err error) {
	if s.oidc == nil {
		return "", "", &Refusal{"no provider", "This portal has no login of the company."}
	}
	f := flow{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Next: next, Invitation: invitation, Begun: s.now(),
	}
	if target, err = s.oidc.begin(ctx, f, again); err != nil {
		return "", "", err
	}
	plain, err := json.Marshal(f)
	if err != nil {
		return "", "", err
	}
	kept, err = s.keys.Seal(plain)
	return target, kept, err
}

// Arrival is somebody who has come back from the provider. They may still owe the
// second factor.
type Arrival struct {
	User  store.User
	Login time.Time // when they signed in at the provider; zero = it does not tell
	Next  string    // where to go
}

// FinishOIDC returns who comes back from the provider with an answer. Errors: a
// *Refusal or ErrProvider.
func (s *Service) FinishOIDC(ctx context.Context, by store.By, kept string, answer url.Values) (*Arrival, error) {
	if s.oidc == nil {
		return nil, &Refusal{"no provider", "This portal has no login of the company."}
	}
	f, err := s.flowOf(kept, answer.Get("state"))
	if err != nil {
		return nil, err
	}
	who, err := s.oidc.finish(ctx, f, answer, s.now)
	if err != nil {
		return nil, err
	}
	user, err := s.userOf(ctx, by, who, f.Invitation)
	var refused *Refusal
	if errors.As(err, &refused) {
		return nil, refuse(refused, s.store.SignInRefused(ctx, by, "company: "+refused.Reason, user.ID))
	}
	return &Arrival{User: user, Login: who.login, Next: f.Next}, err
}

// flowOf opens what the session has kept, if it belongs to the state.
func (s *Service) flowOf(kept, state string) (flow, error) {
	notOurs := &Refusal{"state", "This login was not begun here, or is finished already. Sign in again."}
	plain, err := s.keys.Open(kept)
	if err != nil {
		return flow{}, notOurs
	}
	var f flow
	if err := json.Unmarshal(plain, &f); err != nil {
		return flow{}, notOurs
	}
	if subtle.ConstantTimeCompare([]byte(f.State), []byte(state)) != 1 || s.now().Sub(f.Begun) > flowLife {
		return flow{}, notOurs
	}
	return f, nil
}

// userOf finds the user that a person of the provider is, or makes one. Who was
// here before is known by issuer and subject alone: addresses change hands. The
// user is returned beside a refusal, too, if there is one.
func (s *Service) userOf(ctx context.Context, by store.By, who person, invitation string) (store.User, error) {
	user, err := s.store.UserBySubject(ctx, who.subject)
	if err == nil {
		return user, notDisabled(user)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return store.User{}, err
	}
	if who.email, err = Address(who.email); err != nil || !who.verified {
		return store.User{}, &Refusal{"unverified address", fmt.Sprintf("%s does not confirm that your e-mail address is yours.", s.oidc.name)}
	}
	user, err = s.store.UserByEmail(ctx, who.email)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s.newMember(ctx, by, who, invitation)
	case err != nil:
		return store.User{}, err
	case user.OIDCSubject != "":
		return user, &Refusal{"another subject", fmt.Sprintf("The account of your e-mail address belongs to somebody else at %s. Ask an administrator.", s.oidc.name)}
	case !user.Disabled.IsZero():
		return user, notDisabled(user)
	}
	if err := s.store.SetSubject(ctx, byUser(by, user), user.ID, who.subject); err != nil {
		return store.User{}, err
	}
	if err := voidResets(ctx, s.store, user.ID); err != nil { // as with the password, who has one need not be the owner
		return store.User{}, err
	}
	return s.store.User(ctx, user.ID)
}

func notDisabled(user store.User) error {
	if user.Disabled.IsZero() {
		return nil
	}
	return &Refusal{"disabled", "Your account is disabled. Ask an administrator."}
}

// newMember makes an account for a person of the provider, if invited or of a
// domain whose people may sign up.
func (s *Service) newMember(ctx context.Context, by store.By, who person, invitation string) (store.User, error) {
	local, _ := split(who.email)
	name, err := Name(cmp.Or(who.name, local))
	if err != nil {
		name = local
	}
	user := store.User{Email: who.email, Name: name, OIDCSubject: who.subject}
	by.UserID, by.Name = "", "" // the provider knows who it is, whoever is signed in here
	if invitation != "" {
		invited, err := s.Invitation(ctx, invitation)
		if err != nil {
			return store.User{}, err
		}
		if invited.Email != who.email {
			return store.User{}, &Refusal{"another address", fmt.Sprintf("The invitation is for another e-mail address than yours at %s.", s.oidc.name)}
		}
		return s.accept(ctx, by, invitation, user)
	}
	if !inDomain(who.email, s.domains) {
		return store.User{}, &Refusal{"no account", "You have no account here. Open the link of your invitation, or ask an administrator for one."}
	}
	return s.create(ctx, by, user)
}
