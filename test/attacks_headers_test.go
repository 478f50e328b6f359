package test

import (
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// pinnedAddress is where the key of some rows may be used from.
const pinnedAddress = "127.0.0.7"

// spoofed are headers that claim to be somebody, as proxies write them.
var spoofed = []string{
	"X-Consumer-Id", "X-Consumer-Username", "X-Consumer-Custom-Id", "X-Credential-Identifier", "X-Authenticated-Userid", "X-Authenticated-Scope",
	"X-Forwarded-User", "X-Forwarded-Email", "X-Remote-User", "Remote-User", "X-Auth-Request-User", "X-User-Id", "X-Userinfo", "X-Client-Cert", "X-SSL-Client-Verify",
	"X-Tyk-Authorization", "X-Amzn-Oidc-Identity", "X-Goog-Authenticated-User-Email", "X-Ms-Client-Principal-Id", "Traceparent", "X-Api-Version",
}

func headerAttacks() []attack {
	return []attack{
		{
			name: "Headers that name a user", sends: "`X-Consumer-Id`, `X-Forwarded-User`, `Remote-User`, `X-Client-Cert`, `X-Tyk-Authorization` and others with the id of a good consumer, and no credential.",
			hides: sameAnswer, status: 401, code: "login",
			try: func(f *fight) {
				f.works(f.plan("e2e").get(somewhere))
				plain := f.anyone().get(somewhere)
				for _, value := range []string{f.keys["e2e"].keyID, "admin", defaultTykSecret} {
					var header []string
					for _, name := range spoofed {
						header = append(header, name, value)
					}
					a := f.anyone().get(somewhere, header...)
					f.strikes(a)
					f.same(plain, a)
				}
			},
		},
		{
			name: "Headers that widen a plan", sends: "The same headers with a good key of a narrow plan, and scopes in `X-Authenticated-Scope`, `X-Scope`, `X-Fhirgate-Scopes`.",
			hides: "The answer is that without the headers.", status: 403, code: "forbidden",
			try: func(f *fight) {
				narrow, path := f.plan("patients"), "/fhir/harbor/"+f.secret.lab
				f.works(narrow.get(somewhere))
				f.works(f.plan("e2e").get(path))
				var header []string
				for _, name := range append([]string{"X-Scope", "X-Scopes", "X-Fhirgate-Scopes", "X-Fhirgate-Plan", "X-Fhirgate-Consumer"}, spoofed...) {
					header = append(header, name, "system/*.cruds "+f.keys["e2e"].keyID)
				}
				a := narrow.get(path, header...)
				f.strikes(a)
				f.same(narrow.get(path), a)
			},
		},
		{
			name: "A forged address", sends: "A key that may be used from one address, from another, with `X-Forwarded-For`, `X-Real-IP`, `Forwarded`, `True-Client-IP`, `CF-Connecting-IP`, `X-Client-IP` that name the right one.",
			hides: "The answer does not say which address is right.", status: 403, code: "forbidden",
			try: func(f *fight) {
				key := f.as(f.a.newClient(f.t, "e2e", "--allow-from", pinnedAddress).key)
				f.works(key.callingFrom(pinnedAddress).get(somewhere))
				for _, name := range []string{"X-Forwarded-For", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP", "X-Cluster-Client-IP"} {
					f.strikes(key.get(somewhere, name, pinnedAddress), key.get(somewhere, name, pinnedAddress, name, "127.0.0.1"))
				}
				f.strikes(key.get(somewhere, "Forwarded", "for="+pinnedAddress))
			},
		},
		{
			name: "A forged address behind a proxy", sends: "The same through a proxy that the gateway trusts and that writes the real address behind the forged one, in one `X-Forwarded-For` and in two; and past the proxy.",
			hides: "As above.", status: 403, code: "forbidden",
			try: func(f *fight) {
				key := f.as(f.a.newClient(f.t, "e2e", "--allow-from", pinnedAddress).key).at(f.b)
				proxy := key.callingFrom(proxyAddress)
				f.works(proxy.get(somewhere, "X-Forwarded-For", pinnedAddress))
				f.works(proxy.get(somewhere, "X-Forwarded-For", "10.1.2.3, "+pinnedAddress))
				f.strikes(
					proxy.get(somewhere, "X-Forwarded-For", pinnedAddress+", "+f.from), proxy.get(somewhere, "X-Forwarded-For", pinnedAddress, "X-Forwarded-For", f.from),
					proxy.get(somewhere, "X-Forwarded-For", pinnedAddress+", rubbish"), proxy.get(somewhere, "X-Real-IP", pinnedAddress), proxy.get(somewhere, "Forwarded", "for="+pinnedAddress),
					key.get(somewhere, "X-Forwarded-For", pinnedAddress), key.get(somewhere, "X-Forwarded-For", pinnedAddress+", "+proxyAddress),
				)
			},
		},
		{
			name: "A stolen token", sends: "A token that is in force, of a client that may call from one address, from another, with `X-Forwarded-For` that names the right one.",
			hides: "The answer does not say which address is right.", status: 403, code: "forbidden",
			try: func(f *fight) {
				client := newOAuthClient(f.t, f.a, "e2e", nil, "--allow-from", pinnedAddress)
				right := f.anyone().callingFrom(pinnedAddress).form("/oauth/token", secretForm(client.id, client.secret))
				token := gjson.GetBytes(f.works(right).body, "access_token").Str
				f.works(f.as(token).callingFrom(pinnedAddress).get(somewhere))
				f.strikes(f.as(token).get(somewhere), f.as(token).get(somewhere, "X-Forwarded-For", pinnedAddress), f.as(token).at(f.b).get(somewhere, "X-Forwarded-For", pinnedAddress))
			},
		},
		{
			name: "A stolen secret", sends: "A token request with the good secret of such a client, from another address, with `X-Forwarded-For` that names the right one.",
			hides: sameClientAnswer, status: 401, code: "invalid_client",
			try: func(f *fight) {
				client := newOAuthClient(f.t, f.a, "e2e", nil, "--allow-from", pinnedAddress)
				form := secretForm(client.id, client.secret)
				f.works(f.anyone().callingFrom(pinnedAddress).form("/oauth/token", form))
				unknown := f.anyone().form("/oauth/token", secretForm("key_aaaaaaaaaaaaaaaaaaaaaaaaaa", client.secret))
				for _, a := range []answer{f.anyone().form("/oauth/token", form), f.anyone().form("/oauth/token", form, "X-Forwarded-For", pinnedAddress), f.anyone().at(f.b).form("/oauth/token", form, "X-Forwarded-For", pinnedAddress)} {
					f.strikes(a)
					f.same(unknown, a)
				}
			},
		},
		{
			name: "A forged host", sends: "`Host`, `X-Forwarded-Host`, `Forwarded`, `X-Original-URL` and `X-Rewrite-URL` that name a host and a path of the attacker, with a search that has a next page.",
			hides: "Links are made from the configured address alone.", status: 200, answer: "200, as without them", reaches: true,
			try: func(f *fight) {
				search := "/fhir/harbor/Patient?_count=2"
				plain := f.works(f.plan("e2e").get(search))
				lines := "Host: evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Prefix: /evil\r\nForwarded: host=evil.example\r\n" +
					"X-Original-URL: /fhir/st-mary/Patient\r\nX-Rewrite-URL: /metrics\r\nX-Forwarded-Port: 666\r\n"
				a := f.wire("GET " + search + " HTTP/1.1\r\n" + lines + "Authorization: Bearer " + f.keys["e2e"].key + "\r\nConnection: close\r\n\r\n")
				require.Len(f.t, a, 1)
				f.strikes(a[0])
				require.NotContains(f.t, string(a[0].body), "evil")
				require.True(f.t, strings.HasPrefix(next(a[0].ok(200)), f.a.url+"/fhir/harbor/"))
				require.Equal(f.t, plain.ok(200).Get("entry.#.fullUrl").Raw, a[0].ok(200).Get("entry.#.fullUrl").Raw)
			},
		},
		{
			name: "A request id that is something else", sends: "`X-Request-Id` with quotes, with markup, with blanks, with a reference, of 10 KiB: it would stand in the log and in answers.",
			hides: "The gateway makes an id of its own.", status: 401, code: "login",
			try: func(f *fight) {
				f.works(f.plan("e2e").get(somewhere, "X-Request-Id", "a-good-one"))
				for _, id := range []string{`a","level":"ERROR`, "<script>alert(1)</script>", "a b", strings.Repeat("a", 10<<10), "Patient/1?name=x"} {
					a := f.anyone().get(somewhere, "X-Request-Id", id)
					f.strikes(a)
					require.NotEqual(f.t, id, a.Header.Get("X-Request-Id"))
					require.NotContains(f.t, string(a.body), id)
				}
			},
		},
		{
			name: "Another method by a header", sends: "`X-HTTP-Method-Override`, `X-HTTP-Method`, `X-Method-Override`, `_method` that say DELETE, with a GET and with a POST.",
			hides: "The hospital sees a read, and nothing else.", status: 200, answer: "200: it is a read", reaches: true,
			try: func(f *fight) {
				f.works(f.plan("e2e").get(somewhere))
				for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method", "X-Original-Method"} {
					f.strikes(f.plan("e2e").get(somewhere, name, http.MethodDelete))
				}
				search := f.plan("e2e").post("/fhir/harbor/Patient/_search", "_count=1", "Content-Type", "application/x-www-form-urlencoded", "X-HTTP-Method-Override", http.MethodDelete)
				require.Equal(f.t, 200, search.StatusCode)
				f.works(f.plan("e2e").get(somewhere))
			},
		},
	}
}
