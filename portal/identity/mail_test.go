package identity

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/identity/identitytest"
)

func TestMail(t *testing.T) {
	for name, test := range map[string]struct {
		offers []string
		change func(*MailOptions)
		secure bool
		login  string
	}{
		"STARTTLS":            {[]string{"STARTTLS"}, func(*MailOptions) {}, true, ""},
		"STARTTLS and login":  {[]string{"STARTTLS", "AUTH PLAIN"}, func(o *MailOptions) { o.Username, o.Password = "portal", "secret" }, true, "portal secret"},
		"plain":               {nil, func(o *MailOptions) { o.Plain = true }, false, ""},
		"plain and a login":   {[]string{"AUTH PLAIN"}, func(o *MailOptions) { o.Plain, o.Username, o.Password = true, "portal", "secret" }, false, "portal secret"},
		"a sender with names": {[]string{"STARTTLS"}, func(o *MailOptions) { o.From = "Portal <portal@gate.example>" }, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := identitytest.NewSMTP(t, false, test.offers...)
			o := MailOptions{Address: server.Address, From: "portal@gate.example", Roots: server.Roots}
			test.change(&o)
			m, err := NewMailer(o)
			require.NoError(t, err)
			require.NoError(t, m.Send(t.Context(), ann, "Schöne Grüße", "Zeile 1\n.\nhttps://portal.example/reset-password?token=AbC-_123=\n"))
			got := server.Next(t)
			require.Equal(t, "portal@gate.example", got.From)
			require.Equal(t, ann, got.To)
			require.Equal(t, "Schöne Grüße", got.Subject)
			require.Contains(t, got.Text, "Zeile 1\n.\n")
			require.Equal(t, "https://portal.example/reset-password?token=AbC-_123=", got.Link())
			require.Equal(t, test.secure, got.Secure)
			require.Equal(t, test.login, got.Login)
			require.NotEmpty(t, got.Header.Get("Message-Id"))
			require.NotEmpty(t, got.Header.Get("Date"))
		})
	}
}

func TestMailThatCannotBeSent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := listener.Addr().String()
	require.NoError(t, listener.Close())
	for name, test := range map[string]struct {
		server *identitytest.SMTP
		change func(*MailOptions)
		want   string
	}{
		"no STARTTLS":             {identitytest.NewSMTP(t, false), func(*MailOptions) {}, "offers no STARTTLS"},
		"a certificate of others": {identitytest.NewSMTP(t, false, "STARTTLS"), func(o *MailOptions) { o.Roots = nil }, "wrong certificate"},
		"no login":                {identitytest.NewSMTP(t, false, "STARTTLS"), func(o *MailOptions) { o.Username, o.Password = "portal", "secret" }, "refuses the login"},
		"an unknown recipient":    {identitytest.NewSMTP(t, true, "STARTTLS"), func(*MailOptions) {}, "RCPT TO"},
		"nobody there":            {identitytest.NewSMTP(t, false), func(o *MailOptions) { o.Address = nobody }, "not reached"},
	} {
		t.Run(name, func(t *testing.T) {
			o := MailOptions{Address: test.server.Address, From: "portal@gate.example", Roots: test.server.Roots}
			test.change(&o)
			m, err := NewMailer(o)
			require.NoError(t, err)
			err = m.Send(t.Context(), ann, "A subject", "token=abc")
			require.ErrorContains(t, err, test.want)
			for _, private := range []string{"ann", "pacs.example", "abc", "secret"} {
				require.NotContains(t, err.Error(), private)
			}
			require.Zero(t, test.server.Waiting())
		})
	}
}

func TestRecipientsThatAreNone(t *testing.T) {
	server := identitytest.NewSMTP(t, false)
	m, err := NewMailer(MailOptions{Address: server.Address, From: "portal@gate.example", Plain: true})
	require.NoError(t, err)
	for _, to := range []string{"", "nonsense", "a@x.example\r\nRCPT TO:<b@x.example>", "a@x.example>\r\nDATA"} {
		require.ErrorContains(t, m.Send(t.Context(), to, "", ""), "no e-mail address")
	}
	require.Zero(t, server.Waiting())
}

func TestMailersThatAreRefused(t *testing.T) {
	for name, o := range map[string]MailOptions{
		"no server": {From: "a@x.example"}, "no port": {Address: "mail.example", From: "a@x.example"}, "no number": {Address: "mail.example:smtp", From: "a@x.example"},
		"a port out of range": {Address: "mail.example:99999", From: "a@x.example"}, "no sender": {Address: "mail.example:587"}, "a sender that is none": {Address: "mail.example:587", From: "portal"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewMailer(o)
			require.ErrorContains(t, err, "mail:")
		})
	}
}
