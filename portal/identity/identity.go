// Package identity knows people: their passwords and second factors, the login of
// their company (OpenID Connect), invitations, and one-time links by e-mail.
//
// Whether an account exists is nobody's business: login, sign-up and forgotten
// passwords answer alike, after about the same work, whether it does or not.
// Secrets, tokens and e-mail addresses are in no error and no log line.
package identity

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"

	"fhirgate/internal/envelope"
	"fhirgate/portal/store"
)

// Options are what a Service is made of. Store, PublicURL and Keys are required.
type Options struct {
	Store         *store.Store
	PublicURL     string         // with which links begin
	Keys          *envelope.Keys // seal the secrets of second factors
	SignupDomains []string       // of the e-mail addresses whose owners may sign up
	Mailer        *Mailer        // nil = no mail
	OIDC          *OIDCOptions   // nil = no login of the company
	Log           *slog.Logger   // nil = none
	Now           func() time.Time
	Hash          *argon2id.Params // of new passwords; nil = the second choice of RFC 9106, section 4
}

// Service does what has to do with accounts.
type Service struct {
	store     *store.Store
	public    string
	keys      *envelope.Keys
	domains   []string
	mailer    *Mailer
	oidc      *oidcClient
	log       *slog.Logger
	now       func() time.Time
	passwords *passwords
	throttle  *throttle
	inviter   *Inviter
	posts     posts
}

// New returns a service. It calls nobody.
func New(o Options) (*Service, error) {
	if o.Store == nil || o.Keys == nil || o.PublicURL == "" {
		return nil, errors.New("identity: a store, keys and the public URL are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{
		store: o.Store, public: strings.TrimSuffix(o.PublicURL, "/"), keys: o.Keys, domains: o.SignupDomains, mailer: o.Mailer,
		now:      o.Now,
		throttle: newThrottle(o.Store, o.Now),
		posts:    posts{slots: make(chan struct{}, maxPosts)},
	}
	s.inviter = newInviter(o.Store, o.PublicURL, o.Mailer, o.Log, s.throttle)
	s.log = s.inviter.log
	var err error
	if s.passwords, err = newPasswords(cmp.Or(o.Hash, recommended)); err != nil {
		return nil, err
	}
	if o.OIDC != nil {
		s.oidc, err = newOIDCClient(*o.OIDC, s.public)
	}
	return s, err
}

// Inviter returns what invites people.
func (s *Service) Inviter() *Inviter { return s.inviter }

// MailWorks reports whether the portal can send mail.
func (s *Service) MailWorks() bool { return s.mailer != nil }

// SignUpDomains returns the domains whose people may sign up by mail; none when
// nobody may.
func (s *Service) SignUpDomains() []string {
	if s.mailer == nil {
		return nil
	}
	return s.domains
}

// Close waits for the mails that are on their way.
func (s *Service) Close() { s.posts.group.Wait() }

// Bounds of what happens behind the answers.
const (
	maxPosts    = 64
	postTimeout = time.Minute
)

// posts are the mails on their way.
type posts struct {
	slots chan struct{}
	group sync.WaitGroup
}

// later does work that the answer does not wait for, so that how long it takes
// tells nothing. ErrBusy when too much of it waits.
func (s *Service) later(work func(context.Context) error) error {
	select {
	case s.posts.slots <- struct{}{}:
	default:
		return ErrBusy
	}
	s.posts.group.Go(func() {
		defer func() { <-s.posts.slots }()
		ctx, cancel := context.WithTimeout(context.Background(), postTimeout)
		defer cancel()
		if err := work(ctx); err != nil {
			s.log.LogAttrs(ctx, slog.LevelError, "mail was not sent", slog.String("problem", err.Error()))
		}
	})
	return nil
}
