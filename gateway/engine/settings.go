package engine

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"fhirgate/internal/strict"
	"fhirgate/observe/audit"
	portal "fhirgate/portal/config"
)

// Settings is the section "fhirgate" of tyk.conf. Relative paths start at the
// working directory and are absolute once loaded.
type Settings struct {
	PublicURL             string         `yaml:"public_url"`               // what clients call the gateway, without the path; default: this host
	DataDir               string         `yaml:"data_dir"`                 // private files and the embedded store; default "data"
	Routes                string         `yaml:"routes"`                   // folder of hospitals; default "routes"
	Transforms            string         `yaml:"transforms"`               // folder of vendor rules; default "transforms"
	Policies              string         `yaml:"policies"`                 // folder of plans; default "policies"
	AdminListen           string         `yaml:"admin_listen"`             // host:port of the admin API; default "127.0.0.1:8081"
	LogLevel              string         `yaml:"log_level"`                // debug, info, warn or error; default "info"
	KeyEncryptionKeysFile string         `yaml:"key_encryption_keys_file"` // keys that encrypt tokens and signing keys at rest; default "<data_dir>/key-encryption-keys"
	LinkKeysFile          string         `yaml:"link_keys_file"`           // keys that seal links; default "<data_dir>/link-keys"
	ClientCAFile          string         `yaml:"client_ca_file"`           // CAs of callers' client certificates (PEM); default: none are asked for
	TrustedProxies        []string       `yaml:"trusted_proxies"`          // addresses or networks whose X-Forwarded-For tells the caller's address; default: none
	TokenSeconds          int            `yaml:"token_seconds"`            // life of the tokens that /oauth/token issues, 30 to 300; default 300
	IdentityProviders     []Provider     `yaml:"identity_providers"`       // outside issuers of tokens; default: none
	ClientKeysPrivate     bool           `yaml:"client_keys_private"`      // clients' JWK sets may be at private addresses; default false
	Audit                 audit.Config   `yaml:"audit"`                    // who touched which patient; see docs/audit.md
	Portal                *portal.Config `yaml:"portal"`                   // the developers' portal; default: none. See docs/portal.md
	DrainDelaySeconds     int            `yaml:"drain_delay_seconds"`      // how long readiness is denied before the port closes; default 0
	DrainSeconds          int            `yaml:"drain_seconds"`            // how long requests in flight may take at a stop; default 30
	Drain                 time.Duration  `yaml:"-"`                        // DrainSeconds as a duration
	DrainDelay            time.Duration  `yaml:"-"`                        // DrainDelaySeconds as a duration
}

// Provider is an outside identity provider whose tokens (JWT, RFC 9068) are
// taken. See docs/get-a-token.md.
type Provider struct {
	Issuer         string   `yaml:"issuer"`          // the claim iss, exactly
	Audience       string   `yaml:"audience"`        // must be in the claim aud; default: {public_url}/fhir
	Algorithms     []string `yaml:"algorithms"`      // of its signatures; at least one
	JWKSURL        string   `yaml:"jwks_url"`        // of its keys; default: discovered below the issuer
	ClientClaim    string   `yaml:"client_claim"`    // names the client; default: azp, client_id or sub
	ScopeClaim     string   `yaml:"scope_claim"`     // holds the scopes; default: scope or scp
	UserClaim      string   `yaml:"user_claim"`      // names the person; default: fhirUser, or sub
	PatientClaim   string   `yaml:"patient_claim"`   // holds the patient's id; default "patient"
	PrivateNetwork bool     `yaml:"private_network"` // its address may be a private one
}

// ProviderAlgorithms are those that a provider's signatures may have: none of
// them takes a secret that both sides know.
var ProviderAlgorithms = []string{"RS256", "RS384", "PS256", "PS384", "ES256", "ES384", "EdDSA"}

