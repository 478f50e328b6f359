package engine

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fhirgate/internal/strict"
)

// withTLS gives a host a certificate of its own.
func withTLS(t *testing.T) edit {
	t.Helper()
	certFile, keyFile := writeCertificate(t, t.TempDir(), "gateway.example")
	return withCertificate(certFile, keyFile)
}

func withCertificate(certFile, keyFile string) edit {
	return func(conf map[string]any) {
		options := conf["http_server_options"].(map[string]any)
		options["use_ssl"] = true
		conf["fhirgate"].(map[string]any)["public_url"] = "https://gateway.example"
		options["certificates"] = []any{map[string]any{"domain_name": "*", "cert_file": certFile, "key_file": keyFile}}
	}
}

func writeCertificate(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return writeCertificateOf(t, dir, name, key)
}

func writeCertificateOf(t *testing.T, dir, name string, key crypto.Signer) (certFile, keyFile string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return certFile, keyFile
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := writeCertificate(t, dir, "old.example")
	h := startHost(t, ChainPost, withCertificate(certFile, keyFile))
	dial := func(config *tls.Config) (tls.ConnectionState, error) {
		config.InsecureSkipVerify = true
		connection, err := tls.Dial("tcp", h.address, config)
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer connection.Close()
		return connection.ConnectionState(), nil
	}
	_, err := dial(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	require.Error(t, err)
	state, err := dial(&tls.Config{NextProtos: []string{"h2"}})
	require.NoError(t, err)
	assert.Equal(t, uint16(tls.VersionTLS13), state.Version)
	assert.Equal(t, "h2", state.NegotiatedProtocol)
	assert.Equal(t, "old.example", state.PeerCertificates[0].Subject.CommonName)

	writeCertificate(t, dir, "new.example")
	later := time.Now().Add(time.Minute)
	require.NoError(t, os.Chtimes(certFile, later, later))
	state, err = dial(&tls.Config{})
	require.NoError(t, err)
	assert.Equal(t, "new.example", state.PeerCertificates[0].Subject.CommonName, "a renewed certificate is used without a restart")

	require.NoError(t, os.WriteFile(certFile, []byte("half"), 0o600))
	state, err = dial(&tls.Config{})
	require.NoError(t, err)
	assert.Equal(t, "new.example", state.PeerCertificates[0].Subject.CommonName, "a broken one is not")
}

func TestABadCertificateRefusesStart(t *testing.T) {
	h := launchHost(t, ChainPost, "127.0.0.1:1", withCertificate("none.pem", "none.pem"))
	require.Error(t, h.command.Wait())
	assert.Contains(t, h.output.String(), "http_server_options.certificates.0.cert_file")
}

// mistakesOfTLS returns all that check would say of a tyk.conf that serves TLS.
func mistakesOfTLS(t *testing.T, options, certificates string) []string {
	t.Helper()
	var conf map[string]any
	require.NoError(t, json.Unmarshal([]byte(rootConf(t)), &conf))
	conf["fhirgate"].(map[string]any)["public_url"] = "https://gateway.example"
	server := conf["http_server_options"].(map[string]any)
	require.NoError(t, json.Unmarshal([]byte(`{"use_ssl": true, "certificates": [`+certificates+`]}`), &server))
	require.NoError(t, json.Unmarshal([]byte(`{`+options+`}`), &server))
	text, err := json.Marshal(conf)
	require.NoError(t, err)
	c, err := parseConfig("tyk.conf", text)
	require.NotNil(t, c)
	var problems strict.Problems
	errors.As(err, &problems)
	var told []string
	for _, p := range append(problems, c.CheckListener()...) {
		told = append(told, p.Text)
	}
	return told
}

// TestTLSThatServesNobodyIsAMistake: Go takes these settings, and each handshake
// fails, or the listener ends after it began.
func TestTLSThatServesNobodyIsAMistake(t *testing.T) {
	curve, curveKey := writeCertificate(t, t.TempDir(), "curve.example")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	prime, primeKey := writeCertificateOf(t, t.TempDir(), "rsa.example", key)
	const ciphers, both = "http_server_options.ssl_ciphers", "must be 771 (TLS 1.2) or 772 (TLS 1.3)"
	entry := func(cert, key string) string { return `{"cert_file": "` + cert + `", "key_file": "` + key + `"}` }
	for name, tc := range map[string]struct {
		options, certificates string
		want                  []string // each part of a mistake
	}{
		"as it is": {certificates: entry(curve, curveKey)},
		"ciphers":  {options: `"ssl_ciphers": ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]`, certificates: entry(curve, curveKey)},
		"none for HTTP/2": {
			options: `"ssl_ciphers": ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]`, certificates: entry(curve, curveKey),
			want: []string{ciphers + ": HTTP/2 over TLS 1.2 needs TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		},
		"none for HTTP/2, which is off":     {options: `"enable_http2": false, "ssl_ciphers": ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]`, certificates: entry(curve, curveKey)},
		"none for HTTP/2, without TLS 1.2":  {options: `"min_version": 772, "ssl_ciphers": ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]`, certificates: entry(curve, curveKey)},
		"a cipher that is unknown":          {options: `"ssl_ciphers": ["AES"]`, certificates: entry(curve, curveKey), want: []string{ciphers + `.0: "AES" is unknown or insecure`}},
		"a cipher of TLS 1.3":               {options: `"ssl_ciphers": ["TLS_AES_128_GCM_SHA256"]`, certificates: entry(curve, curveKey), want: []string{ciphers + ".0: TLS_AES_128_GCM_SHA256 is of TLS 1.3"}},
		"TLS 1.1":                           {options: `"min_version": 770`, certificates: entry(curve, curveKey), want: []string{"min_version: " + both}},
		"TLS 1.4":                           {options: `"min_version": 773`, certificates: entry(curve, curveKey), want: []string{"min_version: " + both}},
		"at most TLS 1.4":                   {options: `"max_version": 773`, certificates: entry(curve, curveKey), want: []string{"max_version: " + both}},
		"at most less":                      {options: `"min_version": 772, "max_version": 771`, certificates: entry(curve, curveKey), want: []string{"max_version: must not be below min_version"}},
		"a curve, and ciphers for RSA":      {options: `"max_version": 771, "ssl_ciphers": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]`, certificates: entry(curve, curveKey), want: []string{ciphers + ": none fits a certificate"}},
		"RSA, and ciphers for a curve":      {options: `"max_version": 771, "ssl_ciphers": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]`, certificates: entry(prime, primeKey), want: []string{ciphers + ": none fits a certificate"}},
		"RSA and a curve":                   {options: `"max_version": 771, "ssl_ciphers": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]`, certificates: entry(prime, primeKey) + "," + entry(curve, curveKey)},
		"a certificate that is not there":   {certificates: entry(curve, curveKey) + `, {"key_file": "` + primeKey + `", "cert_file": "/none.pem"}`, want: []string{"http_server_options.certificates.1.cert_file: open /none.pem: no such file or directory"}},
		"a key that is not named":           {certificates: `{"cert_file": "` + curve + `"}`, want: []string{"http_server_options.certificates.0.key_file: is missing"}},
		"a key of another certificate":      {certificates: entry(curve, primeKey), want: []string{"http_server_options.certificates.0.cert_file: " + curve + " with the key " + primeKey + ": private key type does not match public key type"}},
		"a certificate that is not PEM":     {certificates: entry("../../tyk.conf", curveKey), want: []string{"/tyk.conf with the key " + curveKey + ": failed to find any PEM data in certificate input"}},
		"a certificate that is only a name": {options: `"max_version": 771`, certificates: `"` + curve + `"`, want: []string{"http_server_options.certificates: must be an object, not string"}},
		"no certificate":                    {options: `"max_version": 771, "ssl_ciphers": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]`, want: []string{"http_server_options.certificates: must name at least one"}},
		"an object for a list of ciphers":   {options: `"ssl_ciphers": {}`, certificates: entry(curve, curveKey), want: []string{"http_server_options.ssl_ciphers: must be a list of strings, not object"}},
	} {
		t.Run(name, func(t *testing.T) {
			told := mistakesOfTLS(t, tc.options, tc.certificates)
			require.Len(t, told, len(tc.want), told)
			for i, want := range tc.want {
				require.Contains(t, told[i], want)
				require.NotContains(t, told[i], "config.")
			}
		})
	}
}

func TestCallersUseTheSchemeOfThePublicPort(t *testing.T) {
	for address, want := range map[string]string{"https://gateway.example": "", "http://gateway.example": "fhirgate.public_url: must be https://"} {
		conf := strings.NewReplacer(`"use_ssl": false`, `"use_ssl": true`, `"certificates": []`, `"certificates": [{}]`, "http://localhost:8080", address).Replace(rootConf(t))
		_, err := parseConfig("tyk.conf", []byte(conf))
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "tyk.conf:36:19: "+want)
	}
	_, err := parseConfig("tyk.conf", []byte(strings.Replace(rootConf(t), "http://localhost:8080", "https://gateway.example", 1)))
	require.NoError(t, err, "a proxy in front may end TLS")
}
