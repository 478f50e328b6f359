package test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// One answer is given to every token that does not count.
const sameAnswer = "The answer is that to every credential that is not known."

// tokenAttack is an attack by a token, which must be refused as every unknown
// credential is. A real token must work.
func tokenAttack(name, sends string, forge func(f *fight) []string) attack {
	return attack{
		name: name, sends: sends, hides: sameAnswer, status: 401, code: "login",
		try: func(f *fight) {
			tokens := forge(f)
			f.works(f.as(f.forged(nil)).get(somewhere))
			unknown := f.as("fg_" + strings.Repeat("0", 43)).get(somewhere)
			for _, token := range tokens {
				a := f.as(token).get(somewhere)
				f.strikes(a)
				f.same(unknown, a)
			}
		},
	}
}

// claimAttack is tokenAttack by a token that the gateway's own key has signed.
func claimAttack(name, sends string, changes func(f *fight) []claims) attack {
	return tokenAttack(name, sends, func(f *fight) []string {
		var tokens []string
		for _, change := range changes(f) {
			tokens = append(tokens, f.forged(change))
		}
		return tokens
	})
}

func changed(all ...claims) func(*fight) []claims { return func(*fight) []claims { return all } }

func tokenAttacks() []attack {
	return []attack{
		tokenAttack("No signature", "A token with `alg: none` (also `None`, `NONE`), with and without something for a signature.", func(f *fight) []string {
			payload := encode(f.t, f.ownClaims())
			var tokens []string
			for _, alg := range []string{"none", "None", "NONE", ""} {
				header := fmt.Sprintf(`{"alg":%q,"typ":"at+jwt","kid":%q}`, alg, f.kid())
				tokens = append(tokens, unsigned(header, payload, ""), unsigned(header, payload, "AAAA"))
			}
			return tokens
		}),
		tokenAttack("The public key as a secret", "A token by HS256, HS384 and HS512 whose secret is the gateway's public key, as it is published and in PEM form.", func(f *fight) []string {
			public := f.ownPublic()
			der, err := x509.MarshalPKIXPublicKey(public.Key)
			require.NoError(f.t, err)
			var tokens []string
			for _, alg := range []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512} {
				for _, secret := range [][]byte{[]byte(encode(f.t, public)), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})} {
					key := jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: secret, KeyID: f.kid()}}
					tokens = append(tokens, sign(f.t, key, f.ownClaims(), map[string]any{"typ": "at+jwt"}))
				}
			}
			return tokens
		}),
		tokenAttack("Another algorithm than the key's", "A token by RS256 of a key of the attacker, with the `kid` of the gateway's key, which is an elliptic curve; and a real one whose header says RS256 or ES256.", func(f *fight) []string {
			key := jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: attackerRSA, KeyID: f.kid()}}
			header, rest, _ := strings.Cut(f.forged(nil), ".")
			tokens := []string{sign(f.t, key, f.ownClaims(), map[string]any{"typ": "at+jwt"})}
			for _, alg := range []string{"RS256", "ES256"} {
				tokens = append(tokens, saying(f.t, header, "ES384", alg)+"."+rest)
			}
			return tokens
		}),
		tokenAttack("A key of the attacker", "A token that is right in everything, by a key of the attacker under the `kid` of the gateway's, under one of its own, and without.", func(f *fight) []string {
			var tokens []string
			for _, kid := range []string{f.kid(), "mine", ""} {
				key := jose.SigningKey{Algorithm: jose.ES384, Key: jose.JSONWebKey{Key: attackerKey, KeyID: kid}}
				tokens = append(tokens, sign(f.t, key, f.ownClaims(), map[string]any{"typ": "at+jwt"}))
			}
			return tokens
		}),
		tokenAttack("The key comes with the token", "A token by a key of the attacker with that key in the header: `jwk`, and `jku`, `x5u` and `x5c` that lead to it.", func(f *fight) []string {
			key := jose.SigningKey{Algorithm: jose.ES384, Key: jose.JSONWebKey{Key: attackerKey, KeyID: f.kid()}}
			public := jose.JSONWebKey{Key: attackerKey.Public(), KeyID: f.kid()}
			var tokens []string
			for name, value := range map[string]any{
				"jwk": public, "jku": f.idp.strict + "/attacker", "x5u": f.idp.strict + "/attacker", "x5c": []string{"AAAA"},
			} {
				tokens = append(tokens, sign(f.t, key, f.ownClaims(), map[string]any{"typ": "at+jwt", name: value}))
			}
			return tokens
		}),
		tokenAttack("A changed token", "A real token with another payload, with one character of the signature changed, with half of it, with more behind it, and with padding.", func(f *fight) []string {
			token := f.forged(nil)
			signature := strings.LastIndex(token, ".") + 1
			flipped := []byte(token)
			flipped[signature+10] ^= 1
			if flipped[signature+10] == '.' || flipped[signature+10] == '@' || flipped[signature+10] == '`' {
				flipped[signature+10] = 'Q'
			}
			return []string{
				swap(token, encode(f.t, f.ownClaims().with(claims{"scope": "system/*.cruds user/*.cruds"}))), string(flipped),
				token[:signature+64], token + "A", token + "=", token[:signature],
			}
		}),
		tokenAttack("A critical extension that nobody knows", "A token of the gateway's own key with `crit`, empty and with a name.", func(f *fight) []string {
			key := f.own
			sum := sign(f.t, key, f.ownClaims(), map[string]any{"typ": "at+jwt", "crit": []string{"exp"}, "exp": 1})
			return []string{sum, sign(f.t, key, f.ownClaims(), map[string]any{"typ": "at+jwt", "crit": []string{}})}
		}),
		tokenAttack("An encrypted token", "A JWE in compact form, five parts, and one whose content is a JWT (`cty: JWT`).", func(f *fight) []string {
			var tokens []string
			for _, content := range []string{"", "JWT"} {
				encrypter, err := jose.NewEncrypter(jose.A128GCM, jose.Recipient{Algorithm: jose.ECDH_ES, Key: f.ownPublic().Key},
					(&jose.EncrypterOptions{}).WithContentType(jose.ContentType(content)))
				require.NoError(f.t, err)
				sealed, err := encrypter.Encrypt([]byte(f.forged(nil)))
				require.NoError(f.t, err)
				token, err := sealed.CompactSerialize()
				require.NoError(f.t, err)
				tokens = append(tokens, token)
			}
			return tokens
		}),
		tokenAttack("A token as large as can be", "17 KiB, correctly signed by the gateway's own key.", func(f *fight) []string {
			return []string{f.forged(claims{"more": strings.Repeat("a", 17<<10)})}
		}),
		tokenAttack("A signed text that is no access token", "A real client assertion, and a token of the gateway's own key whose `typ` is `JWT` or none.", func(f *fight) []string {
			return []string{f.assertion(nil), f.forged(nil, "typ", "JWT"), sign(f.t, f.own, f.ownClaims(), nil)}
		}),
		claimAttack("For another audience", "A token of the gateway's own key with another `aud`, an empty one, or none.",
			func(f *fight) []claims {
				return []claims{{"aud": "https://other.example/fhir"}, {"aud": f.a.url}, {"aud": f.a.url + "/fhir/harbor"}, {"aud": []string{}}, {"aud": nil}}
			}),
		claimAttack("Of another issuer", "A token of the gateway's own key with another `iss`, that of the identity provider, or none.",
			func(f *fight) []claims {
				return []claims{{"iss": "https://other.example"}, {"iss": f.a.url + "/"}, {"iss": f.idp.strict}, {"iss": nil}}
			}),
		claimAttack("Expired", "A token of the gateway's own key whose `exp` was a minute and a year ago.",
			changed(claims{"exp": ago(time.Minute)}, claims{"exp": ago(365 * 24 * time.Hour)})),
		claimAttack("Without an end", "A token of the gateway's own key without `exp`, and with one that is no number.",
			changed(claims{"exp": nil}, claims{"exp": "never"})),
		claimAttack("Not yet", "A token of the gateway's own key whose `nbf` is in ten minutes.",
			changed(claims{"nbf": ago(-10 * time.Minute)})),
		claimAttack("Made in the future", "A token of the gateway's own key whose `iat` is in an hour, and in a hundred years.",
			changed(claims{"iat": ago(-time.Hour)}, claims{"iat": ago(-100 * 365 * 24 * time.Hour)})),
		claimAttack("Of a client that does not exist", "A token of the gateway's own key whose `client_id` is unknown, is that of an API key, or is not its `sub`.",
			func(f *fight) []claims {
				unknown := "key_aaaaaaaaaaaaaaaaaaaaaaaaaa"
				return []claims{
					{"client_id": unknown, "sub": unknown},
					{"client_id": f.keys["e2e"].keyID, "sub": f.keys["e2e"].keyID},
					{"client_id": f.signer.id},
					{"client_id": nil},
					{"jti": nil},
				}
			}),
		{
			name: "A token of another gateway", sends: "A real token that the gateway with TLS has issued, whose keys and issuer are others.",
			hides: sameAnswer, status: 401, code: "login",
			try: func(f *fight) {
				form := secretForm(f.tls.client.id, f.tls.client.secret)
				token := gjson.GetBytes(f.works(f.tls.caller(f, nil, "").form("/oauth/token", form)).body, "access_token").Str
				f.works(f.tls.caller(f, nil, token).get(somewhere))
				f.strikes(f.as(token).get(somewhere))
			},
		},
		{
			name: "A revoked token", sends: "A token after its client has revoked it at `/oauth/revoke` on another node.",
			hides: sameAnswer, status: 401, code: "login",
			try: func(f *fight) {
				token := askToken(f.t, f.a, f.client, "")
				f.works(f.as(token).get(somewhere))
				f.works(f.as(token).at(f.b).get(somewhere))
				form := secretForm(f.client.id, f.client.secret)
				form.Set("token", token)
				f.works(f.anyone().at(f.b).form("/oauth/revoke", form))
				time.Sleep(soon)
				f.forget()
				f.strikes(f.as(token).get(somewhere), f.as(token).at(f.b).get(somewhere))
			},
		},
		{
			name: "A token of a revoked client", sends: "A token that is in force, a second after the client was revoked on another node.",
			hides: sameAnswer, status: 401, code: "login",
			try: func(f *fight) {
				client := newOAuthClient(f.t, f.a, "e2e", nil)
				token := askToken(f.t, f.a, client, "")
				f.works(f.as(token).get(somewhere))
				f.works(f.as(token).at(f.b).get(somewhere))
				f.a.mustCLI(f.t, "keys", "revoke", client.id)
				time.Sleep(soon)
				f.strikes(f.as(token).get(somewhere), f.as(token).at(f.b).get(somewhere))
			},
		},
		{
			name: "Revoking somebody else's token", sends: "`/oauth/revoke` with a good client's credentials and another client's token.",
			hides: "A client that shows another's token knows that token already.", status: 400, code: "unauthorized_client",
			try: func(f *fight) {
				token := askToken(f.t, f.a, f.client, "")
				form := assertionForm(f.assertion(nil))
				form.Set("token", token)
				f.works(f.as(token).get(somewhere))
				f.strikes(f.anyone().form("/oauth/revoke", form))
				f.works(f.as(token).get(somewhere))
			},
		},
		{
			name: "A token for more than it is for", sends: "A token with the scope `system/Observation.r`, of a client whose plan permits all, for a Patient.",
			hides: "The answer names the scope that is missing, and not whether the Patient exists.", status: 403, code: "forbidden",
			try: func(f *fight) {
				token := askToken(f.t, f.a, f.client, "system/Observation.r")
				f.works(f.as(token).get("/fhir/harbor/" + f.secret.lab))
				one, none := f.as(token).get(somewhere), f.as(token).get("/fhir/harbor/Patient/does-not-exist")
				f.strikes(one, none)
				f.same(one, none)
			},
		},
		{
			name: "A scope that the plan does not have", sends: "A token of the gateway's own key whose scope is wider than the client's plan.",
			hides: "As above: plan and token must both permit.", status: 403, code: "forbidden",
			try: func(f *fight) {
				client := newOAuthClient(f.t, f.a, "patients", nil)
				wide := f.forged(claims{"sub": client.id, "client_id": client.id})
				f.works(f.as(wide).get(somewhere))
				f.strikes(f.as(wide).get("/fhir/harbor/"+f.secret.lab), f.as(wide).call(http.MethodDelete, somewhere, ""))
			},
		},
	}
}

