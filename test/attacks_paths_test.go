package test

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
)

// pathAttack sends paths byte by byte, with a good key.
func pathAttack(name, sends, hides string, status int, code string, paths func(f *fight) []string) attack {
	return attack{
		name: name, sends: sends, hides: hides, status: status, code: code,
		try: func(f *fight) {
			all := paths(f)
			f.works(f.plan("e2e").get(somewhere))
			for _, path := range all {
				f.strikes(f.line("GET", path)...)
			}
		},
	}
}

// line sends a request line as it is written, with a good key.
func (f *fight) line(method, target string) []answer {
	return f.wire(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n", method, target, f.keys["e2e"].key))
}

func these(paths ...string) func(*fight) []string { return func(*fight) []string { return paths } }

const takenLiterally = "A path is taken literally or not at all: nobody behind the gateway gets it."

func pathAttacks() []attack {
	return []attack{
		pathAttack("Dots", "`/fhir/harbor/../lakeside/Patient/1`, `/fhir/harbor/Observation/../Patient/100000`, `/fhir/harbor/./Patient/100000`.", takenLiterally, 400, "invalid",
			these("/fhir/harbor/../lakeside/Patient/1", "/fhir/harbor/Observation/../Patient/100000", "/fhir/harbor/./Patient/100000", "/fhir/harbor/Patient/..")),
		pathAttack("Encoded dots", "`%2e%2e`, `%2E.`, and both encoded twice.", takenLiterally, 400, "invalid",
			these("/fhir/harbor/%2e%2e/lakeside/Patient/1", "/fhir/harbor/%2E./Patient/100000", "/fhir/harbor/%252e%252e/Patient/100000", "/fhir/harbor/Patient/100000%2e")),
		pathAttack("Empty segments", "`/fhir//harbor/…`, `/fhir/harbor//Patient/100000`.", takenLiterally, 400, "invalid",
			these("/fhir//harbor/Patient/100000", "/fhir/harbor//Patient/100000", "/fhir/harbor/Patient//100000", "/fhir/harbor/Patient/100000//")),
		pathAttack("Path parameters", "`/fhir/harbor;v=1/Patient/100000`, `/fhir/harbor/..;/lakeside/Patient/1`, also encoded.", takenLiterally, 400, "invalid",
			these("/fhir/harbor;v=1/Patient/100000", "/fhir/harbor/Patient/100000;v=1", "/fhir/harbor/..;/lakeside/Patient/1", "/fhir/harbor/Patient%3b/100000")),
		pathAttack("Encoded separators", "`%2f`, `%5c`, a backslash, `%00`, `%3f`, `%23`.", takenLiterally, 400, "invalid",
			these("/fhir/harbor/Patient%2f100000", "/fhir/harbor/Patient%5c100000", `/fhir/harbor\Patient/100000`, "/fhir/harbor/Patient/1%00", "/fhir/harbor/Patient/100000%3f_x", "/fhir/harbor/Patient/100000%23x")),
		pathAttack("Characters that no id has", "`%0d%0a` and a header behind it, a space, a full-width digit, 129 characters.", takenLiterally, 400, "value",
			these("/fhir/harbor/Patient/100000%0d%0aX-Evil:%201", "/fhir/harbor/Patient/a%20b", "/fhir/harbor/Patient/%EF%BC%91", "/fhir/harbor/Patient/"+strings.Repeat("1", 129))),
		pathAttack("Capitals", "`/FHIR/…`, `/fhir/HARBOR/…`, `/fhir/harbor/PATIENT/100000`, `/fhir/harbor/patient/100000`, a dotless i.", "As for any name that does not exist.", 404, "not-found",
			these("/FHIR/harbor/Patient/100000", "/fhir/HARBOR/Patient/100000", "/fhir/harbor/PATIENT/100000", "/fhir/harbor/patient/100000", "/fhir/harbor/Pat%C4%B1ent/100000")),
		pathAttack("Dots and spaces at the end", "`/fhir/harbor./Patient/100000`, `/fhir/harbor%20/…`, `/fhir/harbor/Patient./100000`.", "As for any name that does not exist.", 404, "not-found",
			these("/fhir/harbor./Patient/100000", "/fhir/harbor%20/Patient/100000", "/fhir/harbor/Patient./100000", "/fhir./harbor/Patient/100000")),
		pathAttack("Tyk's own paths", "`/{api_id}/Patient/1` with the ids of the installation, also below `/fhir`.", "Nothing is there, and nothing says that Tyk is.", 404, "not-found",
			func(f *fight) []string {
				install := gjson.Parse(f.a.read("data/install.json"))
				var paths []string
				for _, id := range []string{install.Get("fhir_api_id").Str, install.Get("root_api_id").Str} {
					paths = append(paths, "/"+id+"/", "/"+id+"/Patient/1", "/"+id+"/harbor/Patient/100000", "/"+id+"/fhir/harbor/Patient/100000", "/fhir/"+id+"/Patient/100000")
				}
				return paths
			}),
		pathAttack("Tyk's control", "`/tyk/keys`, `/tyk/apis`, `/tyk/reload/`, `/fhir/tyk/rate-limits/`, `/fhir/harbor/tyk/rate-limits/`, `/hello`, `/tyk-alive`.", "Nothing is there, and nothing says that Tyk is.", 404, "not-found",
			these("/tyk/keys", "/tyk/apis", "/tyk/reload/", "/fhir/tyk/rate-limits/", "/fhir/harbor/tyk/rate-limits/", "/tyk/oauth/clients/x", "/fhir/oauth/authorize/", "/hello", "/tyk-alive")),
		pathAttack("Neighbours of the token endpoint", "`/oauth/token/`, `/oauth/../oauth/token`, `/fhir/oauth/token`, `/oauth/introspect`, `/oauth/authorize`.", "Nothing is there.", 404, "not-found",
			these("/oauth/token/", "/oauth/../oauth/token", "/oauth/%74oken/", "//oauth/token", "/fhir/oauth/token", "/oauth/introspect", "/oauth/authorize", "/oauth/register", "/OAUTH/token")),
		{
			name: "A whole URL in the request line", sends: "`GET http://evil.example/fhir/harbor/Patient/100000`, and one with an address inside of the network.",
			hides: "The path alone counts: the gateway is no proxy.", status: 200, answer: "200, as by its path", reaches: true,
			try: func(f *fight) {
				f.works(f.plan("e2e").get(somewhere))
				a := f.line("GET", "http://evil.example"+somewhere)
				a = append(a, f.line("GET", f.a.StMary.BaseURL()[:len("http://127.0.0.1:")]+"1"+somewhere)...)
				f.strikes(a...)
				f.same(a[0], a[1])
			},
		},
		{
			name: "Methods that nobody needs", sends: "TRACE, TRACK, DEBUG, PROPFIND, OPTIONS, BREW, and `get` in small letters.",
			hides: "TRACE would give back headers; the answer has none of the request.", status: 405, code: "not-supported",
			try: func(f *fight) {
				f.works(f.plan("e2e").get(somewhere))
				for _, method := range []string{http.MethodTrace, "PROPFIND", http.MethodOptions, "BREW", "get", "TRACK", "DEBUG"} {
					f.strikes(f.line(method, somewhere)...)
				}
			},
		},
	}
}
