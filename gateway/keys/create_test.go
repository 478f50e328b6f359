package keys

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"fhirgate/facade"
	"fhirgate/fhir"
	"fhirgate/gateway/engine"
)

// certificate makes a client certificate that is valid for a life.
func certificate(t *testing.T, life time.Duration) (text, fingerprint string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	require.NoError(t, err)
	sum := sha256.Sum256(der)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), hex.EncodeToString(sum[:])
}

// keySet makes a client's JWK set, of public keys or, by mistake, of private ones.
func keySet(t *testing.T, private bool) json.RawMessage {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	jwk := jose.JSONWebKey{Key: key, KeyID: "one", Algorithm: string(jose.ES384), Use: "sig"}
	if !private {
		jwk = jwk.Public()
	}
	data, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk}})
	require.NoError(t, err)
	return data
}

// refused requires an error with a status and a text.
func refused(t *testing.T, err error, status int, says string) {
	t.Helper()
	var refusal *fhir.Error
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, status, refusal.Status)
	require.Contains(t, refusal.Text, says)
}

func TestWhatCannotBeMade(t *testing.T) {
	w := newWorld(t)
	text, fingerprint := certificate(t, time.Hour)
	old, _ := certificate(t, -time.Minute)
	public := keySet(t, false)
	many := make([]string, maxCertificates+1)
	for i := range many {
		sum := sha256.Sum256([]byte{byte(i)})
		many[i] = hex.EncodeToString(sum[:])
	}
	for name, tc := range map[string]struct {
		wanted New
		says   string
	}{
		"no name":                     {New{WithSecret: true}, "needs a name"},
		"long name":                   {New{Name: strings.Repeat("x", maxName+1), WithSecret: true}, "at most 100"},
		"unknown kind":                {New{Name: "x", Kind: "robot"}, "one of key, client, external and certificate"},
		"key without a secret":        {New{Name: "x"}, "has a secret"},
		"key with a JWK set":          {New{Name: "x", WithSecret: true, JWKS: public}, "only the kind client"},
		"key with a subject":          {New{Name: "x", WithSecret: true, Subject: "y"}, "only the kind external"},
		"client without anything":     {New{Name: "x", Kind: KindClient}, "needs a JWK set"},
		"client with two sets":        {New{Name: "x", Kind: KindClient, JWKS: public, JWKSURL: "https://client.example/jwks"}, "not both"},
		"client with private keys":    {New{Name: "x", Kind: KindClient, JWKS: keySet(t, true)}, "private key"},
		"client with no set":          {New{Name: "x", Kind: KindClient, JWKS: json.RawMessage(`{}`)}, "not a JWK set"},
		"client with broken JSON":     {New{Name: "x", Kind: KindClient, JWKS: json.RawMessage(`{`)}, "not a JWK set"},
		"client with a large set":     {New{Name: "x", Kind: KindClient, JWKS: json.RawMessage(strings.Repeat(" ", maxJWKS+1))}, "at most 32768 bytes"},
		"set by http":                 {New{Name: "x", Kind: KindClient, JWKSURL: "http://client.example/jwks"}, "https"},
		"set without a host":          {New{Name: "x", Kind: KindClient, JWKSURL: "https:///jwks"}, "host"},
		"set with a password":         {New{Name: "x", Kind: KindClient, JWKSURL: "https://a:b@client.example/jwks"}, "user"},
		"external without a subject":  {New{Name: "x", Kind: KindExternal, Issuer: "https://idp.example"}, "issuer and the subject"},
		"external with a secret":      {New{Name: "x", Kind: KindExternal, Issuer: "https://idp.example", Subject: "y", WithSecret: true}, "has no secret"},
		"subject with control":        {New{Name: "x", Kind: KindExternal, Issuer: "https://idp.example", Subject: "y\x00z"}, "control characters"},
		"certificate without one":     {New{Name: "x", Kind: KindCertificate}, "needs a certificate"},
		"certificate with a secret":   {New{Name: "x", Kind: KindCertificate, Certificates: []string{text}, WithSecret: true}, "has no secret"},
		"expired certificate":         {New{Name: "x", Kind: KindCertificate, Certificates: []string{old}}, "has expired"},
		"two certificates at once":    {New{Name: "x", Kind: KindCertificate, Certificates: []string{text + text}}, "one certificate"},
		"a private key":               {New{Name: "x", Kind: KindCertificate, Certificates: []string{strings.ReplaceAll(text, "CERTIFICATE", "PRIVATE KEY")}}, "one certificate"},
		"no certificate in it":        {New{Name: "x", Kind: KindCertificate, Certificates: []string{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}}, "no X.509"},
		"short fingerprint":           {New{Name: "x", Kind: KindCertificate, Certificates: []string{fingerprint[2:]}}, "64 hex digits"},
		"too many certificates":       {New{Name: "x", Kind: KindCertificate, Certificates: many}, "at most 10 certificates"},
		"allowed from too many":       {New{Name: "x", WithSecret: true, AllowFrom: make([]netip.Prefix, maxPrefixes+1)}, "at most 100 networks"},
		"neither PEM nor fingerprint": {New{Name: "x", Kind: KindCertificate, Certificates: []string{"/etc/passwd"}}, "PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			key, secret, err := w.keeper.Create(t.Context(), tc.wanted)
			refused(t, err, http.StatusUnprocessableEntity, tc.says)
			require.Nil(t, key)
			require.Empty(t, secret)
		})
	}
	require.Empty(t, w.store.Keys(), "nothing was written")
}

