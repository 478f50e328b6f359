package test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"net/url"
	"time"

	"github.com/stretchr/testify/require"
)

// badge is a call at the hospital that wants key and certificate.
const badge = "/fhir/badge/Patient/100000"

func certificateAttacks() []attack {
	// handshake is an attack that ends before there is HTTP.
	handshake := func(name, sends string, shown func(g *tlsGateway) *tls.Certificate) attack {
		return attack{
			name: name, sends: sends, answer: "the handshake fails", hides: "There is no HTTP: the server says that the certificate is not good.",
			try: func(f *fight) {
				f.works(f.tls.caller(f, &f.tls.good, f.tls.alice).get(badge))
				r, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, f.tls.url+badge, nil)
				require.NoError(f.t, err)
				r.Header.Set("Authorization", "Bearer "+f.tls.alice)
				answer, err := f.tls.http(f.from, shown(f.tls)).Do(r)
				if err == nil {
					answer.Body.Close()
				}
				require.ErrorContains(f.t, err, "tls: ")
				f.struck++
				f.unreached()
			},
		}
	}
	// wrongWay is an attack with a key and a certificate that do not go together.
	wrongWay := func(name, sends string, shown func(f *fight) caller) attack {
		return attack{
			name: name, sends: sends, hides: "The answer names the ways in that the hospital takes, to a consumer that is known already.", status: 403, code: "forbidden",
			try: func(f *fight) {
				f.works(f.tls.caller(f, &f.tls.good, f.tls.alice).get(badge))
				f.strikes(shown(f).get(badge))
			},
		}
	}
	return []attack{
		handshake("A certificate of another CA", "A certificate with the right name, by a CA of the attacker, and a good key.", func(g *tlsGateway) *tls.Certificate { return &g.foreign }),
		handshake("An expired certificate", "A certificate of the right CA that has expired, and a good key.", func(g *tlsGateway) *tls.Certificate { return &g.expired }),
		wrongWay("A key without its certificate", "A good key whose consumer has a certificate, on a connection without one.", func(f *fight) caller {
			return f.tls.caller(f, nil, f.tls.alice)
		}),
		wrongWay("A stolen key with an own certificate", "The key of one consumer with the registered certificate of another.", func(f *fight) caller {
			return f.tls.caller(f, &f.tls.bob, f.tls.alice)
		}),
		wrongWay("A stolen key with any certificate", "A good key with a certificate of the right CA that is registered with nobody.", func(f *fight) caller {
			return f.tls.caller(f, &f.tls.other, f.tls.alice)
		}),
		wrongWay("A certificate without a key", "A registered certificate alone, where the hospital wants a key with it.", func(f *fight) caller {
			f.works(f.tls.caller(f, &f.tls.alone, "").get(somewhere))
			return f.tls.caller(f, &f.tls.alone, "")
		}),
		{
			name: "A certificate in a header", sends: "The text of a registered certificate in `X-Client-Cert`, `X-Forwarded-Client-Cert`, `X-SSL-Client-Cert`, `Client-Cert`, with the key.",
			hides: "As above: headers are no connection.", status: 403, code: "forbidden",
			try: func(f *fight) {
				f.works(f.tls.caller(f, &f.tls.good, f.tls.alice).get(badge))
				text := url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.tls.good.Certificate[0]})))
				for _, name := range []string{"X-Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Client-Cert", "Client-Cert", "X-SSL-Cert", "SSL-Client-Cert"} {
					f.strikes(f.tls.caller(f, nil, f.tls.alice).get(badge, name, text, "X-SSL-Client-Verify", "SUCCESS", "X-Client-Verify", "SUCCESS"))
				}
			},
		},
		{
			name: "A certificate that was taken back", sends: "A good key with its own certificate, a second after that was removed from the consumer, on a connection that was open before.",
			hides: "The answer names the ways in that the hospital takes, to a consumer that is known already.", status: 403, code: "forbidden",
			try: func(f *fight) {
				g := f.tls
				lost := g.ca.issue(f.t, "lost", time.Hour)
				key := g.newClient(f.t, "e2e", "--certificate", writeFile(f.t, "client.pem", pemOf("CERTIFICATE", lost.Certificate[0])))
				c := g.caller(f, &lost, key.key)
				c.http.Transport.(*http.Transport).DisableKeepAlives = false
				defer c.http.CloseIdleConnections()
				f.works(c.get(badge))
				sum := sha256.Sum256(lost.Certificate[0])
				g.mustCLI(f.t, "keys", "update", key.keyID, "--remove-certificate", hex.EncodeToString(sum[:]))
				time.Sleep(soon)
				f.strikes(c.get(badge), g.caller(f, &lost, key.key).get(badge))
			},
		},
		{
			name: "A certificate that is not registered", sends: "A certificate of the right CA that no consumer is registered with, and no key.",
			hides: sameAnswer, status: 401, code: "login",
			try: func(f *fight) {
				f.works(f.tls.caller(f, &f.tls.alone, "").get(somewhere))
				f.strikes(f.tls.caller(f, &f.tls.other, "").get(somewhere))
			},
		},
	}
}
