// Package config is the section "portal" of fhirgate's settings in tyk.conf.
package config

import (
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"fhirgate/internal/strict"
)

// Config is the section "portal" of fhirgate's settings. Without the section
// there is no portal.
type Config struct {
	Listen        string        `yaml:"listen"`         // host:port; default "127.0.0.1:8082"
	PublicURL     string        `yaml:"public_url"`     // how browsers reach it, without a path; default http://localhost:<port>
	CertFile      string        `yaml:"cert_file"`      // PEM; the portal's own certificate; default: a proxy ends TLS
	KeyFile       string        `yaml:"key_file"`       // PEM; its key
	Database      string        `yaml:"database"`       // SQLite file; default "<data_dir>/portal.db"
	DatabaseURL   strict.Secret `yaml:"database_url"`   // postgres://…, in place of the file
	KeysFile      string        `yaml:"keys_file"`      // JWK set that seals second factors; default "<data_dir>/portal-keys"
	ActsKeyFile   string        `yaml:"acts_key_file"`  // key of the chain of acts; default "<data_dir>/portal-acts-key"
	AdminURL      string        `yaml:"admin_url"`      // where the gateway's admin API is; default: admin_listen
	GatewayURL    string        `yaml:"gateway_url"`    // where the portal reaches the gateway's FHIR endpoint, without /fhir; default: public_url of the gateway
	SignupDomains []string      `yaml:"signup_domains"` // owners of e-mail addresses in these may sign up; needs mail or oidc; default: by invitation only
	AutoApprove   []string      `yaml:"auto_approve"`   // plans for simulated hospitals whose requests need no administrator; default: none
	OIDC          *OIDC         `yaml:"oidc"`           // login at the company's identity provider; default: none
	Mail          *Mail         `yaml:"mail"`           // default: links are shown to the administrator, who passes them on
	TryPlan       string        `yaml:"try_plan"`       // plan of the portal's own key, which calls simulated hospitals only; default "trial"
	UsageDays     int           `yaml:"usage_days"`     // how long usage is kept; default 400
}

// OIDC is an identity provider whose people may log in (OpenID Connect Core 1.0,
// the authorization code flow with PKCE).
type OIDC struct {
	Name           string        `yaml:"name"`   // on the button; default "your company account"
	Issuer         string        `yaml:"issuer"` // the claim iss, exactly
	ClientID       string        `yaml:"client_id"`
	ClientSecret   strict.Secret `yaml:"client_secret"`
	PrivateNetwork bool          `yaml:"private_network"` // its address may be a private one, and plain http
}

// Mail is a server that sends our mails (RFC 5321, with STARTTLS).
type Mail struct {
	Address  string        `yaml:"address"` // host:port; the port is mostly 587
	From     string        `yaml:"from"`    // the sender's address
	Username string        `yaml:"username"`
	Password strict.Secret `yaml:"password"`
	Plain    bool          `yaml:"plain"` // without TLS: for a relay on this machine
}

// TryPlan is the plan of the portal's own key where the settings name none. An
// installation without it has nothing to try.
const TryPlan = "trial"

// Mistake is a wrong setting: its key below the section, and what is wrong.
type Mistake struct{ Place, Text string }

