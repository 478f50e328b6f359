package test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

func keyAttacks() []attack {
	return []attack{
		{
			name: "No credential", sends: "A read without any credential, of a hospital that exists and of one that does not.",
			hides: "The two answers are the same bytes.", status: 401, code: "login",
			try: func(f *fight) {
				f.works(f.plan("e2e").get(somewhere))
				one, other := f.anyone().get(somewhere), f.anyone().get("/fhir/nowhere/Patient/100000")
				f.strikes(one, other)
				f.same(one, other)
			},
		},
		{
			name: "A client's secret for an API key", sends: "The secret of an OAuth client as `Bearer` and as `X-Api-Key`.",
			hides: sameAnswer, status: 401, code: "login",
			try: func(f *fight) {
				f.works(f.anyone().form("/oauth/token", secretForm(f.client.id, f.client.secret)))
				f.works(f.anyone().get(somewhere, "X-Api-Key", f.keys["e2e"].key))
				f.strikes(f.as(f.client.secret).get(somewhere), f.anyone().get(somewhere, "X-Api-Key", f.client.secret))
			},
		},
		{
			name: "A key in the URL", sends: "A good key in the query: `access_token`, `api_key`, `apikey`, `x-api-key`, `client_secret`, `authorization`, with escapes and capitals; also beside a good one in a header.",
			hides: "The key is not even looked up.", status: 401, code: "security",
			try: func(f *fight) {
				f.works(f.plan("e2e").get(somewhere))
				for _, name := range []string{"access_token", "api_key", "apikey", "X-Api-Key", "client_secret", "Authorization", "access%5ftoken"} {
					f.strikes(f.anyone().get(somewhere+"?"+name+"="+f.keys["e2e"].key), f.plan("e2e").get(somewhere+"?"+name+"="+f.keys["e2e"].key))
				}
			},
		},
		{
			name: "A key in a form", sends: "A good key as `access_token` or `client_secret` in the body of a search by POST, beside one in a header and alone.",
			hides: "It would have gone to the hospital: nothing is sent.", status: 400, code: "security",
			try: func(f *fight) {
				search := func(c caller, form string) answer {
					return c.post("/fhir/harbor/Patient/_search", form, "Content-Type", formMedia)
				}
				f.works(search(f.plan("e2e"), "name=a&_count=1"))
				for _, name := range []string{"access_token", "client_secret", "ACCESS%5fTOKEN"} {
					f.strikes(search(f.plan("e2e"), "name=a&"+name+"="+f.keys["e2e"].key))
					require.Equal(f.t, http.StatusUnauthorized, search(f.anyone(), "name=a&"+name+"="+f.keys["e2e"].key).StatusCode)
				}
			},
		},
		{
			name: "Two credentials", sends: "Two `Authorization`, a key and a token, `Bearer` and `X-Api-Key`, the same key twice, a good one and an empty one.",
			hides: "Neither is looked up: it cannot be told which of them is good.", status: 401, code: "login",
			try: func(f *fight) {
				key := f.keys["e2e"].key
				f.works(f.as(key).get(somewhere))
				f.works(f.as(f.forged(nil)).get(somewhere))
				f.strikes(
					f.as(key).get(somewhere, "Authorization", "Bearer "+f.keys["patients"].key), f.as(key).get(somewhere, "Authorization", "Bearer "+f.forged(nil)),
					f.as(key).get(somewhere, "X-Api-Key", key), f.as("fg_no").get(somewhere, "X-Api-Key", key), f.as(key).get(somewhere, "X-Api-Key", ""),
					f.anyone().get(somewhere, "X-Api-Key", key, "X-Api-Key", key),
				)
			},
		},
		{
			name: "Basic and other schemes", sends: "A good key by `Basic`, `Digest`, `Negotiate`, without a scheme, and as a cookie.",
			hides: "The credential is not looked up.", status: 401, code: "login",
			try: func(f *fight) {
				key := f.keys["e2e"].key
				f.works(f.as(key).get(somewhere))
				for _, value := range []string{
					"Basic " + base64.StdEncoding.EncodeToString([]byte(key+":")), "Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+key)),
					"Digest " + key, "Negotiate " + key, key, "Bearer", "Bearer  ",
				} {
					f.strikes(f.anyone().get(somewhere, "Authorization", value))
				}
				f.strikes(f.anyone().get(somewhere, "Cookie", "access_token="+key+"; Authorization=Bearer "+key))
			},
		},
		{
			name: "A key with something around it", sends: "A good key with more behind it, shortened, in capitals, with a NUL, as Tyk's own form of a key, and its hash as Tyk stores it.",
			hides: sameAnswer, status: 401, code: "login",
			try: func(f *fight) {
				key := f.keys["e2e"].key
				f.works(f.as(key).get(somewhere))
				hash := f.hashOf("e2e")
				own := base64.StdEncoding.EncodeToString([]byte(`{"org":"fhirgate","id":"` + key + `","h":"sha256"}`))
				for _, wrong := range []string{key + "x", key[:len(key)-1], strings.ToUpper(key), strings.TrimPrefix(key, "fg_"), own, hash, "apikey-" + hash, f.keys["e2e"].keyID, key + "%00"} {
					f.strikes(f.as(wrong).get(somewhere))
				}
			},
		},
		{
			name: "A session without a record", sends: "A key whose session somebody wrote into Redis, with all rights, past the gateway's own records: of a record that is gone, of none, and of another consumer.",
			hides: sameAnswer, status: 401, code: "login",
			try: func(f *fight) {
				f.works(f.plan("e2e").get(somewhere))
				for _, forge := range []func(session string) string{
					func(session string) string { return session },
					func(session string) string { session, _ = sjson.Delete(session, "meta_data"); return session },
					func(session string) string {
						session, _ = sjson.SetRaw(session, "access_rights", `{}`)
						session, _ = sjson.SetRaw(session, "apply_policies", `[]`)
						session, _ = sjson.Set(session, "meta_data.key_id", f.keys["e2e"].keyID)
						return session
					},
				} {
					key := f.a.newClient(f.t, "e2e")
					name := "apikey-" + gjson.Get(f.a.mustCLI(f.t, "keys", "show", key.keyID, "--json"), "secrets.0.hash").Str
					session, err := f.redis.client.Get(f.t.Context(), name).Result()
					require.NoError(f.t, err)
					require.NoError(f.t, f.redis.client.Set(f.t.Context(), name, forge(session), 0).Err())
					require.NoError(f.t, f.redis.client.Del(f.t.Context(), "fhirgate:key:"+key.keyID).Err())
					f.strikes(f.as(key.key).get(somewhere), f.as(key.key).at(f.b).get(somewhere))
				}
			},
		},
		{
			name: "A revoked key", sends: "A key a second after it was revoked on another node, and after somebody wrote its session back into Redis.",
			hides: sameAnswer, status: 401, code: "login",
			try: func(f *fight) {
				key := f.a.newClient(f.t, "e2e")
				f.works(f.as(key.key).at(f.b).get(somewhere))
				name := "apikey-" + gjson.Get(f.a.mustCLI(f.t, "keys", "show", key.keyID, "--json"), "secrets.0.hash").Str
				session, err := f.redis.client.Get(f.t.Context(), name).Result()
				require.NoError(f.t, err)
				f.a.mustCLI(f.t, "keys", "revoke", key.keyID)
				time.Sleep(soon)
				f.strikes(f.as(key.key).at(f.b).get(somewhere), f.as(key.key).get(somewhere))
				require.NoError(f.t, f.redis.client.Set(f.t.Context(), name, session, 0).Err())
				f.strikes(f.as(key.key).at(f.b).get(somewhere), f.as(key.key).get(somewhere))
			},
		},
		{
			name: "A key whose plan is gone", sends: "A good key whose plan was removed, and one whose plan is not active, for a hospital that exists and for one that does not.",
			hides: "The answers for both hospitals are the same bytes.", status: 403, code: "forbidden",
			try: func(f *fight) {
				f.works(f.plan("e2e").get(somewhere))
				for _, plan := range []string{"gone", "asleep"} {
					one, other := f.plan(plan).get(somewhere), f.plan(plan).get("/fhir/nowhere/Patient/100000")
					f.strikes(one, other)
					f.same(one, other)
				}
			},
		},
		{
			name: "A key of another environment", sends: "A key whose plan is for production at a simulated hospital, and a sandbox key at a hospital of production.",
			hides: "The hospital looks like one that does not exist: the same bytes.", status: 404, code: "not-found",
			try: func(f *fight) {
				f.works(f.plan("live").get("/fhir/quay/Patient/100000"))
				f.works(f.plan("e2e").get(somewhere))
				for plan, hospital := range map[string]string{"live": "harbor", "e2e": "quay"} {
					one, other := f.plan(plan).get("/fhir/"+hospital+"/Patient/100000"), f.plan(plan).get("/fhir/nowhere/Patient/100000")
					f.strikes(one, other)
					f.same(one, other)
				}
			},
		},
		{
			name: "The hospital's own words", sends: "`X-Fhirgate-Raw: true`, which passes the vendor's rules by, of a consumer whose plan lacks the scope `fhirgate/raw`.",
			hides: "The answer names the scope.", status: 403, code: "forbidden",
			try: func(f *fight) {
				f.works(f.plan("e2e").get(somewhere, "X-Fhirgate-Raw", "false"))
				f.strikes(f.plan("e2e").get(somewhere, "X-Fhirgate-Raw", "true"), f.plan("e2e").call(http.MethodPut, somewhere, `{"resourceType":"Patient","id":"100000"}`, "X-Fhirgate-Raw", "true"))
			},
		},
	}
}

