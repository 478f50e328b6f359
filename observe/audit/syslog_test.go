package audit

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
)

// authority issues certificates for 127.0.0.1.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // PEM
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	a := &authority{key: key, file: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// issue returns the files of a certificate and its key.
func (a *authority) issue(t *testing.T) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames: []string{"syslog.test"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, secret.Public(), a.key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(secret)
	require.NoError(t, err)
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	writePEM(t, cert, "CERTIFICATE", der)
	writePEM(t, key, "PRIVATE KEY", pkcs8)
	return cert, key
}

// syslogServer takes messages with octet counting over TLS.
type syslogServer struct {
	t        *testing.T
	address  string
	settings *tls.Config
	mu       sync.Mutex
	messages []string
	conns    []net.Conn
	listener net.Listener
	serving  sync.WaitGroup
}

func newSyslogServer(t *testing.T, a *authority) *syslogServer {
	cert, key := a.issue(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	s := &syslogServer{t: t, address: "127.0.0.1:0", settings: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *syslogServer) start() {
	listener, err := net.Listen("tcp", s.address)
	require.NoError(s.t, err)
	s.address, s.listener = listener.Addr().String(), listener
	s.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.mu.Unlock()
			s.serving.Go(func() { s.serve(conn) })
		}
	})
}

// stop ends the server and its connections without a word.
func (s *syslogServer) stop() {
	s.listener.Close()
	s.mu.Lock()
	for _, conn := range s.conns {
		conn.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.serving.Wait()
}

func (s *syslogServer) serve(raw net.Conn) {
	conn := tls.Server(raw, s.settings)
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		var size int
		if _, err := fmt.Fscanf(in, "%d ", &size); err != nil {
			return
		}
		message := make([]byte, size)
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		s.mu.Lock()
		s.messages = append(s.messages, string(message))
		s.mu.Unlock()
	}
}

func (s *syslogServer) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.messages...)
}

var message = regexp.MustCompile(`^<110>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S+) fhirgate (\d+) audit - \x{feff}(\{.*\})$`)

// chain decodes messages, drops those that came twice, and checks the links.
func (s *syslogServer) chain(ring *keyring) []*Record {
	var all []*Record
	hash := ""
	for _, text := range s.received() {
		parts := message.FindStringSubmatch(text)
		require.NotNil(s.t, parts, text)
		r, err := decodeRecord([]byte(parts[4]))
		require.NoError(s.t, err)
		if r.Sequence <= uint64(len(all)) {
			require.Equal(s.t, all[r.Sequence-1], r)
			continue
		}
		require.Equal(s.t, uint64(len(all)+1), r.Sequence)
		require.Equal(s.t, hash, r.Previous)
		hash = ring.byID[r.Key].link([]byte(parts[4]))
		all = append(all, r)
	}
	return all
}

func (s *syslogServer) options(t *testing.T, a *authority, whenDown string) Options {
	return Options{
		Config: completed(t, func(c *Config) {
			c.Sink, c.WhenDown = SinkSyslog, whenDown
			c.Syslog = Syslog{Address: s.address, CAFile: a.file}
		}),
		Keys: envelope.NewSet(), retry: time.Millisecond,
	}
}

func TestSyslog(t *testing.T) {
	a := newAuthority(t)
	s := newSyslogServer(t, a)
	o := s.options(t, a, Refuse)
	for range 2 { // the second goes on where the first ended
		trail := opened(t, o)
		require.NoError(t, trail.Ready())
		for range 10 {
			trail.Record(read("123"))
		}
		closed(t, trail)
		require.Equal(t, Stats{Written: 10}, trail.Stats())
	}
	ring, err := newKeyring(o.Keys)
	require.NoError(t, err)
	eventually(t, "all arrives", func() bool { return len(s.received()) >= 20 })
	require.Len(t, s.chain(ring), 20)
	require.NotContains(t, strings.Join(s.received(), ""), "Patient/123")
}

func TestSyslogServerStopsAndStarts(t *testing.T) {
	a := newAuthority(t)
	s := newSyslogServer(t, a)
	o := s.options(t, a, Refuse)
	trail := opened(t, o)
	trail.Record(read("1"))
	eventually(t, "the first arrives", func() bool { return len(s.received()) == 1 })
	for range 3 {
		s.stop()
		eventually(t, "calls are refused", func() bool { return errors.Is(trail.Ready(), ErrDown) })
		for range 5 {
			trail.Record(read("2")) // calls that were under way
		}
		s.start()
		eventually(t, "the server is noticed", func() bool { return trail.Ready() == nil })
	}
	closed(t, trail)
	ring, err := newKeyring(o.Keys)
	require.NoError(t, err)
	require.Len(t, s.chain(ring), 16)
	require.Zero(t, trail.Stats().Lost)
}

func TestSyslogIsNotThereAtStart(t *testing.T) {
	a := newAuthority(t)
	s := newSyslogServer(t, a)
	s.stop()
	o := s.options(t, a, Refuse)
	trail := opened(t, o)
	require.ErrorIs(t, trail.Ready(), ErrDown)
	s.start()
	eventually(t, "the server is noticed", func() bool { return trail.Ready() == nil })
	trail.Record(read("1"))
	closed(t, trail)
	require.Len(t, s.received(), 1)
}

func TestSyslogCertificates(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	s := newSyslogServer(t, a)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	s.settings.ClientCAs, s.settings.ClientAuth = pool, tls.RequireAndVerifyClientCert
	cert, key := a.issue(t)
	foreignCert, foreignKey := other.issue(t)
	for _, tc := range []struct {
		name   string
		change func(*Syslog)
		ok     bool
	}{
		{"both known", func(c *Syslog) { c.CertFile, c.KeyFile = cert, key }, true},
		{"by its name", func(c *Syslog) { c.CertFile, c.KeyFile, c.ServerName = cert, key, "syslog.test" }, true},
		{"another name", func(c *Syslog) { c.CertFile, c.KeyFile, c.ServerName = cert, key, "other.test" }, false},
		{"another authority", func(c *Syslog) { c.CertFile, c.KeyFile, c.CAFile = cert, key, other.file }, false},
		{"the system's authorities", func(c *Syslog) { c.CertFile, c.KeyFile, c.CAFile = cert, key, "" }, false},
		{"no certificate of ours", func(*Syslog) {}, false},
		{"an unknown certificate of ours", func(c *Syslog) { c.CertFile, c.KeyFile = foreignCert, foreignKey }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := s.options(t, a, Refuse)
			tc.change(&o.Config.Syslog)
			before := len(s.received())
			trail := opened(t, o)
			trail.Record(read("1"))
			if tc.ok {
				closed(t, trail)
				require.Len(t, s.received(), before+1)
				return
			}
			eventually(t, "calls are refused", func() bool { return trail.Ready() != nil })
			trail.stop()
			require.ErrorIs(t, trail.Close(t.Context()), ErrDown)
			require.Len(t, s.received(), before)
		})
	}
}

func TestSyslogFilesThatAreWrong(t *testing.T) {
	cert, key := newAuthority(t).issue(t)
	for _, c := range []Syslog{{CAFile: "nowhere"}, {CAFile: key}, {CertFile: cert, KeyFile: cert}, {CertFile: "nowhere", KeyFile: key}} {
		_, err := newSyslogSink(c, "n")
		require.Error(t, err)
	}
}
