package identity

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"
)

// mailTimeout bounds the sending of one message.
const mailTimeout = 30 * time.Second

// MailOptions say by which server mail is sent.
type MailOptions struct {
	Address  string // host:port
	From     string // e-mail address of the sender
	Username string // "" = the server asks for none
	Password string
	Plain    bool           // no STARTTLS: for relays on this machine. Without it STARTTLS is required.
	Roots    *x509.CertPool // nil = those of the system
}

// Mailer sends mail.
type Mailer struct {
	host    string
	from    string
	options []mail.Option
}

// NewMailer returns a mailer. It connects when there is something to send.
func NewMailer(o MailOptions) (*Mailer, error) {
	host, portText, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, fmt.Errorf("mail: the server must be host:port: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, errors.New("mail: the port of the server is no number")
	}
	policy, auth := mail.TLSMandatory, mail.SMTPAuthAutoDiscover
	if o.Plain {
		policy, auth = mail.NoTLS, mail.SMTPAuthPlainNoEnc
	}
	m := &Mailer{host: host, from: o.From, options: []mail.Option{
		mail.WithPort(port), mail.WithTimeout(mailTimeout), mail.WithTLSPolicy(policy),
		mail.WithTLSConfig(&tls.Config{ServerName: host, RootCAs: o.Roots, MinVersion: tls.VersionTLS12}),
	}}
	if o.Username != "" {
		m.options = append(m.options, mail.WithSMTPAuth(auth), mail.WithUsername(o.Username), mail.WithPassword(o.Password))
	}
	if _, err := mail.NewClient(host, m.options...); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	if _, err := m.message(o.From, "", ""); err != nil {
		return nil, errors.New("mail: the sender is no e-mail address")
	}
	return m, nil
}

// Send sends a plain text to an address. Its errors name no address.
func (m *Mailer) Send(ctx context.Context, to, subject, text string) error {
	message, err := m.message(to, subject, text)
	if err != nil {
		return errors.New("mail: the recipient is no e-mail address")
	}
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	client, err := mail.NewClient(m.host, append(slices.Clone(m.options), mail.WithDialContextFunc(dialUntil(ctx)))...)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	return withoutAddress(client.DialAndSendWithContext(ctx, message))
}

// dialUntil returns how to connect so that the connection ends with a context: the
// client leaves it open when STARTTLS or the login fails.
func dialUntil(end context.Context) mail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			context.AfterFunc(end, func() { _ = conn.Close() })
		}
		return conn, err
	}
}

func (m *Mailer) message(to, subject, text string) (*mail.Msg, error) {
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	message.SetDate()
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no answers by machines
	message.Subject(subject)
	message.SetBodyString(mail.TypeTextPlain, text)
	if err := errors.Join(message.From(m.from), message.To(to)); err != nil {
		return nil, err
	}
	_, domain := split(message.GetFrom()[0].Address)
	message.SetMessageIDWithValue(rand.Text() + "@" + domain) // the library would tell the name of this machine
	return message, nil
}

// withoutAddress returns an error that says what failed but not for whom: the
// words of servers tend to repeat the recipient.
func withoutAddress(err error) error {
	var refused *mail.SendError
	var network net.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return fmt.Errorf("mail: %s (SMTP status %d)", refused.Reason, refused.ErrorCode())
	case errors.As(err, &network) && network.Timeout():
		return errors.New("mail: the server did not answer in time")
	default:
		return errors.New("mail: no session with the server: it is not reached, offers no STARTTLS, has a wrong certificate or refuses the login")
	}
}
