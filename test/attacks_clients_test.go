package test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// sameClientAnswer is why the token endpoint tells nothing.
const sameClientAnswer = "The answer is that to a client that does not exist."

// assertionAttack is an attack by assertions, which must be refused as a client
// that does not exist is.
func assertionAttack(name, sends string, forge func(f *fight) []string) attack {
	return attack{
		name: name, sends: sends, hides: sameClientAnswer, status: 401, code: "invalid_client",
		try: func(f *fight) {
			assertions := forge(f)
			f.works(f.anyone().form("/oauth/token", assertionForm(f.assertion(nil))))
			unknown := f.anyone().form("/oauth/token", secretForm("key_aaaaaaaaaaaaaaaaaaaaaaaaaa", "fg_"+strings.Repeat("0", 43)))
			for _, assertion := range assertions {
				a := f.anyone().form("/oauth/token", assertionForm(assertion))
				f.strikes(a)
				f.same(unknown, a)
			}
		},
	}
}

func clientAttacks() []attack {
	replayed := func(name, sends string, second func(f *fight) *gateway) attack {
		return attack{
			name: name, sends: sends, hides: sameClientAnswer, status: 401, code: "invalid_client",
			try: func(f *fight) {
				form := assertionForm(f.assertion(nil))
				f.works(f.anyone().form("/oauth/token", form))
				f.strikes(f.anyone().at(second(f)).form("/oauth/token", form), f.anyone().form("/oauth/token", form))
			},
		}
	}
	return []attack{
		replayed("A replayed assertion", "A good assertion for the second time, to the same node.", func(f *fight) *gateway { return f.a }),
		replayed("A replayed assertion, elsewhere", "A good assertion for the second time, to another node.", func(f *fight) *gateway { return f.b }),
		assertionAttack("An assertion for somebody else", "An assertion whose `aud` is another server, the FHIR base, or a list; and one whose `sub` is not its `iss`.", func(f *fight) []string {
			return []string{
				f.assertion(claims{"aud": "https://other.example/token"}), f.assertion(claims{"aud": f.a.url + "/fhir"}), f.assertion(claims{"aud": nil}),
				f.assertion(claims{"aud": []string{f.a.url + "/oauth/token", "https://other.example/token"}}), f.assertion(claims{"sub": f.client.id}), f.assertion(claims{"sub": nil}),
			}
		}),
		assertionAttack("An assertion of another key", "An assertion by a key of the attacker, under the registered `kid` and under another one; by HS256 with the client's public key; unsigned; and one for a client that has no keys.", func(f *fight) []string {
			ec := func(kid string) jose.SigningKey {
				return jose.SigningKey{Algorithm: jose.ES384, Key: jose.JSONWebKey{Key: attackerKey, KeyID: kid}}
			}
			mac := jose.SigningKey{Algorithm: jose.HS384, Key: jose.JSONWebKey{Key: []byte(encode(f.t, clientKeys.Keys[0])), KeyID: "client-1"}}
			return []string{
				f.assertionBy(ec("client-1"), f.signer, nil), f.assertionBy(ec("mine"), f.signer, nil), f.assertionBy(mac, f.signer, nil),
				unsigned(`{"alg":"none","kid":"client-1"}`, encode(f.t, claims{"iss": f.signer.id, "sub": f.signer.id, "aud": f.a.url, "exp": ago(-time.Minute), "jti": "1"}), ""),
				f.assertionBy(ec("client-1"), f.client, nil), f.assertionBy(ec("client-1"), oauthClient{id: f.keys["e2e"].keyID}, nil),
			}
		}),
		assertionAttack("An assertion that lasts", "An assertion that has expired, that is good for an hour, without `exp`, and without `jti`.", func(f *fight) []string {
			return []string{
				f.assertion(claims{"exp": ago(time.Minute)}), f.assertion(claims{"exp": ago(-time.Hour)}), f.assertion(claims{"exp": nil}), f.assertion(claims{"jti": nil}),
				f.assertion(claims{"nbf": ago(-time.Hour)}),
			}
		}),
		ssrfAtUse(),
		{
			name: "Keys inside of our network, at registration", sends: "An administrator is talked into a client whose `jwks_url` is plain http (the cloud's metadata address), a file, or holds a password.",
			hides: "Nothing is fetched at all.", status: 422, code: "value",
			try: func(f *fight) {
				create := func(url string) answer {
					body := encode(f.t, map[string]any{"name": "client", "plan": "e2e", "kind": "client", "no_secret": true, "jwks_url": url})
					admin := f.as(strings.TrimSpace(f.a.read("data/admin-secret"))).callingFrom("127.0.0.1")
					return admin.post(f.a.admin+"/admin/keys", body)
				}
				f.works(create("https://client.example/jwks.json"))
				for _, url := range []string{"http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "https://user:secret@client.example/jwks.json", "gopher://127.0.0.1:6379/"} {
					a := create(url)
					require.Equal(f.t, f.row.status, a.StatusCode, "%s", a.body)
					require.Equal(f.t, f.row.code, gjson.GetBytes(a.body, "issue.0.code").Str)
					f.clean(a)
					f.struck++
				}
			},
		},
		{
			name: "A scope that clients cannot have", sends: "`scope=patient/*.rs` and `user/*.cruds` in the client credentials grant, where no patient and no person is.",
			hides: "The answer says nothing of the plan but that it does not have the scope.", status: 400, code: "invalid_scope",
			try: func(f *fight) {
				ask := func(scope string) answer {
					form := secretForm(f.client.id, f.client.secret)
					form.Set("scope", scope)
					return f.anyone().form("/oauth/token", form)
				}
				f.works(ask("system/*.rs"))
				f.strikes(ask("patient/*.rs"), ask("user/*.cruds"), ask("openid fhirUser offline_access"), ask("system/*"))
			},
		},
		{
			name: "Another grant", sends: "`grant_type` password, refresh_token, authorization_code, and the exchange of a token.",
			hides: "The answer is the same with good and with wrong credentials.", status: 400, code: "unsupported_grant_type",
			try: func(f *fight) {
				form := secretForm(f.client.id, f.client.secret)
				f.works(f.anyone().form("/oauth/token", form))
				form.Set("username", "root")
				form.Set("password", "root")
				for _, grant := range []string{"password", "refresh_token", "authorization_code", "urn:ietf:params:oauth:grant-type:token-exchange"} {
					form.Set("grant_type", grant)
					good := f.anyone().form("/oauth/token", form)
					wrong := secretForm(f.client.id, "fg_wrong")
					wrong.Set("grant_type", grant)
					bad := f.anyone().form("/oauth/token", wrong)
					f.strikes(good, bad)
					f.same(good, bad)
				}
			},
		},
		{
			name: "A parameter twice", sends: "The token request with `scope`, `client_id`, `grant_type` or `client_secret` twice.",
			hides: "It is refused before anybody is looked up.", status: 400, code: "invalid_request",
			try: func(f *fight) {
				form := secretForm(f.client.id, f.client.secret)
				f.works(f.anyone().form("/oauth/token", form))
				for name, value := range map[string]string{"scope": "system/*.rs", "client_id": "key_other", "grant_type": "client_credentials", "client_secret": "fg_other"} {
					twice := form.Encode() + "&" + url.Values{name: {value, value}}.Encode()
					f.strikes(f.anyone().post("/oauth/token", twice, "Content-Type", "application/x-www-form-urlencoded"))
				}
			},
		},
		{
			name: "Credentials twice", sends: "Secret and assertion at once; a secret in the header and in the form; an assertion and Basic.",
			hides: "It is refused before anybody is looked up.", status: 400, code: "invalid_request",
			try: func(f *fight) {
				form := secretForm(f.client.id, f.client.secret)
				f.works(f.anyone().form("/oauth/token", form))
				both := assertionForm(f.assertion(nil))
				f.works(f.anyone().form("/oauth/token", both))
				both = assertionForm(f.assertion(nil))
				basic := []string{"Authorization", basicAuth(f.client.id, f.client.secret)}
				f.strikes(f.anyone().form("/oauth/token", form, basic...), f.anyone().form("/oauth/token", both, basic...))
				both.Set("client_secret", f.client.secret)
				f.strikes(f.anyone().form("/oauth/token", both))
			},
		},
		{
			name: "A secret in the URL", sends: "The token request with its parameters in the query.",
			hides: "Nobody is looked up.", status: 400, code: "invalid_request",
			try: func(f *fight) {
				form := secretForm(f.client.id, f.client.secret)
				f.works(f.anyone().form("/oauth/token", form))
				f.strikes(f.anyone().form("/oauth/token?"+form.Encode(), url.Values{}), f.anyone().form("/oauth/token?x", form))
			},
		},
		{
			name: "A token by GET", sends: "`GET /oauth/token`, with the parameters in the query and in a body.",
			hides: "As above.", status: 405, code: "invalid_request",
			try: func(f *fight) {
				form := secretForm(f.client.id, f.client.secret)
				f.works(f.anyone().form("/oauth/token", form))
				f.strikes(f.anyone().get("/oauth/token?"+form.Encode()),
					f.anyone().call(http.MethodGet, "/oauth/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded"))
			},
		},
		{
			name: "An API key for a client's secret", sends: "The API key of a consumer as the secret of that consumer, and of a client.",
			hides: sameClientAnswer, status: 401, code: "invalid_client",
			try: func(f *fight) {
				f.works(f.anyone().form("/oauth/token", secretForm(f.client.id, f.client.secret)))
				key := f.keys["e2e"]
				f.works(f.as(key.key).get(somewhere))
				f.strikes(f.anyone().form("/oauth/token", secretForm(key.keyID, key.key)), f.anyone().form("/oauth/token", secretForm(f.client.id, key.key)),
					f.anyone().form("/oauth/token", url.Values{"grant_type": {"client_credentials"}}, "Authorization", basicAuth(key.keyID, key.key)))
			},
		},
		{
			name: "A client that is known and one that is not", sends: "A wrong secret for a client that exists, for an API key's id, and for a client that does not exist.",
			hides: "The three answers are the same bytes, but for the request id.", status: 401, code: "invalid_client",
			try: func(f *fight) {
				f.works(f.anyone().form("/oauth/token", secretForm(f.client.id, f.client.secret)))
				wrong := "fg_" + strings.Repeat("1", 43)
				known := f.anyone().form("/oauth/token", secretForm(f.client.id, wrong))
				f.strikes(known)
				for _, id := range []string{f.signer.id, f.keys["e2e"].keyID, "key_aaaaaaaaaaaaaaaaaaaaaaaaaa", "x", strings.Repeat("x", 300)} {
					a := f.anyone().form("/oauth/token", secretForm(id, wrong))
					f.strikes(a)
					f.same(known, a)
				}
			},
		},
	}
}

