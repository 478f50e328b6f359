package routes

import (
	"crypto/sha256"
	"time"

	"fhirgate/internal/strict"
)

// Upstream is how a hospital's FHIR server is reached.
type Upstream struct {
	BaseURL        string            `yaml:"base_url"`        // FHIR base, without a slash at the end
	Aliases        []string          `yaml:"aliases"`         // other bases under which the hospital writes its own links
	LinkHosts      []string          `yaml:"link_hosts"`      // host[:port] that sealed links may reach besides the base's own
	Auth           Auth              `yaml:"auth"`            // default: none
	Headers        map[string]string `yaml:"headers"`         // fixed request headers, e.g. Epic-Client-ID
	Timeouts       Timeouts          `yaml:"timeouts"`        // defaults in Timeouts
	PrivateNetwork bool              `yaml:"private_network"` // allow loopback, private and link-local addresses
	CAFile         string            `yaml:"ca_file"`         // PEM bundle to trust instead of the system's
	ClientCert     *ClientCert       `yaml:"client_cert"`     // mTLS, with or without any auth
	Proxy          strict.Secret     `yaml:"proxy"`           // outbound proxy, http or https URL; a secret when it holds a password
	RedirectHosts  []string          `yaml:"redirect_hosts"`  // host[:port] that reads may be redirected to, without the credential
	MaxAnswer      int64             `yaml:"max_answer"`      // bytes of one answer, decompressed; default 4 GiB
	Budget         Budget            `yaml:"budget"`          // what the hospital may be asked; default: no limit
	Resilience     Resilience        `yaml:"resilience"`      // how its failures are met
	SearchInURL    bool              `yaml:"search_in_url"`   // allow vendor rules that make a POST _search a GET: search parameters, which may name patients, then stand in URLs

	files [sha256.Size]byte // of what the named files hold, so that a change of one is a change of the route
}

// ClientCert is the gateway's certificate for mTLS.
type ClientCert struct {
	CertFile string `yaml:"cert_file"` // PEM, with the chain
	KeyFile  string `yaml:"key_file"`  // PEM
}

// Budget is what a hospital may be asked, by all nodes together.
type Budget struct {
	Requests         int           `yaml:"requests"`           // in any time of Per; 0 = no limit
	Per              time.Duration `yaml:"per"`                // default 1m
	Concurrency      int           `yaml:"concurrency"`        // calls under way at a time; 0 = no limit
	MaxWait          time.Duration `yaml:"max_wait"`           // how long a call waits for its turn; default 2s
	CountsTokenCalls bool          `yaml:"counts_token_calls"` // the hospital counts calls of its token endpoint too
	Bare429          string        `yaml:"bare_429"`           // what a 429 without Retry-After means: "" (a pause that grows) or "until-minute"
	QuotaText        string        `yaml:"quota_text"`         // a 403 that holds this text means that the day's quota is used up
}

// Limited reports whether anything of the hospital's calls is to be counted.
func (b Budget) Limited() bool { return b != Budget{} }

// UntilMinute is a value of Budget.Bare429: the limit ends when the minute turns.
const UntilMinute = "until-minute"

// Resilience says how a hospital's failures are met.
type Resilience struct {
	Retries    *int          `yaml:"retries"`     // of a read, after its first attempt; default 2
	HedgeAfter time.Duration `yaml:"hedge_after"` // a read without an answer by then is asked a second time; default never
	Breaker    Breaker       `yaml:"breaker"`
}

// Breaker says when a hospital that fails is left alone.
type Breaker struct {
	Off    bool          `yaml:"off"`
	Calls  int           `yaml:"calls"`  // least number within Window of which half must fail; default 20
	Window time.Duration `yaml:"window"` // default 30s
	Pause  time.Duration `yaml:"pause"`  // default 5s
}

// Auth is how the gateway logs in to a hospital. Which fields a kind takes is
// in authFields.
type Auth struct {
	Kind         string        `yaml:"kind"`
	TokenURL     string        `yaml:"token_url"`     // absolute, or "discover": read from {base}/.well-known/smart-configuration
	ClientID     strict.Secret `yaml:"client_id"`     // no secret: may stand in the file
	ClientSecret strict.Secret `yaml:"client_secret"` // {env: NAME} or {file: PATH}
	Token        strict.Secret `yaml:"token"`         // of kind bearer
	Username     strict.Secret `yaml:"username"`      // of kind basic
	Password     strict.Secret `yaml:"password"`      // of kind basic
	Key          strict.Secret `yaml:"key"`           // private key, PEM or JWK
	KeyID        string        `yaml:"key_id"`        // kid of the key; default: the JWK's own
	Alg          string        `yaml:"alg"`           // RS256, RS384, ES256 or ES384; default RS384 or ES384 by the key
	Scope        []string      `yaml:"scope"`
	KeyRing      string        `yaml:"key_ring"` // name of a ring of fhirgate jwks, in place of key
	Region       string        `yaml:"region"`   // of kind sigv4
	Service      string        `yaml:"service"`  // of kind sigv4; default healthlake
}

// Timeouts bound a call to a hospital. Zero means the default.
type Timeouts struct {
	Connect   time.Duration `yaml:"connect"`    // TCP and TLS; default 5s
	FirstByte time.Duration `yaml:"first_byte"` // from the request's end to the answer's headers; default 30s
	Idle      time.Duration `yaml:"idle"`       // between two pieces of a body; default 60s
	Total     time.Duration `yaml:"total"`      // of a call with its retries and its answer's body; default none
}

// The kinds of Auth.
const (
	AuthNone              = "none"
	AuthBearer            = "bearer"
	AuthBasic             = "basic"
	AuthClientSecretBasic = "client_secret_basic"
	AuthClientSecretPost  = "client_secret_post"
	AuthSmartBackend      = "smart-backend"
	AuthJWTBearer         = "jwt-bearer"
	AuthSigV4             = "sigv4"
)
