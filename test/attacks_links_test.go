package test

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"fhirgate/internal/envelope"
)

// link returns the link to the next page of a search, as it was given to the
// consumer of the plan e2e.
func (f *fight) link() string {
	page := f.works(f.plan("e2e").get("/fhir/harbor/Patient?_count=2"))
	given := next(page.ok(200))
	require.Contains(f.t, given, "/fhir/harbor/_sealed/")
	return given
}

// sealed returns a link that the gateway's own key has sealed, with changes to
// what it says.
func (f *fight) sealed(changes claims) string {
	var set jose.JSONWebKeySet
	require.NoError(f.t, json.Unmarshal([]byte(f.a.read("data/link-keys")), &set))
	keys, err := envelope.New(set)
	require.NoError(f.t, err)
	content := claims{
		"u": f.a.Harbor.BaseURL() + "/Patient/100000", "h": "harbor", "c": f.keys["e2e"].keyID, "i": "read", "t": "Patient", "e": time.Now().Add(time.Hour).Unix(),
	}.with(changes)
	token, err := keys.Seal([]byte(encode(f.t, content)))
	require.NoError(f.t, err)
	return "/fhir/harbor/_sealed/" + token
}

func linkAttacks() []attack {
	const foreignAnswer = "Nothing is sent, and the answer does not say whether there is such a resource."
	return []attack{
		{
			name: "A link of another consumer", sends: "The link to the next page of another consumer's search, with an own key whose plan permits as much, and with none of Patients.",
			hides: "The link holds nothing that can be read: it is encrypted.", status: 403, code: "forbidden",
			try: func(f *fight) {
				given := f.link()
				f.works(f.plan("e2e").get(given))
				f.strikes(f.plan("second").get(given), f.plan("patients").get(given), f.as(f.forged(nil)).get(given))
			},
		},
		{
			name: "A link at another hospital", sends: "A consumer's own link with the name of another hospital in its path.",
			hides: "As above.", status: 403, code: "forbidden",
			try: func(f *fight) {
				given := f.link()
				f.works(f.plan("e2e").get(given))
				f.strikes(f.plan("e2e").get(strings.Replace(given, "/harbor/", "/annex/", 1)), f.plan("e2e").get(strings.Replace(given, "/harbor/", "/st-mary/", 1)))
			},
		},
		{
			name: "A changed link", sends: "A consumer's own link with one character changed, shortened, lengthened, of another gateway's key, and unencrypted.",
			hides: "All of them are links that the gateway never gave out.", status: 404, code: "not-found",
			try: func(f *fight) {
				given := f.link()
				f.works(f.plan("e2e").get(given))
				f.works(f.plan("e2e").get(f.sealed(nil)))
				flipped := []byte(given)
				at := len(flipped) - 30
				flipped[at] = map[bool]byte{true: 'B', false: 'A'}[flipped[at] == 'A']
				other, err := envelope.New(envelope.NewSet())
				require.NoError(f.t, err)
				token, err := other.Seal([]byte(`{"u":"` + f.a.Harbor.BaseURL() + `/Patient/1","h":"harbor"}`))
				require.NoError(f.t, err)
				for _, link := range []string{string(flipped), given[:len(given)-4], given + "AAAA", "/fhir/harbor/_sealed/" + token, "/fhir/harbor/_sealed/e30.e30.e30", "/fhir/harbor/_sealed/aHR0cDovLzEyNy4wLjAuMQ"} {
					f.strikes(f.plan("e2e").get(link))
				}
			},
		},
		{
			name: "An expired link", sends: "A link that is good in everything but is too old.",
			hides: "It was the consumer's own.", status: 410, code: "expired",
			try: func(f *fight) {
				f.works(f.plan("e2e").get(f.sealed(nil)))
				f.strikes(f.plan("e2e").get(f.sealed(claims{"e": ago(time.Second)})), f.plan("e2e").get(f.sealed(claims{"e": nil})))
			},
		},
		{
			name: "A link to elsewhere", sends: "A link that the gateway's own key has sealed, to the cloud's metadata address, to another hospital, to a file.",
			hides: "Nothing is fetched: the route's hosts are looked at again.", status: 403, code: "forbidden",
			try: func(f *fight) {
				f.works(f.plan("e2e").get(f.sealed(nil)))
				for _, url := range []string{"http://169.254.169.254/latest/meta-data/", f.a.StMary.BaseURL() + "/Patient/1", "file:///etc/passwd", "http://127.0.0.1:1/"} {
					f.strikes(f.plan("e2e").get(f.sealed(claims{"u": url})))
				}
			},
		},
		{
			name: "A link for more than the scopes", sends: "A link that the gateway's own key has sealed for this consumer, to a type beyond its plan.",
			hides: "A link gives no right by itself: the scopes are looked at again.", status: 403, code: "forbidden",
			try: func(f *fight) {
				own := claims{"c": f.keys["patients"].keyID}
				f.works(f.plan("patients").get(f.sealed(own)))
				f.strikes(f.plan("patients").get(f.sealed(own.with(claims{"t": "Observation", "u": f.a.Harbor.BaseURL() + "/" + f.secret.lab}))))
			},
		},
		{
			name: "A link with another method", sends: "POST, PUT and DELETE to a consumer's own link.",
			hides: "It is told from the method.", status: 405, code: "not-supported",
			try: func(f *fight) {
				given := f.link()
				f.works(f.plan("e2e").get(given))
				f.strikes(f.plan("e2e").post(given, `{"resourceType":"Patient"}`), f.plan("e2e").call(http.MethodPut, given, `{"resourceType":"Patient"}`), f.plan("e2e").call(http.MethodDelete, given, ""))
			},
		},
		{
			name: "A link with parameters", sends: "A consumer's own link with `?_include=*`, `?_count=100000`, `?x` behind it.",
			hides: "It is told from the URL.", status: 400, code: "invalid",
			try: func(f *fight) {
				given := f.link()
				f.works(f.plan("e2e").get(given))
				for _, query := range []string{"?_include=*", "?_count=100000", "?x", "?url=http://evil.example"} {
					f.strikes(f.plan("e2e").get(given + query))
				}
			},
		},
		{
			name: "A reference to another hospital in a body", sends: "An Observation whose subject is a Patient of another hospital: by the gateway, by the hospital's own address, in capitals, without a scheme, with escapes, in an extension, in `contained`, by a patch.",
			hides: foreignAnswer, status: 422, code: "value",
			try: func(f *fight) {
				send := func(reference string) answer {
					return f.plan("e2e").post("/fhir/harbor/Observation", `{"resourceType":"Observation","status":"final","code":{"text":"attacked"},"subject":{"reference":"`+reference+`"}}`)
				}
				f.works(send("Patient/100000"))
				f.works(send(f.a.url + "/fhir/harbor/Patient/100000"))
				host := strings.TrimPrefix(f.a.url, "http:")
				for _, reference := range []string{
					f.a.url + "/fhir/st-mary/Patient/1", f.a.StMary.BaseURL() + "/Patient/1", "HTTP:" + host + "/fhir/st-mary/Patient/1", host + "/fhir/st-mary/Patient/1",
					f.a.url + "/fhir/st%2Dmary/Patient/1", f.a.url + "/fhir/nowhere/Patient/1", f.a.url + "/x/../fhir/st-mary/Patient/1",
				} {
					f.strikes(send(reference))
				}
				foreign := f.a.url + "/fhir/st-mary/Patient/1"
				f.strikes(
					f.plan("e2e").post("/fhir/harbor/Observation", `{"resourceType":"Observation","extension":[{"url":"http://e.example/x","valueReference":{"reference":"`+foreign+`"}}]}`),
					f.plan("e2e").post("/fhir/harbor/Observation", `{"resourceType":"Observation","contained":[{"resourceType":"Patient","managingOrganization":{"reference":"`+foreign+`"}}]}`),
					f.plan("e2e").call(http.MethodPatch, somewhere, `[{"op":"add","path":"/managingOrganization","value":{"reference":"`+foreign+`"}}]`, "Content-Type", patchType),
				)
				known, unknown := send(f.a.url+"/fhir/st-mary/Patient/12724065"), send(f.a.url+"/fhir/nowhere/Patient/1")
				f.same(known, unknown)
			},
		},
		{
			name: "A reference to another hospital in a parameter", sends: "`subject=` with the address of another hospital's Patient, in the URL, in a form, in `If-None-Exist`, in a list.",
			hides: foreignAnswer, status: 422, code: "value",
			try: func(f *fight) {
				f.works(f.plan("e2e").get("/fhir/harbor/Observation?subject=" + f.a.url + "/fhir/harbor/Patient/100000&_count=1"))
				for _, reference := range []string{f.a.url + "/fhir/st-mary/Patient/1", f.a.StMary.BaseURL() + "/Patient/1", "Patient/1," + f.a.url + "/fhir/st-mary/Patient/1"} {
					f.strikes(
						f.plan("e2e").get("/fhir/harbor/Observation?subject="+reference), f.plan("e2e").post("/fhir/harbor/Observation/_search", "subject="+reference, "Content-Type", formMedia),
						f.plan("e2e").post("/fhir/harbor/Patient", `{"resourceType":"Patient"}`, "If-None-Exist", "general-practitioner="+reference),
					)
				}
			},
		},
		{
			name: "Another consumer's link in a body", sends: "A DocumentReference whose attachment is a sealed link that was given to another consumer.",
			hides: "The answer does not say what the link leads to.", status: 422, code: "value",
			try: func(f *fight) {
				body := func(link string) string {
					return `{"resourceType":"DocumentReference","status":"current","content":[{"attachment":{"contentType":"text/plain","url":"` + f.a.url + link + `"}}]}`
				}
				own := f.sealed(claims{"t": "Binary", "u": f.a.Harbor.BaseURL() + "/Binary/4000"})
				f.works(f.plan("e2e").post("/fhir/harbor/DocumentReference", body(own)))
				f.strikes(f.plan("second").post("/fhir/harbor/DocumentReference", body(own)), f.plan("e2e").post("/fhir/harbor/DocumentReference", body(own[:len(own)-3]+"AAA")))
			},
		},
	}
}