// complete fills in the defaults and returns what is wrong with the section;
// problem gives a mistake its place.
func (s *Settings) complete(problem func(setting, format string, args ...any) strict.Problem, localURL string) strict.Problems {
	orElse := func(value *string, fallback string) {
		if *value == "" {
			*value = fallback
		}
	}
	orElse(&s.PublicURL, localURL)
	orElse(&s.DataDir, "data")
	orElse(&s.Routes, "routes")
	orElse(&s.Transforms, "transforms")
	orElse(&s.Policies, "policies")
	orElse(&s.AdminListen, "127.0.0.1:8081")
	orElse(&s.LogLevel, "info")
	orElse(&s.LinkKeysFile, s.DataDir+"/link-keys")
	orElse(&s.KeyEncryptionKeysFile, s.DataDir+"/key-encryption-keys")
	if s.DrainSeconds == 0 {
		s.DrainSeconds = 30
	}
	if s.TokenSeconds == 0 {
		s.TokenSeconds = 300
	}
	s.Drain = time.Duration(s.DrainSeconds) * time.Second
	s.DrainDelay = time.Duration(s.DrainDelaySeconds) * time.Second

	var problems strict.Problems
	fail := func(place, format string, args ...any) { problems = append(problems, problem(place, format, args...)) }
	if !publicURL.MatchString(s.PublicURL) {
		fail("public_url", "must be http:// or https:// with a host, without query or fragment")
	}
	if _, _, err := net.SplitHostPort(s.AdminListen); err != nil {
		fail("admin_listen", `must be host:port, such as "127.0.0.1:8081"`)
	}
	switch s.LogLevel {
	case "debug", "info", "warn", "error":
	default:
		fail("log_level", "%s", strict.Unknown("level", s.LogLevel, []string{"debug", "info", "warn", "error"}))
	}
	if s.DrainSeconds < 0 {
		fail("drain_seconds", "must be positive")
	}
	if s.DrainDelaySeconds < 0 {
		fail("drain_delay_seconds", "must not be negative")
	}
	if s.TokenSeconds < 30 || s.TokenSeconds > 300 {
		fail("token_seconds", "must be 30 to 300")
	}
	for i, text := range s.TrustedProxies {
		if _, err := network(text); err != nil {
			fail("trusted_proxies."+strconv.Itoa(i), "%s", err)
		}
	}
	for _, mistake := range s.Audit.Complete(s.DataDir) {
		fail("audit."+mistake.Place, "%s", mistake.Text)
	}
	if s.Portal != nil {
		for _, mistake := range s.Portal.Complete(s.DataDir, s.PublicURL, s.AdminListen) {
			fail("portal."+mistake.Place, "%s", mistake.Text)
		}
	}
	issuers := make(map[string]bool, len(s.IdentityProviders))
	for i := range s.IdentityProviders {
		provider, place := &s.IdentityProviders[i], "identity_providers."+strconv.Itoa(i)
		provider.complete(s.PublicURL, func(key, format string, args ...any) { fail(place+"."+key, format, args...) })
		if issuers[provider.Issuer] {
			fail(place+".issuer", "stands there twice: a provider is told by its issuer")
		}
		issuers[provider.Issuer] = true
	}
	return problems
}

// Proxies returns TrustedProxies as networks.
func (s *Settings) Proxies() ([]netip.Prefix, error) {
	networks := make([]netip.Prefix, 0, len(s.TrustedProxies))
	for _, text := range s.TrustedProxies {
		proxies, err := network(text)
		if err != nil {
			return nil, err
		}
		networks = append(networks, proxies)
	}
	return networks, nil
}

// network reads a network, or an address, which stands for itself.
func network(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Prefix(addr.BitLen())
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return prefix, fmt.Errorf(`%q is neither an address nor a network such as "10.0.0.0/8"`, text)
	case prefix != prefix.Masked():
		return prefix, fmt.Errorf("%q has bits beyond the mask: the network is %s", text, prefix.Masked())
	}
	return prefix, nil
}

func (p *Provider) complete(public string, fail func(key, format string, args ...any)) {
	if p.Audience == "" {
		p.Audience = strings.TrimSuffix(public, "/") + "/fhir"
	}
	if !strings.HasPrefix(p.Issuer, "https://") && !(p.PrivateNetwork && strings.HasPrefix(p.Issuer, "http://")) {
		fail("issuer", "must be an https:// URL")
	}
	if p.JWKSURL != "" && !strings.HasPrefix(p.JWKSURL, "https://") && !(p.PrivateNetwork && strings.HasPrefix(p.JWKSURL, "http://")) {
		fail("jwks_url", "must be an https:// URL")
	}
	if len(p.Algorithms) == 0 {
		fail("algorithms", "must list at least one of %s", strings.Join(ProviderAlgorithms, ", "))
	}
	for i, alg := range p.Algorithms {
		if !slices.Contains(ProviderAlgorithms, alg) {
			fail("algorithms."+strconv.Itoa(i), "%s", strict.Unknown("algorithm", alg, ProviderAlgorithms))
		}
	}
}

var publicURL = regexp.MustCompile(`^https?://[^/?#\s]+(/[^?#\s]*)?$`)
