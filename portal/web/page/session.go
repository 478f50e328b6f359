package page

import (
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"fhirgate/portal/store"
	"fhirgate/portal/web/ui"
)

// What a session holds.
const (
	keyUser    = "user"    // id
	keyEdition = "edition" // of the user's sessions when this one began
	keyStage   = "stage"
	keyLogin   = "login" // when the user signed in at the identity provider, in seconds of Unix; 0 = not known
	keyFlash   = "flash"
)

// Lives of sessions.
const (
	sessionLife = 12 * time.Hour
	sessionIdle = 45 * time.Minute
)

// NewSessions returns sessions kept by keeper. secure means that the portal is
// reached by https: cookies are then sent nowhere else, and are bound to the host.
func NewSessions(keeper scs.CtxStore, secure bool) *scs.SessionManager {
	m := scs.New()
	m.Store = keeper
	m.Lifetime, m.IdleTimeout = sessionLife, sessionIdle
	m.Cookie.Name = "fhirgate"
	if secure {
		m.Cookie.Name = "__Host-fhirgate"
	}
	m.Cookie.Secure, m.Cookie.HttpOnly, m.Cookie.SameSite, m.Cookie.Path = secure, true, http.SameSiteLaxMode, "/"
	m.Cookie.Persist = false
	return m
}

// SignIn makes the session one of a user. full says that no further factor is
// awaited. The session gets a new token, so that one that was planted before is
// worth nothing.
func (r *Request) SignIn(user store.User, full bool) error {
	if err := r.kit.Sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	at := stagePassword
	if full {
		at = stageFull
	}
	r.kit.Sessions.Remove(r.Context(), keyLogin)
	r.become(user, at)
	return nil
}

// StaySignedIn keeps this session when all of the user's were ended. It gets a new
// token, and its end stays where it was.
func (r *Request) StaySignedIn(user store.User) error {
	end := r.kit.Sessions.Deadline(r.Context())
	if err := r.kit.Sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	r.kit.Sessions.SetDeadline(r.Context(), end)
	r.become(user, stageFull)
	return nil
}

func (r *Request) become(user store.User, at stage) {
	r.kit.Sessions.Put(r.Context(), keyUser, user.ID)
	r.kit.Sessions.Put(r.Context(), keyEdition, user.Edition)
	r.kit.Sessions.Put(r.Context(), keyStage, string(at))
	r.User, r.access = user, accessOf(user, at)
}

// NoteLogin keeps, until the next SignIn, when the user has signed in at the
// identity provider.
func (r *Request) NoteLogin(at time.Time) { r.kit.Sessions.Put(r.Context(), keyLogin, at.Unix()) }

// Login returns what NoteLogin kept, or a time long ago.
func (r *Request) Login() time.Time {
	return time.Unix(r.kit.Sessions.GetInt64(r.Context(), keyLogin), 0)
}

// SignOut ends the session.
func (r *Request) SignOut() error {
	r.User, r.access = store.User{}, Public
	return r.kit.Sessions.Destroy(r.Context())
}

// Remember keeps a short text in the session, for pages that follow: the state
// of a login at an identity provider, say.
func (r *Request) Remember(name, value string) { r.kit.Sessions.Put(r.Context(), "own."+name, value) }

// Recall returns what Remember kept and forgets it.
func (r *Request) Recall(name string) string {
	return r.kit.Sessions.PopString(r.Context(), "own."+name)
}

// signedIn finds out who asks and how far the session has come. A session of
// before the user's password, role or second factor changed counts for nothing.
func (k *Kit) signedIn(r *http.Request) (store.User, stage, error) {
	id := k.Sessions.GetString(r.Context(), keyUser)
	if id == "" {
		return store.User{}, "", nil
	}
	user, err := k.Store.User(r.Context(), id)
	if err != nil {
		return store.User{}, "", err
	}
	if user.Edition != k.Sessions.GetInt(r.Context(), keyEdition) {
		return store.User{}, "", nil
	}
	return user, stage(k.Sessions.GetString(r.Context(), keyStage)), nil
}

// flashes returns what is to be told, once.
func (k *Kit) flashes(r *http.Request) []ui.Flash {
	tone, text, found := strings.Cut(k.Sessions.PopString(r.Context(), keyFlash), " ")
	if !found {
		return nil
	}
	return []ui.Flash{{Tone: tone, Text: text}}
}
