package config

import (
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/internal/strict"
)

func complete(t *testing.T, text string) (Config, []Mistake) {
	t.Helper()
	var c Config
	require.Empty(t, strict.Decode("tyk.conf", []byte(text), &c).Problems())
	return c, c.Complete("data", "https://fhir.pacs.example", "127.0.0.1:8081")
}

func TestDefaults(t *testing.T) {
	c, mistakes := complete(t, `{}`)
	require.Empty(t, mistakes)
	require.Equal(t, Config{
		Listen: "127.0.0.1:8082", PublicURL: "http://localhost:8082", Database: "data/portal.db",
		KeysFile: "data/portal-keys", ActsKeyFile: "data/portal-acts-key", AdminURL: "http://127.0.0.1:8081",
		GatewayURL: "https://fhir.pacs.example", TryPlan: "trial", UsageDays: 400,
	}, c)
	c, mistakes = complete(t, `{"cert_file": "c.pem", "key_file": "k.pem", "listen": ":8443"}`)
	require.Empty(t, mistakes)
	require.Equal(t, "https://localhost:8443", c.PublicURL)
}

func TestMistakes(t *testing.T) {
	t.Setenv("PORTAL_DB", "postgres://portal@db/portal")
	t.Setenv("PORTAL_MYSQL", "mysql://portal:s3cret@db/portal")
	t.Setenv("PORTAL_KEYWORDS", "host=db password=s3cret")
	for name, c := range map[string]struct{ text, place string }{
		"listen":                {`{"listen": "8082"}`, "listen"},
		"plain public URL":      {`{"public_url": "http://portal.pacs.example"}`, "public_url"},
		"admin URL, no scheme":  {`{"admin_url": "127.0.0.1:8081"}`, "admin_url"},
		"gateway, no scheme":    {`{"gateway_url": "gateway.pacs.example"}`, "gateway_url"},
		"public URL with path":  {`{"public_url": "https://pacs.example/portal"}`, "public_url"},
		"certificate alone":     {`{"cert_file": "c.pem"}`, "cert_file"},
		"key alone":             {`{"key_file": "k.pem"}`, "key_file"},
		"another database":      {`{"database_url": {"env": "PORTAL_MYSQL"}}`, "database_url"},
		"database, no URL":      {`{"database_url": {"env": "PORTAL_KEYWORDS"}}`, "database_url"},
		"two databases":         {`{"database": "x.db", "database_url": {"env": "PORTAL_DB"}}`, "database_url"},
		"domain":                {`{"signup_domains": ["@pacs.example"], "mail": {"address": "h:25", "from": "a@b.example"}}`, "signup_domains.0"},
		"domain without proof":  {`{"signup_domains": ["pacs.example"]}`, "signup_domains"},
		"issuer":                {`{"oidc": {"issuer": "http://id.example", "client_id": "x"}}`, "oidc.issuer"},
		"no client":             {`{"oidc": {"issuer": "https://id.example"}}`, "oidc.client_id"},
		"mail address":          {`{"mail": {"address": "smtp.example", "from": "a@b.example"}}`, "mail.address"},
		"mail sender":           {`{"mail": {"address": "smtp.example:587", "from": "portal"}}`, "mail.from"},
		"negative days":         {`{"usage_days": -1}`, "usage_days"},
		"secret not there":      {`{"database_url": {"env": "PORTAL_NOT_SET"}}`, "database_url"},
		"secret in plain words": {`{"oidc": {"issuer": "https://id.example", "client_id": "x", "client_secret": "s3cret"}}`, "oidc.client_secret"},
	} {
		t.Run(name, func(t *testing.T) {
			_, mistakes := complete(t, c.text)
			require.Len(t, mistakes, 1, mistakes)
			require.Equal(t, c.place, mistakes[0].Place)
			require.NotContains(t, mistakes[0].Text, "s3cret")
		})
	}
	t.Setenv("PORTAL_DB", "postgresql://portal@db/portal")
	c, mistakes := complete(t, `{"database_url": {"env": "PORTAL_DB"}}`)
	require.Empty(t, mistakes)
	require.Empty(t, c.Database)
}
