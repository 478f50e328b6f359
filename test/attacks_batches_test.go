package test

import (
	"strings"

	"github.com/stretchr/testify/require"
)

// bundle returns a batch or transaction of entries.
func bundle(kind string, entries ...string) string {
	return `{"resourceType":"Bundle","type":"` + kind + `","entry":[` + strings.Join(entries, ",") + `]}`
}

// entryOf returns an entry without a resource.
func entryOf(method, url string) string {
	return `{"request":{"method":"` + method + `","url":"` + url + `"}}`
}

// postOf returns an entry that creates.
func postOf(typ, resource string) string {
	return `{"request":{"method":"POST","url":"` + typ + `"},"resource":` + resource + `}`
}

// beyond are entries that the plan of Patients does not permit.
func (f *fight) beyond() []string {
	return []string{
		entryOf("GET", f.secret.lab), entryOf("GET", "Patient?name=a&_revinclude=Observation:subject"), entryOf("DELETE", "Patient/100000"),
		entryOf("GET", "Patient/100000/Observation"), entryOf("GET", "/"+f.secret.lab+"/_history/1"), postOf("Observation", labResult),
		entryOf("GET", f.a.url+"/fhir/harbor/"+f.secret.lab), `{"request":{"method":"GET","ur\u006c":"` + f.secret.lab + `"}}`,
	}
}

func batchAttacks() []attack {
	wrongBatch := func(name, sends, hides string, status int, code string, entries func(f *fight) []string) attack {
		return attack{
			name: name, sends: sends, hides: hides, status: status, code: code,
			try: func(f *fight) {
				f.works(f.plan("patients").post("/fhir/harbor", bundle("transaction", entryOf("GET", "Patient/100000"))))
				for _, entry := range entries(f) {
					f.strikes(f.plan("patients").post("/fhir/harbor", bundle("transaction", entryOf("GET", "Patient/100000"), entry)))
				}
			},
		}
	}
	return []attack{
		{
			name: "A batch entry beyond the scope", sends: "A batch with a read of another type, a search with `_revinclude`, a delete, a compartment, a create.",
			hides: "The entry gets the answer that the call would get by itself, and does not go to the hospital.", status: 200, answer: "200, and for the entry 403 `forbidden`",
			try: func(f *fight) {
				c := f.plan("patients")
				f.works(c.post("/fhir/harbor", bundle("batch", entryOf("GET", "Patient/100000"))))
				for _, entry := range f.beyond() {
					a := c.post("/fhir/harbor", bundle("batch", entry))
					f.strikes(a)
					response := a.ok(200).Get("entry.0.response")
					require.Contains(f.t, response.Get("status").Str, "403", "%s: %s", entry, a.body)
					require.Equal(f.t, "forbidden", response.Get("outcome.issue.0.code").Str)
					require.Len(f.t, a.ok(200).Get("entry").Array(), 1)
				}
				mixed := c.post("/fhir/harbor", bundle("batch", entryOf("GET", "Patient/100000"), f.beyond()[0]))
				require.Contains(f.t, mixed.ok(200).Get("entry.0.response.status").Str, "200")
				require.Contains(f.t, mixed.ok(200).Get("entry.1.response.status").Str, "403")
				for _, call := range f.a.Harbor.Calls() {
					require.NotContains(f.t, string(call.Body), "Observation", "only the permitted entry goes to the hospital")
				}
			},
		},
		wrongBatch("A transaction beyond the scope", "The same entries in a transaction, beside a permitted one.", "The whole transaction is refused, and nothing goes to the hospital.", 403, "forbidden",
			func(f *fight) []string { return f.beyond() }),
		wrongBatch("A Bundle in a Bundle", "An entry that is a batch itself, a search of the system, a history of the system, `metadata`.", "It is told from the entry alone.", 400, "not-supported",
			func(f *fight) []string {
				return []string{
					`{"request":{"method":"POST","url":""},"resource":` + bundle("batch", f.beyond()[0]) + `}`,
					entryOf("GET", "?_type=Observation"), entryOf("GET", "_history"), entryOf("GET", "metadata"),
				}
			}),
		wrongBatch("An entry for another hospital", "`request.url` with the address of another hospital: by the gateway, by itself, without a scheme.", "The answer does not say whether the address is right.", 422, "value",
			func(f *fight) []string {
				host := strings.TrimPrefix(f.a.url, "http:")
				return []string{
					entryOf("GET", f.a.url+"/fhir/st-mary/Patient/1"), entryOf("GET", host+"/fhir/st-mary/Patient/1"), entryOf("GET", f.a.StMary.BaseURL()+"/Patient/1"),
				}
			}),
		wrongBatch("An entry with a path that is played with", "`request.url` with `..`, `%2f`, `#`, `;`, another scheme, another host.", "It is told from the entry alone.", 400, "",
			func(*fight) []string {
				return []string{
					entryOf("GET", "Patient/../Observation/1"), entryOf("GET", "Patient%2f1"), entryOf("GET", "Patient/1#x"), entryOf("GET", "Patient/1;x"),
					entryOf("GET", "file:///etc/passwd"), entryOf("GET", "//169.254.169.254/latest"), entryOf("GET", "http://169.254.169.254/latest"),
				}
			}),
		wrongBatch("A key twice", "`url` twice in an entry, also escaped and in capitals, and `entry` twice in the Bundle: two parsers would read two requests.", "The whole Bundle is refused.", 400, "",
			func(f *fight) []string {
				return []string{
					`{"request":{"method":"GET","url":"Patient/1","url":"` + f.secret.lab + `"}}`, `{"request":{"method":"GET","url":"Patient/1","ur\u006c":"` + f.secret.lab + `"}}`,
					`{"request":{"method":"GET","url":"Patient/1","URL":"` + f.secret.lab + `"}}`, entryOf("GET", "Patient/1") + `],"entry":[` + f.beyond()[0],
				}
			}),
		{
			name: "A question in a reference", sends: "With the scope `system/Patient.c`: a transaction that creates a Patient with the reference `Practitioner?identifier=1`, which the hospital would look for.",
			hides: "The answer does not say whether there is such a Practitioner.", status: 403, code: "forbidden",
			try: func(f *fight) {
				send := func(reference string) answer {
					return f.plan("creator").post("/fhir/harbor", bundle("transaction", postOf("Patient", `{"resourceType":"Patient","generalPractitioner":[{"reference":"`+reference+`"}]}`)))
				}
				f.works(send("Practitioner/20"))
				one, none := send("Practitioner?_id=20"), send("Practitioner?_id=none")
				f.strikes(one, none, send("Patient?identifier=1"))
				f.same(one, none)
			},
		},
		{
			name: "A batch as a create", sends: "A batch to `/fhir/harbor/Bundle`, and a Bundle of another type to the base.",
			hides: "Only the base takes batches, and nothing else.", status: 0, answer: "403 `not-supported`, 400 `value`",
			try: func(f *fight) {
				c := f.plan("patients")
				f.works(c.post("/fhir/harbor", bundle("batch", entryOf("GET", "Patient/100000"))))
				f.row.status, f.row.code = 403, "not-supported"
				f.strikes(c.post("/fhir/harbor/Bundle", bundle("batch", f.beyond()[0])))
				f.row.status, f.row.code = 400, "value"
				f.strikes(c.post("/fhir/harbor", bundle("document", f.beyond()[0])), c.post("/fhir/harbor", bundle("BATCH", f.beyond()[0])))
			},
		},
	}
}
