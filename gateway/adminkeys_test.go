package gateway

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys"
)

// The admin API and its client, for consumers that are no API keys.
func TestClientsAndOthers(t *testing.T) {
	b := newAdminBench(t)
	client := adminapi.NewClient(b.server.URL, adminTestSecret)
	ctx := t.Context()

	made, err := client.Create(ctx, adminapi.NewKey{Name: "viewer", Plan: "trial", Kind: keys.KindClient, AllowFrom: []string{"192.0.2.7", "2001:db8::/32"}})
	require.NoError(t, err)
	require.NotEmpty(t, made.Secret)
	require.Equal(t, "https://fhirgate.example/oauth/token", made.TokenURL)
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32")}, made.AllowFrom)

	byKeys, err := client.Create(ctx, adminapi.NewKey{Name: "analyser", Plan: "trial", Kind: keys.KindClient, NoSecret: true, JWKSURL: "https://analyser.example/jwks"})
	require.NoError(t, err)
	require.Empty(t, byKeys.Secret)

	fingerprint := strings.Repeat("AB:", 31) + "AB"
	external, err := client.Create(ctx, adminapi.NewKey{
		Name: "portal", Plan: "trial", Kind: keys.KindExternal, Issuer: "https://idp.example", Subject: "portal", Certificates: []string{fingerprint},
	})
	require.NoError(t, err)
	require.Empty(t, external.Secret)
	require.Equal(t, strings.Repeat("ab", 32), external.Certificates[0].SHA256)
	_, err = client.Create(ctx, adminapi.NewKey{Name: "another", Plan: "trial", Kind: keys.KindCertificate, Certificates: []string{fingerprint}})
	require.EqualError(t, err, "the certificate belongs to "+external.ID+" already")
	status, _ := b.call(t, "POST", "/admin/keys", `{"name":"x","plan":"trial","kind":"external","issuer":"https://idp.example","subject":"portal"}`)
	require.Equal(t, 409, status)
	_, err = client.Rotate(ctx, external.ID, adminapi.Rotation{})
	require.ErrorContains(t, err, "has no secret")
}

func TestChangesByTheAdminAPI(t *testing.T) {
	b := newAdminBench(t)
	client := adminapi.NewClient(b.server.URL, adminTestSecret)
	ctx := t.Context()
	made, err := client.Create(ctx, adminapi.NewKey{Name: "PACS", Plan: "trial"})
	require.NoError(t, err)
	name, life, none := "VNA", adminapi.Duration(time.Hour), adminapi.Duration(0)
	changed, err := client.Update(ctx, made.ID, adminapi.KeyChanges{Name: &name, Life: &life, AllowFrom: &[]string{"192.0.2.0/24"}})
	require.NoError(t, err)
	require.Equal(t, "VNA", changed.Name)
	require.WithinDuration(t, time.Now().Add(time.Hour), changed.Expires, time.Minute)
	require.Len(t, changed.AllowFrom, 1)
	require.Equal(t, "trial", changed.Plan, "what is left out stays")
	changed, err = client.Update(ctx, made.ID, adminapi.KeyChanges{Life: &none, AllowFrom: &[]string{}, AddCertificate: strings.Repeat("ab", 32)})
	require.NoError(t, err)
	require.Zero(t, changed.Expires)
	require.Empty(t, changed.AllowFrom)
	require.Len(t, changed.Certificates, 1)
	_, err = client.Revoke(ctx, made.ID)
	require.NoError(t, err)
	_, err = client.Update(ctx, made.ID, adminapi.KeyChanges{Name: &name})
	require.EqualError(t, err, "the key is revoked")
	status, _ := b.call(t, "PATCH", "/admin/keys/"+made.ID, `{"name":"x"}`)
	require.Equal(t, 409, status)
}

// What the answers of before kinds held, they hold still.
func TestAnswersStayCompatible(t *testing.T) {
	b := newAdminBench(t)
	status, text := b.call(t, "POST", "/admin/keys", `{"name":"PACS","plan":"trial","life":"1h"}`)
	require.Equal(t, 201, status)
	made := gjson.Parse(text)
	for _, member := range []string{"id", "name", "plan", "created", "expires", "secret", "secrets.0.hash", "secrets.0.hint", "secrets.0.created", "secrets.0.expires"} {
		require.True(t, made.Get(member).Exists(), member)
	}
	for _, member := range []string{"token_url", "jwks", "last_used", "allow_from", "revoked"} {
		require.False(t, made.Get(member).Exists(), member)
	}
	status, text = b.call(t, "GET", "/admin/keys", "")
	require.Equal(t, 200, status)
	require.True(t, json.Valid([]byte(text)))
	require.Equal(t, made.Get("secrets.0.expires").Str, gjson.Get(text, "0.secrets.0.expires").Str)
	require.False(t, gjson.Get(text, "0.secret").Exists())
}
