package oauth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/redis/go-redis/v9"

	"fhirgate/facade"
	"fhirgate/policies/smart"
	"fhirgate/upstream/jwks"
)

// The paths that the server answers.
const (
	TokenPath    = "/oauth/token" //nolint:gosec // a path
	RevokePath   = "/oauth/revoke"
	KeysPath     = "/oauth/jwks.json"
	MetadataPath = "/.well-known/oauth-authorization-server"
)

// MaxLife is the longest life of a token, and its default.
const MaxLife = 5 * time.Minute

// skew is how far the clocks of two machines may be apart.
const skew = 30 * time.Second

// Options are what New needs. PublicURL, Redis, SealKeys, Clients, Plans and
// Address are required.
type Options struct {
	PublicURL string // what clients call the gateway; is the issuer, without a slash at its end
	Redis     redis.UniversalClient
	SealKeys  jose.JSONWebKeySet // key-encryption keys, as jwks.Options has them
	Clients   Clients
	Plans     func(planID string) (*smart.Scopes, bool) // scopes of an active plan
	Address   func(*http.Request) netip.Addr            // of the caller

	Slowed func(from netip.Addr) (time.Duration, bool) // whether nothing of the address is looked at now, and for how long; nil = never
	Failed func(from netip.Addr)                       // counts a wrong assertion; nil = not counted

	Life           time.Duration // of a token, 1 s to MaxLife; 0 = MaxLife
	Providers      []Provider
	PrivateKeySets bool           // a client's keys may be at a private address
	RootCAs        *x509.CertPool // of the servers that keys are fetched from; nil = the system's

	Log *slog.Logger     // nil = slog.Default()
	Now func() time.Time // nil = time.Now
}

// Server is the authorization server. It is safe for concurrent use.
type Server struct {
	issuer    string
	base      string // the general FHIR base: the audience of our tokens
	life      time.Duration
	clients   Clients
	plans     func(string) (*smart.Scopes, bool)
	address   func(*http.Request) netip.Addr
	slowed    func(netip.Addr) (time.Duration, bool)
	failed    func(netip.Addr)
	keys      *tokenKeys
	used      *usedAssertions
	remotes   *remotes
	dummies   map[jose.SignatureAlgorithm]jose.JSONWebKey
	providers map[string]*provider // by issuer
	log       *slog.Logger
	now       func() time.Time
}

// New returns a server, or an error that says which option is wrong. It reads
// nothing yet.
func New(o Options) (*Server, error) {
	s := &Server{
		issuer:  strings.TrimSuffix(o.PublicURL, "/"),
		life:    o.Life,
		clients: o.Clients, plans: o.Plans, address: o.Address, slowed: o.Slowed, failed: o.Failed,
		log: o.Log, now: o.Now,
	}
	s.base = s.issuer + strings.TrimSuffix(facade.Prefix, "/")
	s.complete()
	if err := checkURL(s.issuer, true); err != nil {
		return nil, fmt.Errorf("the public URL: %w", err)
	}
	if s.life < time.Second || s.life > MaxLife {
		return nil, fmt.Errorf("a token's life must be 1 s to %s", MaxLife)
	}
	rings, err := jwks.Open(jwks.Options{Redis: o.Redis, SealKeys: o.SealKeys, Hash: ringsHash, Log: s.log, Now: s.now})
	if err != nil {
		return nil, err
	}
	s.keys = &tokenKeys{rings: rings, log: s.log, now: s.now}
	s.used = &usedAssertions{redis: o.Redis, now: s.now}
	if s.dummies, err = dummyKeys(); err != nil {
		return nil, err
	}
	s.remotes = &remotes{fetcher: newFetcher(o.RootCAs, reach{private: o.PrivateKeySets}), now: s.now, log: s.log}
	s.providers, err = s.newProviders(o.Providers, o.RootCAs)
	return s, err
}

func (s *Server) complete() {
	if s.life == 0 {
		s.life = MaxLife
	}
	if s.slowed == nil {
		s.slowed = func(netip.Addr) (time.Duration, bool) { return 0, false }
	}
	if s.failed == nil {
		s.failed = func(netip.Addr) {}
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
}

// ServesPath tells whether a path is for ServeHTTP.
func ServesPath(path string) bool {
	switch path {
	case TokenPath, RevokePath, KeysPath, MetadataPath:
		return true
	default:
		return false
	}
}

// ServeHTTP answers the paths of ServesPath. Refusals are those of RFC 6749
// section 5.2.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := facade.RequestID(r)
	w.Header().Set("X-Request-Id", id)
	err := s.serve(w, r)
	if err == nil {
		return
	}
	var refused *refusal
	if !errors.As(err, &refused) {
		refused = unavailable(err)
	}
	s.report(r.Context(), refused, id)
	refused.write(w)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) error {
	post, read := []string{http.MethodPost}, []string{http.MethodGet, http.MethodHead}
	handler, methods := s.serveToken, post
	switch r.URL.Path {
	case TokenPath:
	case RevokePath:
		handler = s.serveRevocation
	case KeysPath:
		handler, methods = s.serveKeys, read
	case MetadataPath:
		handler, methods = s.serveMetadata, read
	default:
		return &refusal{status: http.StatusNotFound, code: invalidRequest, text: "nothing is here"}
	}
	if !slices.Contains(methods, r.Method) {
		w.Header().Set("Allow", strings.Join(methods, ", "))
		return &refusal{status: http.StatusMethodNotAllowed, code: invalidRequest, text: "only " + methods[0] + " is answered here"}
	}
	return handler(w, r)
}