func TestNetworks(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7":               "192.0.2.7/32",
		"192.0.2.0/24":            "192.0.2.0/24",
		"2001:db8::7":             "2001:db8::7/128",
		"2001:db8::/32":           "2001:db8::/32",
		"::ffff:192.0.2.7":        "192.0.2.7/32",
		"::ffff:192.0.2.0/120":    "192.0.2.0/24",
		"0.0.0.0/0":               "0.0.0.0/0",
		"192.0.2.7/24":            "",
		"fe80::1%eth0":            "",
		"fe80::%eth0/64":          "",
		"192.0.2.0/33":            "",
		"192.0.2":                 "",
		"example.org":             "",
		"":                        "",
		"192.0.2.1-192.0.2.9":     "",
		"192.0.2.0/255.255.255.0": "",
	} {
		prefix, err := ParseAllowed(text)
		if want == "" {
			require.Error(t, err, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, prefix.String())
	}
}

// failingTyk refuses new secrets, after it has stored them or before.
type failingTyk struct {
	tyk
	stores bool
	err    error
}

func (e failingTyk) CreateKey(ctx context.Context, token string, s engine.Session) error {
	if e.stores {
		if err := e.tyk.CreateKey(ctx, token, s); err != nil {
			return err
		}
	}
	return e.err
}

// What Tyk did not take in time leaves no record, and no secret that works.
func TestAKeyThatCouldNotBeMadeLeavesNothing(t *testing.T) {
	for _, stores := range []bool{false, true} {
		w := newWorld(t)
		text, fingerprint := certificate(t, time.Hour)
		away := errors.New("Tyk is away")
		w.keeper.engine = failingTyk{tyk{w.store}, stores, away}
		_, secret, err := w.keeper.Create(t.Context(), New{Name: "x", Plan: "plan", WithSecret: true, Certificates: []string{text}})
		require.ErrorIs(t, err, away)
		require.ErrorContains(t, err, "no key was made")
		require.Empty(t, secret)
		all, err := w.keeper.List(t.Context())
		require.NoError(t, err)
		require.Empty(t, all)
		for _, name := range w.store.Keys() {
			require.False(t, strings.HasPrefix(name, "apikey-"), "no session is left")
		}
		_, err = w.node.Certificate(t.Context(), fingerprint, netip.Addr{})
		require.ErrorIs(t, err, facade.ErrUnknownKey)

		w.keeper.engine = tyk{w.store}
		_, _, err = w.keeper.Create(t.Context(), New{Name: "x", Plan: "plan", WithSecret: true, Certificates: []string{text}})
		require.NoError(t, err, "the certificate is free")
	}
}

// deafTyk answers nobody before they have given up.
type deafTyk struct {
	tyk
	giveUp func()
}

func (e deafTyk) CreateKey(ctx context.Context, _ string, _ engine.Session) error {
	e.giveUp()
	return errors.Join(ctx.Err(), errors.New("no answer"))
}

// The record is removed also when the administrator has given up meanwhile.
func TestWhoGivesUpLeavesNoRecord(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.keeper.engine = deafTyk{tyk{w.store}, cancel}
	_, _, err := w.keeper.Create(ctx, New{Name: "x", Plan: "plan", WithSecret: true})
	require.ErrorIs(t, err, context.Canceled)
	all, err := w.keeper.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, all)
}

func TestARecordThatCannotBeRemovedIsNamed(t *testing.T) {
	w := newWorld(t)
	w.keeper.engine = deafTyk{tyk{w.store}, func() { w.store.SetError("store is away") }}
	_, _, err := w.keeper.Create(t.Context(), New{Name: "x", Plan: "plan", WithSecret: true})
	require.ErrorContains(t, err, "key_")
	require.ErrorContains(t, err, "revoke it")
}

// A certificate and a subject belong to one active key at a time.
func TestCertificatesAndSubjectsAreUnique(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	text, fingerprint := certificate(t, time.Hour)
	for name, tc := range map[string]struct {
		wanted New
		find   func() (string, error)
	}{
		"certificate": {New{Name: "x", Plan: "plan", Kind: KindCertificate, Certificates: []string{text}}, func() (string, error) {
			c, err := w.node.Certificate(ctx, fingerprint, netip.Addr{})
			if err != nil {
				return "", err
			}
			return c.KeyID, nil
		}},
		"subject": {New{Name: "x", Plan: "plan", Kind: KindExternal, Issuer: "https://idp.example", Subject: "y"}, func() (string, error) {
			key, err := w.node.External(ctx, "https://idp.example", "y")
			if err != nil {
				return "", err
			}
			return key.ID, nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			first, secret, err := w.keeper.Create(ctx, tc.wanted)
			require.NoError(t, err)
			require.Empty(t, secret)
			found, err := tc.find()
			require.NoError(t, err)
			require.Equal(t, first.ID, found)

			_, _, err = w.keeper.Create(ctx, tc.wanted)
			refused(t, err, http.StatusConflict, "belongs to "+first.ID)
			all, err := w.keeper.List(ctx)
			require.NoError(t, err)
			active := slices.DeleteFunc(all, func(key *Key) bool { return key.Kind != tc.wanted.Kind })
			require.Len(t, active, 1, "the second left no record")
			found, err = tc.find()
			require.NoError(t, err)
			require.Equal(t, first.ID, found)

			_, err = w.keeper.Revoke(ctx, first.ID)
			require.NoError(t, err)
			w.now = w.now.Add(time.Second)
			_, err = tc.find()
			require.ErrorIs(t, err, facade.ErrUnknownKey)
			second, _, err := w.keeper.Create(ctx, tc.wanted)
			require.NoError(t, err, "a revoked key has nothing any more")
			found, err = tc.find()
			require.NoError(t, err)
			require.Equal(t, second.ID, found)
		})
	}
}