// providerAttack is tokenAttack by a token of an outside identity provider.
func providerAttack(name, sends string, forge func(f *fight) []string) attack {
	row := tokenAttack(name, sends, forge)
	inner := row.try
	row.try = func(f *fight) {
		f.works(f.as(f.outside(f.idp.strict, idpES256, nil)).get(somewhere))
		inner(f)
	}
	return row
}

func providerAttacks() []attack {
	return []attack{
		providerAttack("An algorithm that is not pinned", "A token by RS256, signed by a key that the provider publishes, where ES256 alone is configured.", func(f *fight) []string {
			f.works(f.as(f.outside(f.idp.loose, idpRS256, nil)).get(somewhere))
			return []string{f.outside(f.idp.strict, idpRS256, nil)}
		}),
		providerAttack("A symmetric key in the public set", "A token by HS256 with the `oct` key that the provider's set holds for everybody to read, also with a header that says RS256 or ES256.", func(f *fight) []string {
			token := f.outside(f.idp.loose, idpHS256, nil)
			header, rest, _ := strings.Cut(token, ".")
			tokens := []string{token}
			for _, alg := range []string{"RS256", "ES256"} {
				tokens = append(tokens, saying(f.t, header, "HS256", alg)+"."+rest)
			}
			return tokens
		}),
		providerAttack("For another audience of the provider", "A good token of the provider for another program, and one without `aud`.", func(f *fight) []string {
			return []string{
				f.outside(f.idp.strict, idpES256, claims{"aud": "https://mail.example"}), f.outside(f.idp.strict, idpES256, claims{"aud": nil}),
				f.outside(f.idp.strict, idpES256, claims{"aud": f.a.url + "/fhir/"}),
			}
		}),
		providerAttack("A provider that is not configured", "A token by a key that a configured provider publishes, with the `iss` of another one, and of the gateway itself.", func(f *fight) []string {
			return []string{f.outside(f.idp.strict+"/", idpES256, nil), f.outside("https://idp.example", idpES256, nil), f.outside(f.a.url, idpES256, nil)}
		}),
		providerAttack("A client that is not registered", "A good token of the provider for a client that the gateway has no record of.", func(f *fight) []string {
			return []string{f.outside(f.idp.strict, idpES256, claims{"azp": "somebody", "sub": "somebody"}), f.outside(f.idp.strict, idpES256, claims{"azp": nil, "sub": nil})}
		}),
		providerAttack("An ID token", "A token of the provider of the type that tells a program who has logged in, or a logout token.", func(f *fight) []string {
			good := claims{"iss": f.idp.strict, "aud": f.a.url + "/fhir", "sub": "robot", "azp": "robot", "scope": "system/*.cruds", "exp": ago(-time.Minute)}
			return []string{
				sign(f.t, idpES256, good, map[string]any{"typ": "logout+jwt"}), sign(f.t, idpES256, good, map[string]any{"typ": "secevent+jwt"}),
				sign(f.t, idpES256, good.with(claims{"aud": "robot"}), map[string]any{"typ": "JWT"}),
			}
		}),
		{
			name: "A person's scope without a person", sends: "A token of the provider with `user/Patient.rs`, for a program alone.",
			hides: "The answer names the missing scope.", status: 403, code: "forbidden",
			try: func(f *fight) {
				token := func(changes claims) string {
					return f.outside(f.idp.strict, idpES256, claims{"azp": "app", "sub": "app", "scope": "user/Patient.rs"}.with(changes))
				}
				f.works(f.as(token(claims{"sub": "a-person"})).get(somewhere))
				f.strikes(f.as(token(nil)).get(somewhere))
			},
		},
		{
			name: "A patient's scope at another hospital", sends: "A token in the context of patient 100001 of one hospital, for the Patient of the same id at another.",
			hides: "The answer is that to a token without a patient.", status: 403, code: "forbidden",
			try: func(f *fight) {
				token := f.outside(f.idp.strict, idpES256, claims{
					"azp": "app", "sub": "a-person", "scope": "patient/*.rs", "patient": "100001", "aud": []string{f.a.url + "/fhir", f.a.url + "/fhir/harbor"},
				})
				f.works(f.as(token).get("/fhir/harbor/Patient/100001"))
				f.strikes(f.as(token).get("/fhir/st-mary/Patient/100001"), f.as(token).get("/fhir/annex/Patient/100001"))
			},
		},
		{
			name: "A patient of two hospitals", sends: "A token with a patient in context that is for two hospitals, for none, or whose patient is a reference: an id means something in one hospital only.",
			hides: "The answer is that to a token without a patient.", status: 403, code: "forbidden",
			try: func(f *fight) {
				base := f.a.url + "/fhir"
				token := func(patient any, audiences ...string) string {
					return f.outside(f.idp.strict, idpES256, claims{"azp": "app", "sub": "a-person", "scope": "patient/*.rs", "patient": patient, "aud": append(audiences, base)})
				}
				const path = "/fhir/harbor/Patient/100001"
				f.works(f.as(token("100001", base+"/harbor")).get(path))
				f.strikes(f.as(token("100001", base+"/harbor", base+"/st-mary")).get(path), f.as(token("100001")).get(path),
					f.as(token("Patient/100001", base+"/harbor")).get(path), f.as(token([]string{"100001", "100002"}, base+"/harbor")).get(path), f.as(token("100001", base+"/harbor/x")).get(path))
			},
		},
		{
			name: "Another patient than that of the context", sends: "A token in the context of patient 100001 for another Patient, for what belongs to that one, and by a search.",
			hides: "It looks like a Patient that is not there, and a search leaves it out.", status: 404, code: "not-found", reaches: true,
			try: func(f *fight) {
				token := f.outside(f.idp.strict, idpES256, claims{
					"azp": "app", "sub": "a-person", "scope": "patient/*.rs", "patient": "100001", "aud": []string{f.a.url + "/fhir", f.a.url + "/fhir/harbor"},
				})
				f.works(f.as(token).get("/fhir/harbor/Patient/100001"))
				f.strikes(f.as(token).get(somewhere))
				require.Equal(f.t, http.StatusForbidden, f.as(token).get("/fhir/harbor/Patient/100002/Observation").StatusCode, "told from the path")
				found := f.as(token).get("/fhir/harbor/Patient?_id=100000").ok(http.StatusOK)
				require.Empty(f.t, found.Get("entry").Array())
			},
		},
	}
}

// saying returns the header of a token with another algorithm.
func saying(t require.TestingT, header, from, to string) string {
	text, err := base64.RawURLEncoding.DecodeString(header)
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(text), from, to, 1)))
}
