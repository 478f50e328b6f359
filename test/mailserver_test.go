package test

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Who the portal is at the mail server.
const (
	mailUser     = "portal"
	mailPassword = "what the portal tells the mail server"
	mailSender   = "portal@gate.example"
)

// letter is a mail as a parser that we did not write reads it.
type letter struct {
	Secure      bool   // whether it came after STARTTLS
	User        string // who logged in to send it
	Sender      string // of the envelope
	Recipients  []string
	From, To    string // of the headers
	Subject     string
	Text        string
	HTML        bool
	Attachments int
	Headers     map[string][]string // by their names in lower case
}

var (
	anyLink  = regexp.MustCompile(`https?://\S+`)
	anyToken = regexp.MustCompile(`[\w-]{30,}`)
)

// link returns the only link of a mail.
func (l letter) link(t *testing.T) string {
	t.Helper()
	links := anyLink.FindAllString(l.Text, -1)
	require.Len(t, links, 1, l.Text)
	return links[0]
}

// all returns everything that is in a mail.
func (l letter) all() string {
	return fmt.Sprint(l.From, l.Subject, "\n", l.Text, "\n", l.Headers)
}

// words returns what a mail says, whatever its link and when that is over.
func (l letter) words() string {
	text := anyLink.ReplaceAllString(l.Text, "LINK")
	return l.Subject + "\n" + regexp.MustCompile(`Until .* UTC`).ReplaceAllString(text, "Until THEN")
}

// mailServer is a mail server that we did not write, in a process of its own.
type mailServer struct {
	t       *testing.T
	method  string // of the login
	ca      *authority
	dir     string
	port    string // stays the same when it is started again
	process *exec.Cmd
	letters chan letter // of the process that runs; closed at its end
	taken   []letter    // by next
}

// startMailServer starts a mail server with a certificate of a CA of its own, which
// has people log in by PLAIN or LOGIN.
func startMailServer(t *testing.T, method string) *mailServer {
	t.Helper()
	installClients(t)
	s := &mailServer{t: t, method: method, ca: newAuthority(t), dir: t.TempDir(), port: "0"}
	s.run(s.ca, mailPassword)
	return s
}

// address is where the portal finds it.
func (s *mailServer) address() string { return net.JoinHostPort("localhost", s.port) }

// roots is a file with the certificate of its CA.
func (s *mailServer) roots() string {
	s.t.Helper()
	return s.write("ca.pem", pemOf("CERTIFICATE", s.ca.certificate.Raw))
}

func (s *mailServer) write(name, content string) (path string) {
	s.t.Helper()
	path = filepath.Join(s.dir, name)
	require.NoError(s.t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// run starts the server, at first or again, with a certificate of a CA, for those who
// know a password.
func (s *mailServer) run(ca *authority, password string) {
	s.t.Helper()
	certificate := ca.issue(s.t, "localhost", time.Hour)
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	require.NoError(s.t, err)
	s.process = exec.Command("node", "mail-server.mjs", s.port, s.write("key.pem", pemOf("PRIVATE KEY", key)),
		s.write("cert.pem", pemOf("CERTIFICATE", certificate.Certificate[0])), s.method, mailUser, password)
	s.process.Dir, s.process.Stderr = clients(), os.Stderr
	printed, err := s.process.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, s.process.Start())
	s.t.Cleanup(func() { _ = s.process.Process.Kill() }) // when it has not ended
	lines := bufio.NewReader(printed)
	port, err := lines.ReadString('\n')
	require.NoError(s.t, err)
	s.port = strings.TrimSpace(port)
	s.letters = make(chan letter, 100)
	go func(letters chan<- letter) {
		defer close(letters)
		for decoder := json.NewDecoder(lines); ; {
			var l letter
			if decoder.Decode(&l) != nil {
				return
			}
			letters <- l
		}
	}(s.letters)
}

// end ends the server. No mail must have come but those that were taken.
func (s *mailServer) end() {
	s.t.Helper()
	require.NoError(s.t, s.process.Process.Signal(syscall.SIGTERM))
	for l := range s.letters {
		require.Fail(s.t, "a mail that nobody expects", "%+v", l)
	}
	require.NoError(s.t, s.process.Wait())
}

// next waits for the next mail, which must be to one of these addresses and be sent as
// mails are to be.
func (s *mailServer) next(to ...string) letter {
	s.t.Helper()
	var l letter
	select {
	case l = <-s.letters:
	case <-time.After(30 * time.Second):
		require.FailNow(s.t, "no mail has come", "to %v", to)
	}
	s.taken = append(s.taken, l)
	require.True(s.t, l.Secure)
	require.Equal(s.t, mailUser, l.User)
	require.Equal(s.t, mailSender, l.Sender)
	require.Contains(s.t, to, l.To)
	require.Equal(s.t, []string{l.To}, l.Recipients)
	require.Contains(s.t, l.From, mailSender)
	require.NotEmpty(s.t, l.Subject)
	require.False(s.t, l.HTML)
	require.Zero(s.t, l.Attachments)
	for name, values := range l.Headers {
		require.Len(s.t, values, 1, name)
	}
	header := func(name string) string {
		require.Contains(s.t, l.Headers, name)
		return l.Headers[name][0]
	}
	_, err := mail.ParseDate(header("date"))
	require.NoError(s.t, err)
	require.Regexp(s.t, `^<[^<>@\s]+@[^<>@\s]+>$`, header("message-id"))
	require.Equal(s.t, "auto-generated", header("auto-submitted"))
	require.Regexp(s.t, `(?i)^text/plain; charset="?utf-8"?$`, header("content-type"))
	require.Equal(s.t, "1.0", header("mime-version"))
	return l
}