// ssrfAtUse has the gateway want the keys of clients whose URLs lead into its
// own network, where a server with them listens.
func ssrfAtUse() attack {
	return attack{
		name: "Keys inside of our network", sends: "A good assertion of a client whose `jwks_url` leads to loopback, a private network, or the cloud's metadata address.",
		hides: sameClientAnswer + " No connection is made: not even whether somebody listens there can be told.", status: 401, code: "invalid_client",
		try: func(f *fight) {
			var reached atomic.Int64
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(f.t, err)
			defer listener.Close()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					reached.Add(1)
					conn.Close()
				}
			}()
			_, port, err := net.SplitHostPort(listener.Addr().String())
			require.NoError(f.t, err)
			f.works(f.anyone().form("/oauth/token", assertionForm(f.assertion(nil))))
			key := jose.SigningKey{Algorithm: jose.ES384, Key: jose.JSONWebKey{Key: clientKey, KeyID: "client-1"}}
			unknown := f.anyone().form("/oauth/token", assertionForm(f.assertionBy(key, oauthClient{id: "key_aaaaaaaaaaaaaaaaaaaaaaaaaa"}, nil)))
			for _, host := range []string{"127.0.0.1:" + port, "localhost:" + port, "[::ffff:127.0.0.1]:" + port, "169.254.169.254", "10.0.0.1"} {
				client := newOAuthClient(f.t, f.a, "e2e", nil, "--no-secret", "--jwks-url", "https://"+host+"/jwks.json")
				a := f.anyone().form("/oauth/token", assertionForm(f.assertionBy(key, client, nil)))
				f.strikes(a)
				f.same(unknown, a)
			}
			require.Zero(f.t, reached.Load(), "the gateway called its neighbour")
			_, err = tls.Dial("tcp", listener.Addr().String(), nil) //nolint:gosec // it is not one that does TLS
			require.Error(f.t, err)
			require.Eventually(f.t, func() bool { return reached.Load() > 0 }, 5*time.Second, time.Millisecond, "one that calls it is seen")
		},
	}
}

func basicAuth(user, password string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(user), url.QueryEscape(password))
	return r.Header.Get("Authorization")
}
