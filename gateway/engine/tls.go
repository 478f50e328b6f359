package engine

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"fhirgate/internal/strict"
)

// askForCertificates makes callers that have a certificate of one of the CAs in
// file show it. One of another CA, or that has expired, ends the handshake.
func askForCertificates(config *tls.Config, file string) error {
	authorities, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(authorities) {
		return fmt.Errorf("%s holds no certificate (PEM)", file)
	}
	config.ClientAuth = tls.VerifyClientCertIfGiven
	return nil
}

// tlsConfig returns how the public address speaks TLS. It works if no problem
// comes with it.
func (c *Config) tlsConfig() (*tls.Config, strict.Problems) {
	options := c.tyk.HttpServerOptions
	var pairs []*keyPair
	var problems strict.Problems
	for i, files := range options.Certificates {
		entry := "http_server_options.certificates." + strconv.Itoa(i) + "."
		CheckKeyPair(files.CertFile, files.KeyFile, func(key, text string) {
			problems = append(problems, c.tykProblem(entry+key, "%s", text))
		})
		pairs = append(pairs, &keyPair{certFile: files.CertFile, keyFile: files.KeyFile})
	}
	suites, found := c.cipherSuites()
	if problems = append(problems, found...); len(problems) == 0 {
		problems = c.checkSuites(suites, pairs)
	}
	return &tls.Config{
		MinVersion: options.MinVersion, MaxVersion: options.MaxVersion, CipherSuites: suites,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			for _, pair := range pairs {
				if certificate, err := pair.load(); err == nil && hello.SupportsCertificate(certificate) == nil {
					return certificate, nil
				}
			}
			return pairs[0].load()
		},
	}, problems
}

const ciphersSetting = "http_server_options.ssl_ciphers"

// cipherSuites returns the suites of TLS 1.2 that may be used, nil for those of Go.
func (c *Config) cipherSuites() (suites []uint16, problems strict.Problems) {
	for i, name := range c.tyk.HttpServerOptions.Ciphers {
		text := ""
		known := slices.IndexFunc(tls.CipherSuites(), func(s *tls.CipherSuite) bool { return s.Name == name })
		switch {
		case known < 0:
			text = fmt.Sprintf("%q is unknown or insecure", name)
		case !slices.Contains(tls.CipherSuites()[known].SupportedVersions, tls.VersionTLS12):
			text = name + " is of TLS 1.3, where all suites are good and none is chosen: leave it out"
		default:
			suites = append(suites, tls.CipherSuites()[known].ID)
			continue
		}
		problems = append(problems, c.tykProblem(ciphersSetting+"."+strconv.Itoa(i), "%s", text))
	}
	return suites, problems
}

// checkSuites returns why suites would leave callers out: Go takes any, and then
// ends the listener, or each handshake.
func (c *Config) checkSuites(suites []uint16, pairs []*keyPair) (problems strict.Problems) {
	options := c.tyk.HttpServerOptions
	if len(suites) == 0 || options.MinVersion > tls12 {
		return nil
	}
	// net/http wants one of the two for HTTP/2 (RFC 9113, 9.2.2).
	if options.EnableHttp2 && !slices.Contains(suites, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256) && !slices.Contains(suites, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256) {
		problems = append(problems, c.tykProblem(ciphersSetting, "HTTP/2 over TLS 1.2 needs TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: add the one that fits the certificate, or set enable_http2 to false"))
	}
	if options.MaxVersion == tls12 && len(pairs) > 0 && !slices.ContainsFunc(pairs, func(p *keyPair) bool { return p.fits(suites) }) {
		problems = append(problems, c.tykProblem(ciphersSetting, "none fits a certificate: RSA keys need TLS_ECDHE_RSA_…, others TLS_ECDHE_ECDSA_…"))
	}
	return problems
}

// fits reports whether TLS 1.2 can use the certificate with one of the suites.
func (p *keyPair) fits(suites []uint16) bool {
	certificate, err := p.load()
	if err != nil {
		return false
	}
	_, isRSA := certificate.Leaf.PublicKey.(*rsa.PublicKey)
	return slices.ContainsFunc(suites, func(id uint16) bool {
		return strings.HasPrefix(tls.CipherSuiteName(id), "TLS_ECDHE_RSA_") == isRSA
	})
}
