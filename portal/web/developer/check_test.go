package developer

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
	"fhirgate/portal/web/page"
)

func TestKeySetsAreLookedAt(t *testing.T) {
	for text, want := range map[string]string{
		`{"keys":[{"kty":"EC","crv":"P-384","x":"AA","y":"BB","kid":"1"}]}`: "",
		`{"keys":[]}`:                       "in a list",
		`{"kty":"EC","x":"AA"}`:             "in a list",
		`[1,2]`:                             "not JSON",
		`keys`:                              "not JSON",
		"-----BEGIN PUBLIC KEY-----\nMIIB":  "This is PEM",
		"-----BEGIN PRIVATE KEY-----\nMIIB": "private key",
		"-----BEGIN EC PRIVATE KEY-----":    "private key",
		`{"keys":[{"kty":"EC","x":"AA","y":"BB","kid":"1"},{"kty":"EC","x":"AA","y":"BB","d":"CC","kid":"2"}]}`: "private key",
		`{"kty":"RSA","n":"AA","e":"AQAB","d":"BB"}`:                                                            "private key",
		`{"keys":[{"kty":"oct","k":"AA"}]}`:                                                                     "private key",
		`{"wrapped":{"deep":[{"kty":"EC","d":"CC"}]}`:                                                           "private key", // no JSON, by a brace too few
		`{'kty': 'EC', 'd': 'CC'}`:                                                                              "private key",
	} {
		problem := keysProblem(text)
		if want == "" {
			require.Empty(t, problem, text)
		} else {
			require.Contains(t, problem, want, text)
		}
	}
}

func TestNetworksAreLookedAt(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.0/24": "", "192.0.2.7": "", "2001:db8::/32": "", "::1": "",
		"192.0.2.7/24": "the network is 192.0.2.0/24", "192.0.2": "neither", "fe80::1%eth0": "neither", "pacs.example": "neither",
	} {
		problem := networkProblem(text)
		if want == "" {
			require.Empty(t, problem, text)
		} else {
			require.Contains(t, problem, want, text)
		}
	}
	form := page.NewForm("allow_from", strings.Repeat("192.0.2.0/24\n", 101))
	checkNetworks(form)
	require.Equal(t, "At most 100 networks.", form.Error("allow_from"))
}

func TestAddressesOfKeySetsAreLookedAt(t *testing.T) {
	for text, want := range map[string]string{
		"https://app.example/jwks.json": "", "http://app.example/jwks.json": "https://", "app.example": "no address",
		"https://": "no address", "https://me@app.example/jwks.json": "neither", "https://app.example/jwks.json#k": "neither",
	} {
		form := page.NewForm()
		checkKeysURL(form, text)
		if want == "" {
			require.True(t, form.OK(), text)
		} else {
			require.Contains(t, form.Error("jwks_url"), want, text)
		}
	}
}

func TestUsageFilesHoldNoFormulas(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, writeUsage(&out, store.Usage{
		Days:         []store.DayCount{{Day: "2026-11-22", OK: 3, ClientErrors: 2, ServerErrors: 1}},
		Hospitals:    []store.Count{{Name: "=HYPERLINK(\"https://evil.example\")", Calls: 5}, {Name: "harbor", Calls: 1}},
		Interactions: []store.Count{{Name: "+1", Calls: 1}, {Name: "@SUM(A1)", Calls: 1}, {Name: "-2", Calls: 1}, {Name: "\tx", Calls: 1}},
		Statuses:     []store.Count{{Name: "200", Calls: 3}},
	}))
	require.Equal(t, `by,name,outcome,calls
day,2026-11-22,answered,3
day,2026-11-22,client error,2
day,2026-11-22,server error,1
hospital,"'=HYPERLINK(""https://evil.example"")",,5
hospital,harbor,,1
interaction,'+1,,1
interaction,'@SUM(A1),,1
interaction,'-2,,1
interaction,'	x,,1
status,200,,3
`, out.String())
}