var (
	origin   = regexp.MustCompile(`^https?://[^/?#\s]+$`)
	postgres = regexp.MustCompile(`^postgres(ql)?://`)
	domain   = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`)
)

// Complete fills in the defaults and returns all mistakes at once. publicURL is
// the gateway's, adminListen the address of its admin API.
func (c *Config) Complete(dataDir, publicURL, adminListen string) []Mistake {
	orElse := func(value *string, fallback string) {
		if *value == "" {
			*value = fallback
		}
	}
	var found []Mistake
	fail := func(place, text string) { found = append(found, Mistake{place, text}) }

	orElse(&c.Listen, "127.0.0.1:8082")
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		fail("listen", `must be host:port, such as "127.0.0.1:8082"`)
	}
	scheme := "http"
	if c.CertFile != "" {
		scheme = "https"
	}
	orElse(&c.PublicURL, scheme+"://localhost:"+port)
	orElse(&c.KeysFile, filepath.Join(dataDir, "portal-keys"))
	orElse(&c.ActsKeyFile, filepath.Join(dataDir, "portal-acts-key"))
	orElse(&c.AdminURL, "http://"+adminListen)
	orElse(&c.GatewayURL, publicURL)
	orElse(&c.TryPlan, TryPlan)
	if c.UsageDays == 0 {
		c.UsageDays = 400
	}
	if c.Database != "" && c.DatabaseURL.Given() {
		fail("database_url", "stands beside database: give one of them")
	}
	checkSecret("database_url", c.DatabaseURL, fail)
	if url, err := c.DatabaseURL.Reveal(); err == nil && c.DatabaseURL.Given() && !c.DatabaseURL.Plain() && !postgres.MatchString(url) {
		fail("database_url", "must be a URL that begins with postgres:// or postgresql://")
	}
	if !c.DatabaseURL.Given() {
		orElse(&c.Database, filepath.Join(dataDir, "portal.db"))
	}

	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	switch {
	case !origin.MatchString(c.PublicURL):
		fail("public_url", "must be https:// with a host, without a path")
	case !strings.HasPrefix(c.PublicURL, "https://") && !thisMachine(c.PublicURL):
		fail("public_url", "must be https://: passwords and keys pass over it")
	}
	for _, address := range []struct{ key, url string }{{"admin_url", c.AdminURL}, {"gateway_url", c.GatewayURL}} {
		if !strings.HasPrefix(address.url, "http://") && !strings.HasPrefix(address.url, "https://") {
			fail(address.key, `must begin with http:// or https://`)
		}
	}
	switch {
	case c.CertFile != "" && c.KeyFile == "":
		fail("cert_file", "needs key_file")
	case c.CertFile == "" && c.KeyFile != "":
		fail("key_file", "needs cert_file")
	}
	if c.UsageDays < 1 {
		fail("usage_days", "must be positive")
	}
	for i, name := range c.SignupDomains {
		if !domain.MatchString(name) {
			fail("signup_domains."+strconv.Itoa(i), `must be a domain such as "pacs.example", in lower case`)
		}
	}
	if len(c.SignupDomains) > 0 && c.Mail == nil && c.OIDC == nil {
		fail("signup_domains", "needs mail or oidc, which prove that an address belongs to who signs up")
	}
	if c.OIDC != nil {
		c.OIDC.complete(func(key, text string) { fail("oidc."+key, text) })
	}
	if c.Mail != nil {
		c.Mail.check(func(key, text string) { fail("mail."+key, text) })
	}
	return found
}

func (o *OIDC) complete(fail func(key, text string)) {
	if o.Name == "" {
		o.Name = "your company account"
	}
	if !strings.HasPrefix(o.Issuer, "https://") && !(o.PrivateNetwork && strings.HasPrefix(o.Issuer, "http://")) {
		fail("issuer", "must be an https:// URL")
	}
	if o.ClientID == "" {
		fail("client_id", "is missing")
	}
	checkSecret("client_secret", o.ClientSecret, fail)
}

func (m *Mail) check(fail func(key, text string)) {
	if _, _, err := net.SplitHostPort(m.Address); err != nil {
		fail("address", `must be host:port, such as "smtp.pacs.example:587"`)
	}
	if !strings.Contains(m.From, "@") {
		fail("from", "must be an e-mail address")
	}
	checkSecret("password", m.Password, fail)
}

func checkSecret(place string, secret strict.Secret, fail func(place, text string)) {
	if secret.Plain() {
		fail(place, "must be {env: NAME} or {file: PATH}: no secrets in files like this one")
	} else if _, err := secret.Reveal(); err != nil {
		fail(place, err.Error())
	}
}

// thisMachine reports whether a URL leads to the machine of the browser.
func thisMachine(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
