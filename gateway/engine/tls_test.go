package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
		options["certificates"] = []any{map[string]any{"domain_name": "*", "cert_file": certFile, "key_file": keyFile}}
	}
}

func writeCertificate(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
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
	assert.Contains(t, h.output.String(), "http_server_options.certificates")
}
