package test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

// bodyAttack sends bodies as creates of an Observation, with a plan that permits
// those of laboratory results.
func bodyAttack(name, sends, hides string, status int, code string, bodies func(f *fight) [][]string) attack {
	return attack{
		name: name, sends: sends, hides: hides, status: status, code: code,
		try: func(f *fight) {
			f.works(f.plan("lab").post("/fhir/harbor/Observation", labResult))
			for _, sent := range bodies(f) {
				f.strikes(f.plan("lab").post("/fhir/harbor/Observation", sent[0], sent[1:]...))
			}
		},
	}
}

// zipped returns text compressed.
func zipped(f *fight, text string) string {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err := writer.Write([]byte(text))
	require.NoError(f.t, err)
	require.NoError(f.t, writer.Close())
	return packed.String()
}

// wide returns text in UTF-16, the lower byte first.
func wide(text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return string(out)
}

func bodyAttacks() []attack {
	const unread = "What cannot be looked at is not sent."
	return []attack{
		bodyAttack("A compressed body", "A vital sign with `Content-Encoding: gzip`, `br`, `identity, gzip`, where laboratory results alone may be sent.", unread, 415, "not-supported", func(f *fight) [][]string {
			return [][]string{
				{zipped(f, vitalSign), "Content-Encoding", "gzip"},
				{zipped(f, labResult), "Content-Encoding", "gzip"},
				{vitalSign, "Content-Encoding", "br"},
				{zipped(f, vitalSign), "Content-Encoding", "identity, gzip"},
			}
		}),
		bodyAttack("Another media type", "A vital sign as XML, as text, as a form, as JSON-LD.", unread, 415, "not-supported", func(*fight) [][]string {
			return [][]string{
				{`<Observation xmlns="http://hl7.org/fhir"><status value="final"/></Observation>`, "Content-Type", "application/fhir+xml"},
				{vitalSign, "Content-Type", "text/plain"},
				{vitalSign, "Content-Type", formMedia},
				{vitalSign, "Content-Type", "application/ld+json"},
			}
		}),
		bodyAttack("Another alphabet", "A vital sign in UTF-16, with and without saying so, with a byte order mark, with a NUL.", unread, 400, "", func(*fight) [][]string {
			return [][]string{
				{wide(vitalSign), "Content-Type", fhirJSON + "; charset=utf-16"},
				{"\xff\xfe" + wide(vitalSign)},
				{"\xef\xbb\xbf" + vitalSign},
				{strings.Replace(vitalSign, "attacked", "atta\x00cked", 1)},
			}
		}),
		bodyAttack("Two readings of one body", "`category` twice, plain and with an escape in its name.", "The body is refused before it is sent.", 403, "forbidden", func(*fight) [][]string {
			twice := strings.Replace(labResult, `"status"`, `"category":[{"coding":[{"code":"vital-signs"}]}],"status"`, 1)
			return [][]string{{twice}, {strings.Replace(twice, `"category"`, `"categor\u0079"`, 1)}}
		}),
		bodyAttack("More than one resource", "A laboratory result with a vital sign behind it, with text behind it, in an array, and half of one.", "The body is refused before it is sent.", 400, "", func(*fight) [][]string {
			return [][]string{{labResult + vitalSign}, {labResult + "x"}, {"[" + labResult + "]"}, {labResult[:len(labResult)-4]}}
		}),
		bodyAttack("A million brackets", "A body that is nested a million deep, as arrays and as objects.", "The answer says that it is not well formed; the gateway goes on.", 400, "", func(*fight) [][]string {
			const deep = 1_000_000
			return [][]string{
				{strings.Replace(labResult, `"status":"final"`, `"status":"final","x":`+strings.Repeat("[", deep)+strings.Repeat("]", deep), 1)},
				{strings.Replace(labResult, `"status":"final"`, `"status":"final","x":`+strings.Repeat(`{"a":`, deep)+"1"+strings.Repeat("}", deep), 1)},
				{strings.Repeat("[", deep)},
			}
		}),
		{
			name: "Reading back by a write", sends: "With the scope `system/Patient.c`: a create with `Prefer: return=representation`, by itself and as an entry of a transaction.",
			hides: "The resource is left out of the answer: it may be written, not read.", status: 201, answer: "201, without the resource",
			try: func(f *fight) {
				const patient, prefer = `{"resourceType":"Patient","name":[{"family":"Schreibgut"}]}`, "return=representation"
				own := f.works(f.plan("e2e").post("/fhir/harbor/Patient", patient, "Prefer", prefer))
				require.Contains(f.t, string(own.body), "Schreibgut")
				a := f.plan("creator").post("/fhir/harbor/Patient", patient, "Prefer", prefer)
				require.Equal(f.t, http.StatusCreated, a.StatusCode)
				require.Empty(f.t, a.body)
				batch := f.plan("creator").post("/fhir/harbor", bundle("transaction", postOf("Patient", patient)), "Prefer", prefer)
				require.Equal(f.t, http.StatusOK, batch.StatusCode, "%s", batch.body)
				require.NotContains(f.t, string(batch.body), "Schreibgut")
				f.clean(a)
				f.clean(batch)
				f.struck++
			},
		},
		{
			name: "A token request in another form", sends: "The token request as JSON, as multipart, without a media type, of 100 KiB, and with a broken escape.",
			hides: "Nobody is looked up.", status: 400, code: "invalid_request",
			try: func(f *fight) {
				form := secretForm(f.client.id, f.client.secret)
				f.works(f.anyone().form("/oauth/token", form))
				send := func(body, media string) answer { return f.anyone().post("/oauth/token", body, "Content-Type", media) }
				large := url.Values{"x": {strings.Repeat("a", 100<<10)}}
				f.strikes(send(encode(f.t, claims{"grant_type": "client_credentials", "client_id": f.client.id, "client_secret": f.client.secret}), "application/json"),
					send(form.Encode(), "multipart/form-data; boundary=x"), send(form.Encode(), "x"), send(form.Encode()+"&"+large.Encode(), formMedia), send(form.Encode()+"&x=%zz", formMedia))
			},
		},
	}
}