// hashOf returns the hash under which the key of a plan is stored.
func (f *fight) hashOf(plan string) string {
	return gjson.Get(f.a.mustCLI(f.t, "keys", "show", f.keys[plan].keyID, "--json"), "secrets.0.hash").Str
}

func guessAttacks() []attack {
	return []attack{
		{
			name: "A hundred keys", sends: "100 keys that do not exist, from one address; then a token that is not good, and a good key.",
			hides: "After 20 nothing is looked at any more, for some seconds. Who had a good key there goes on.", status: 429, code: "throttled",
			try: func(f *fight) {
				f.works(f.plan("e2e").get(somewhere))
				slowed := 0
				for n := range 100 {
					a := f.as("fg_" + strings.Repeat(string(rune('a'+n%26)), 42) + string(rune('A'+n/26))).get(somewhere)
					if a.StatusCode == http.StatusUnauthorized {
						require.LessOrEqual(f.t, n, 40, "the guesses are slowed")
						f.clean(a)
						continue
					}
					f.strikes(a)
					slowed++
				}
				require.Greater(f.t, slowed, 60)
				f.strikes(f.as(f.forged(claims{"exp": ago(time.Hour)})).get(somewhere))
				f.works(f.plan("e2e").get(somewhere))
			},
		},
		{
			name: "A hundred secrets", sends: "100 wrong secrets for one client at `/oauth/token`, from one address.",
			hides: "As above; the client itself gets its tokens from elsewhere all the same.", status: 429, code: "temporarily_unavailable",
			try: func(f *fight) {
				f.works(f.anyone().form("/oauth/token", secretForm(f.client.id, f.client.secret)))
				slowed := 0
				for n := range 100 {
					a := f.anyone().form("/oauth/token", secretForm(f.client.id, "fg_"+strings.Repeat(string(rune('a'+n%26)), 42)+string(rune('A'+n/26))))
					if a.StatusCode == http.StatusUnauthorized {
						require.LessOrEqual(f.t, n, 40, "the guesses are slowed")
						continue
					}
					f.strikes(a)
					slowed++
				}
				require.Greater(f.t, slowed, 60)
				f.works(f.anyone().callingFrom("127.2.0.1").form("/oauth/token", secretForm(f.client.id, f.client.secret)))
			},
		},
		{
			name: "Which hospitals there are", sends: "`metadata` and `.well-known/smart-configuration` of a hospital that exists, and of one that does not, without a credential.",
			hides: "The answers are the same bytes, but for the name that was asked for.", status: 200,
			try: func(f *fight) {
				f.works(f.plan("e2e").get("/fhir/harbor/metadata"))
				for _, document := range []string{"metadata", ".well-known/smart-configuration"} {
					one, other := f.anyone().get("/fhir/harbor/"+document), f.anyone().get("/fhir/harbur/"+document)
					f.strikes(one, other)
					f.same(one, other, "harbor", "harbur")
					one, other = f.anyone().get("/fhir/quay/"+document), f.anyone().get("/fhir/quax/"+document)
					f.strikes(one, other)
					f.same(one, other, "quay", "quax")
				}
			},
		},
		{
			name: "Which hospitals there are, with a bad key", sends: "The same documents with a key and with a token that are not good, and with a client certificate's name in a header.",
			hides: "The answers are the same bytes, whether there is such a hospital or not.", status: 401, code: "login",
			try: func(f *fight) {
				f.works(f.plan("e2e").get("/fhir/harbor/metadata"))
				for _, bad := range []string{"fg_" + strings.Repeat("0", 43), f.forged(claims{"exp": ago(time.Hour)})} {
					for _, document := range []string{"metadata", ".well-known/smart-configuration"} {
						one, other := f.as(bad).get("/fhir/harbor/"+document, "X-Client-Cert", "alice"), f.as(bad).get("/fhir/nowhere/"+document, "X-Client-Cert", "alice")
						f.strikes(one, other)
						f.same(one, other)
					}
				}
			},
		},
		{
			name: "Which hospitals there are, with a key", sends: "A good key at a hospital beyond its plan and at one that does not exist: discovery, a read, a search.",
			hides: "The answers are the same bytes.", status: 404, code: "not-found",
			try: func(f *fight) {
				f.works(f.plan("e2e").get("/fhir/harbor/metadata"))
				for _, path := range []string{"metadata", ".well-known/smart-configuration", "Patient/100000", "Patient?name=a"} {
					one, other := f.plan("e2e").get("/fhir/quay/"+path), f.plan("e2e").get("/fhir/nowhere/"+path)
					f.strikes(one, other)
					f.same(one, other)
				}
			},
		},
		{
			name: "The admin API at the public port", sends: "`GET /metrics`, `/admin/keys`, `/debug/pprof/`, `/healthz/../metrics` at the public port, with a good key and with the admin API's secret.",
			hides: "There is nothing at these paths: the admin API has a port of its own.", status: 404, code: "not-found",
			try: func(f *fight) {
				admin := strings.TrimSpace(f.a.read("data/admin-secret"))
				f.works(f.as(admin).callingFrom("127.0.0.1").get(f.a.admin + "/admin/keys"))
				for _, path := range []string{"/metrics", "/admin/keys", "/admin/reload", "/debug/pprof/", "/healthz/../metrics"} {
					f.strikes(f.plan("e2e").get(path), f.as(admin).get(path))
				}
			},
		},
	}
}
