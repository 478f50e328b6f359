// Package identitytest has what accounts speak to, for tests: a mail server and an
// identity provider.
package identitytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Message is a mail that arrived.
type Message struct {
	From, To string // of the envelope
	Header   mail.Header
	Subject  string
	Text     string
	Secure   bool   // whether it came after STARTTLS
	Login    string // "name password" of AUTH PLAIN; "" = none
}

var link = regexp.MustCompile(`https?://\S+`)

// Link returns the first link of the message.
func (m Message) Link() string { return link.FindString(m.Text) }

// SMTP is a mail server that delivers to the test.
type SMTP struct {
	Address string         // host:port
	Roots   *x509.CertPool // that its certificate is checked with

	messages chan Message
	offers   []string // extensions
	refuses  bool
	tls      *tls.Config
}

// NewSMTP starts a mail server. With "STARTTLS" among what it offers it has a
// certificate, with "AUTH PLAIN" it takes every login. A server that refuses
// knows none of its recipients, and repeats their addresses. The test does not end
// before clients have closed their connections.
func NewSMTP(t testing.TB, refuses bool, offers ...string) *SMTP {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &SMTP{Address: listener.Addr().String(), messages: make(chan Message, 100), offers: offers, refuses: refuses}
	s.tls, s.Roots = certificate(t)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		group.Wait()
	})
	return s
}

// Next waits for the next message.
func (s *SMTP) Next(t testing.TB) Message {
	t.Helper()
	select {
	case m := <-s.messages:
		return m
	case <-t.Context().Done():
		require.Fail(t, "no mail came")
		return Message{}
	}
}

// Waiting is how many messages have come that nobody has read.
func (s *SMTP) Waiting() int { return len(s.messages) }

// serve speaks the server's part of RFC 5321, as far as mail programs need it.
func (s *SMTP) serve(conn net.Conn) {
	defer conn.Close()
	text := textproto.NewConn(conn)
	say := func(lines ...string) { _ = text.PrintfLine("%s", strings.Join(lines, "\r\n")) }
	say("220 test ESMTP")
	var m Message
	for {
		line, err := text.ReadLine()
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "HELO":
			lines := []string{"250-test"}
			for _, offer := range s.offers {
				if offer != "STARTTLS" || !m.Secure {
					lines = append(lines, "250-"+offer)
				}
			}
			say(append(lines, "250 8BITMIME")...)
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, s.tls)
			text = textproto.NewConn(conn)
			m.Secure = true
		case "AUTH":
			_, encoded, _ := strings.Cut(rest, " ")
			plain, _ := base64.StdEncoding.DecodeString(encoded)
			m.Login = strings.TrimSpace(strings.ReplaceAll(string(plain), "\x00", " "))
			say("235 welcome")
		case "MAIL":
			m.From = between(rest)
			say("250 fine")
		case "RCPT":
			m.To = between(rest)
			if s.refuses {
				say("550 nobody is called " + m.To)
				continue
			}
			say("250 fine")
		case "DATA":
			say("354 go on")
			if m.read(text.DotReader()) != nil {
				return
			}
			s.messages <- m
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default: // NOOP, RSET
			say("250 fine")
		}
	}
}

func between(text string) string {
	_, text, _ = strings.Cut(text, "<")
	text, _, _ = strings.Cut(text, ">")
	return text
}

// read parses a message.
func (m *Message) read(r io.Reader) error {
	parsed, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	m.Header = parsed.Header
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject")); err != nil {
		return err
	}
	body := parsed.Body
	if strings.EqualFold(parsed.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	m.Text = strings.ReplaceAll(string(text), "\r\n", "\n")
	return err
}

// certificate returns one for 127.0.0.1.
func certificate(t testing.TB) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, roots
}
