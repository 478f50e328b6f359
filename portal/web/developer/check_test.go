package developer

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
