package audit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 10 * time.Second
	closeTimeout = 5 * time.Second
)

// syslogSink sends records to a syslog server over TLS (RFC 5425). Syslog has no
// acknowledgement. What is known is whether the connection lives, and whether
// the server's kernel has all bytes; what was written in the last two intervals
// before a connection broke is therefore sent again.
type syslogSink struct {
	address string
	dialer  tls.Dialer
	frames  framer

	conn    *tls.Conn
	gone    atomic.Pointer[error] // why the server's side of conn ended, if it did
	ended   chan struct{}         // closed when it did
	earlier int                   // items that were written before the last sync
	later   int                   // items written since
}

func newSyslogSink(c Syslog, node string) (*syslogSink, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, err
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: holds no certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile); err != nil {
			return nil, err
		}
		// Read at each connection, so that a renewed certificate is used.
		settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
			return &pair, err
		}
	}
	return &syslogSink{
		address: c.Address,
		dialer:  tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: settings},
		frames:  newFramer(node),
	}, nil
}

func (s *syslogSink) reopen(ctx context.Context) error {
	s.hangUp()
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := s.dialer.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	s.conn = conn.(*tls.Conn)
	s.earlier, s.later = 0, 0
	s.gone.Store(nil)
	s.ended = make(chan struct{})
	go s.watch(s.conn, s.ended)
	return nil
}

// watch reads what a syslog server never sends, to learn that it went away.
func (s *syslogSink) watch(conn *tls.Conn, ended chan<- struct{}) {
	defer close(ended)
	_, err := io.Copy(io.Discard, conn)
	if err == nil {
		err = io.EOF
	}
	s.gone.Store(&err)
}

// alive tells why the connection is no longer there.
func (s *syslogSink) alive() error {
	if err := s.gone.Load(); err != nil {
		return fmt.Errorf("the syslog server ended the connection: %w", *err)
	}
	return nil
}

func (s *syslogSink) write(items []item) error {
	if err := s.alive(); err != nil {
		return err
	}
	var batch []byte
	for _, one := range items {
		batch = s.frames.append(batch, one)
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := s.conn.Write(batch); err != nil {
		return err
	}
	s.later += len(items)
	return nil
}

func (s *syslogSink) sync() (int, error) {
	if s.conn == nil {
		return 0, nil
	}
	if err := s.alive(); err != nil {
		return 0, err
	}
	left, err := unacknowledged(s.conn)
	if err != nil || left > 0 {
		return 0, err
	}
	n := s.earlier
	s.earlier, s.later = s.later, 0
	return n, nil
}

// unacknowledged returns how many bytes the server's kernel has not confirmed.
func unacknowledged(conn *tls.Conn) (int, error) {
	tcp, ok := conn.NetConn().(*net.TCPConn)
	if !ok {
		return 0, nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	left := 0
	var asked error
	if err := raw.Control(func(fd uintptr) { left, asked = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); err != nil {
		return 0, err
	}
	return left, asked
}

// close says that nothing more comes and waits for the server to close its
// side, which it does when it has read everything.
func (s *syslogSink) close(ctx context.Context) error {
	if s.conn == nil {
		return nil
	}
	defer s.hangUp()
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	if err := errors.Join(s.conn.SetWriteDeadline(time.Now().Add(closeTimeout)), s.conn.CloseWrite()); err != nil {
		return err
	}
	select {
	case <-s.ended:
		if err := *s.gone.Load(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		return nil
	case <-ctx.Done():
		return nil // it keeps the connection: its kernel has confirmed all bytes
	}
}

func (s *syslogSink) hangUp() {
	if s.conn != nil {
		_ = s.conn.Close()
		<-s.ended
		s.conn = nil
	}
}

// framer makes RFC 5424 messages with octet counting (RFC 5425 section 4.3).
type framer struct{ rest string }

// priority is that of the facility "log audit" (13) and the severity
// "informational" (6).
const priority = 13*8 + 6

func newFramer(node string) framer {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = node
	}
	return framer{rest: " " + host[:min(len(host), 255)] + " fhirgate " + strconv.Itoa(os.Getpid()) + " audit - "}
}

// append adds the message of a record: its AuditEvent, with a byte order mark
// that says UTF-8 (RFC 5424 section 6.4).
func (f framer) append(to []byte, one item) []byte {
	message := make([]byte, 0, len(one.plain)+128)
	message = append(message, '<')
	message = strconv.AppendInt(message, priority, 10)
	message = append(message, ">1 "...)
	message = append(message, formatTime(one.written)...)
	message = append(message, f.rest...)
	message = append(message, "\ufeff"...)
	message = append(message, one.plain...)
	to = strconv.AppendInt(to, int64(len(message)), 10)
	to = append(to, ' ')
	return append(to, message...)
}
