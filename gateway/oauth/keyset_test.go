package oauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

func TestCheckJWKS(t *testing.T) {
	set, err := CheckJWKS(keySet(publicKey("a", "", rsaKey.Public()), publicKey("b", "", ecKey.Public())))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, []string{set.Keys[0].KeyID, set.Keys[1].KeyID})
	require.Equal(t, []string{"RS384", "ES384"}, []string{set.Keys[0].Algorithm, set.Keys[1].Algorithm})

	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	public := string(must(publicKey("a", "", ecKey.Public()).MarshalJSON()))
	many := make([]jose.JSONWebKey, maxKeys+1)
	for i := range many {
		many[i] = publicKey(fmt.Sprint(i), "", ecKey.Public())
	}
	encryption := publicKey("a", "", ecKey.Public())
	encryption.Use = "enc"
	for reason, key := range map[string]any{"it is a private key": ecKey, "key 1 of the set: it is a private key": rsaKey, "symmetric": []byte("0123456789abcdef0123456789abcdef")} {
		_, err := CheckJWKS(keySet(jose.JSONWebKey{Key: key, KeyID: "a"}))
		require.ErrorContains(t, err, reason)
	}
	for name, data := range map[string][]byte{
		"a kid twice":         keySet(publicKey("a", "", ecKey.Public()), publicKey("a", "", otherKey.Public())),
		"no kid":              keySet(publicKey("", "", ecKey.Public())),
		"P-256":               keySet(publicKey("a", "", p256.Public())),
		"RS256":               keySet(publicKey("a", "RS256", rsaKey.Public())),
		"ES384 for RSA":       keySet(publicKey("a", "ES384", rsaKey.Public())),
		"for encryption":      keySet(encryption),
		"no keys":             []byte(`{"keys":[]}`),
		"too many":            keySet(many...),
		"no set":              []byte(public),
		"no JSON":             []byte(`{`),
		"a list":              []byte(`[` + public + `]`),
		"a key that is none":  []byte(`{"keys":[1]}`),
		"an unknown type":     []byte(`{"keys":[{"kty":"X","kid":"a"}]}`),
		"RSA of 1024 bits":    []byte(`{"keys":[{"kty":"RSA","kid":"a","e":"AQAB","n":"` + shortModulus + `"}]}`),
		"a point off P-384":   []byte(`{"keys":[{"kty":"EC","crv":"P-384","kid":"a","x":"` + offCurve + `","y":"` + offCurve + `"}]}`),
		"d in capital letter": []byte(`{"keys":[{"kty":"X","D":"x","kid":"a"}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := CheckJWKS(data)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "AQAB")
		})
	}
}

// shortModulus has 1024 bits; offCurve is 48 bytes that are no coordinate.
const (
	shortModulus = "wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"
	offCurve     = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
)

func TestCheckJWKSURL(t *testing.T) {
	require.NoError(t, CheckJWKSURL("https://client.example/jwks.json?v=1"))
	for _, text := range []string{"http://client.example/", "https://", "https://user@client.example/", "https://client.example/#x", "file:///etc/passwd", "gopher://x", "", "https:client.example", "://"} {
		require.Error(t, CheckJWKSURL(text), text)
	}
}

func FuzzCheckJWKS(f *testing.F) {
	f.Add(keySet(publicKey("a", "", rsaKey.Public()), publicKey("b", "", ecKey.Public())))
	f.Add(keySet(jose.JSONWebKey{Key: ecKey, KeyID: "a"}))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := CheckJWKS(data)
		if err != nil {
			return
		}
		for _, key := range set.Keys {
			require.True(t, key.IsPublic() && key.Valid() && key.KeyID != "")
		}
		again, err := CheckJWKS(must(json.Marshal(set)))
		require.NoError(t, err)
		require.Len(t, again.Keys, len(set.Keys))
	})
}
