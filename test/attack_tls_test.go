package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/sandbox/demo"
)

// tlsGateway is a gateway that does TLS and asks for client certificates. Its
// hospital badge wants a key and a certificate of the same consumer.
type tlsGateway struct {
	*gateway
	client  oauthClient
	ca      *authority
	roots   *x509.CertPool
	good    tls.Certificate // of alice
	other   tls.Certificate // of the CA, registered with nobody
	bob     tls.Certificate // of bob
	foreign tls.Certificate // of another CA, with alice's name
	expired tls.Certificate
	alone   tls.Certificate // of a consumer that has nothing else
	alice   string          // the key of alice
	bobKey  string
}

// authority is a CA.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	key := newEC(elliptic.P256())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA of the tests"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{certificate, key}
}

// issue makes a certificate that is good for a while, negative for one that is
// not any more.
func (a *authority) issue(t *testing.T, name string, life time.Duration) tls.Certificate {
	key := newEC(elliptic.P256())
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(life),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func startTLSGateway(t *testing.T, hospitals *demo.Hospitals) *tlsGateway {
	t.Helper()
	ca := newAuthority(t)
	server := ca.issue(t, "localhost", time.Hour)
	g := &tlsGateway{
		ca: ca, roots: x509.NewCertPool(), good: ca.issue(t, "alice", time.Hour), other: ca.issue(t, "alice", time.Hour), bob: ca.issue(t, "bob", time.Hour),
		foreign: newAuthority(t).issue(t, "alice", time.Hour), expired: ca.issue(t, "alice", -time.Hour), alone: ca.issue(t, "alone", time.Hour),
	}
	g.roots.AddCert(ca.certificate)
	g.gateway = prepare(t, options{hospitals: hospitals, grumbles: true})
	harbor := g.read("routes/harbor.yaml")
	g.write("routes/badge.yaml", strings.Replace(harbor, "id: harbor\n", "id: badge\n", 1)+"accept: [api-key+certificate]\n")
	g.url = strings.Replace(strings.Replace(g.url, "http://", "https://", 1), "127.0.0.1", "localhost", 1)
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	require.NoError(t, err)
	var conf map[string]any
	require.NoError(t, json.Unmarshal([]byte(g.read("tyk.conf")), &conf))
	settings, listening := conf["fhirgate"].(map[string]any), conf["http_server_options"].(map[string]any)
	settings["public_url"] = g.url
	settings["client_ca_file"] = writeFile(t, "ca.pem", pemOf("CERTIFICATE", ca.certificate.Raw))
	listening["use_ssl"] = true
	listening["certificates"] = []map[string]string{{
		"domain_name": "*", "cert_file": writeFile(t, "server.pem", pemOf("CERTIFICATE", server.Certificate[0])), "key_file": writeFile(t, "server.key", pemOf("PRIVATE KEY", key)),
	}}
	require.NoError(t, os.WriteFile(g.conf, []byte(encode(t, conf)), 0o600))

	g.process = serve(t, g.conf)
	t.Cleanup(g.stopCleanly)
	require.Eventually(t, func() bool {
		answer, err := g.http("127.0.0.1", nil).Get(g.url + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, 30*time.Second, 20*time.Millisecond, "the gateway with TLS is ready")
	certificate := func(c tls.Certificate) []string {
		return []string{"--certificate", writeFile(t, "client.pem", pemOf("CERTIFICATE", c.Certificate[0]))}
	}
	g.alice = g.newClient(t, "e2e", certificate(g.good)...).key
	g.bobKey = g.newClient(t, "e2e", certificate(g.bob)...).key
	g.mustCLI(t, append([]string{"keys", "create", "--json", "--name", "alone", "--plan", "e2e", "--kind", "certificate"}, certificate(g.alone)...)...)
	g.client = newTLSClient(t, g)
	return g
}

func newTLSClient(t *testing.T, g *tlsGateway) oauthClient {
	return newOAuthClient(t, g.gateway, "e2e", nil)
}

// http returns a client that shows a certificate, or none.
func (g *tlsGateway) http(from string, certificate *tls.Certificate) *http.Client {
	client := clientFrom(from)
	config := &tls.Config{RootCAs: g.roots, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	client.Transport.(*http.Transport).TLSClientConfig = config
	return client
}

// caller returns a caller with a certificate and a key, either of which may be
// missing.
func (g *tlsGateway) caller(f *fight, certificate *tls.Certificate, secret string) caller {
	return caller{f: f, node: g.gateway, secret: secret, from: f.from, http: g.http(f.from, certificate)}
}
