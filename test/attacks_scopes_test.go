package test

import (
	"net/http"
)

// scopeAttack is an attack by calls of the plan that permits to read and search
// Patients and nothing else. path and query are below the hospital.
func scopeAttack(name, sends, hides string, targets ...string) attack {
	return attack{
		name: name, sends: sends, hides: hides, status: 403, code: "forbidden",
		try: func(f *fight) {
			f.works(f.plan("patients").get("/fhir/harbor/Patient?name=a&_count=1"))
			for _, target := range targets {
				f.strikes(f.plan("patients").get("/fhir/harbor" + target))
			}
		},
	}
}

const (
	namesScope = "The answer names the scope that is missing, from the call alone: the hospital is not asked."
	formMedia  = "application/x-www-form-urlencoded"
)

func scopeAttacks() []attack {
	return []attack{
		{
			name: "Another type", sends: "Read, search, version and history of an Observation that exists, and of one that does not.",
			hides: "Both answers are the same bytes.", status: 403, code: "forbidden",
			try: func(f *fight) {
				f.works(f.plan("patients").get(somewhere))
				f.works(f.plan("e2e").get("/fhir/harbor/" + f.secret.lab))
				for _, rest := range []string{"", "/_history", "/_history/1"} {
					one, other := f.plan("patients").get("/fhir/harbor/"+f.secret.lab+rest), f.plan("patients").get("/fhir/harbor/Observation/none"+rest)
					f.strikes(one, other)
					f.same(one, other)
				}
				f.strikes(f.plan("patients").get("/fhir/harbor/Observation?code=1"))
			},
		},
		scopeAttack("Included types", "`_include=Patient:general-practitioner`, `Patient:*`, `*`, `Patient:organization:Organization`, with `:iterate` and `:recurse`, and in a list.", namesScope,
			"/Patient?name=a&_include=Patient:general-practitioner", "/Patient?name=a&_include=*", "/Patient?name=a&_include=Patient:*", "/Patient?name=a&_include=Patient:organization:Organization",
			"/Patient?name=a&_include:iterate=Patient:organization", "/Patient?name=a&_include:recurse=*", "/Patient?name=a&_include=Patient:link,Patient:organization"),
		scopeAttack("Types that refer", "`_revinclude=Observation:subject`, `*`, and `_revinclude:iterate`.", namesScope,
			"/Patient?name=a&_revinclude=Observation:subject", "/Patient?name=a&_revinclude=*", "/Patient?name=a&_revinclude:iterate=Observation:subject", "/Patient?_id=100000&_revinclude=Provenance:target"),
		scopeAttack("Chains", "`general-practitioner.name`, `organization:Organization.name`, `organization.partof.name`, `_sort=organization.name`: questions about what may not be read.", namesScope,
			"/Patient?general-practitioner.name=a", "/Patient?organization:Organization.name=a", "/Patient?organization.partof.name=a", "/Patient?name=a&_sort=organization.name"),
		scopeAttack("Reverse chains", "`_has:Observation:patient:code`, and one inside another.", namesScope,
			"/Patient?_has:Observation:patient:code=1", "/Patient?_has:Encounter:patient:_has:Observation:encounter:code=1", "/Patient?_HAS:Observation:patient:code=1"),
		scopeAttack("Escaped and capital names", "`%5finclude`, `_%69nclude`, `_INCLUDE`, `_Revinclude%3aiterate`.", namesScope,
			"/Patient?name=a&%5finclude=*", "/Patient?name=a&_%69nclude=Patient:organization", "/Patient?name=a&_INCLUDE=*", "/Patient?name=a&_Revinclude%3aiterate=Observation:subject"),
		{
			name: "The dangerous part in the body", sends: "`POST Patient/_search?name=a` whose form holds `_revinclude`, `_include=*`, `_has`; and the other way round.",
			hides: namesScope, status: 403, code: "forbidden",
			try: func(f *fight) {
				search := func(query, body string) answer {
					return f.plan("patients").post("/fhir/harbor/Patient/_search"+query, body, "Content-Type", formMedia)
				}
				f.works(search("", "name=a&_count=1"))
				f.strikes(search("", "name=a&_revinclude=Observation:subject"), search("?name=a", "_include=*"), search("?name=a", "_has:Observation:patient:code=1"),
					search("?_revinclude=Observation:subject", "name=a"), search("", "name=a&%5frevinclude=*"))
			},
		},
		scopeAttack("A compartment", "`Patient/100000/Observation`, with the scope for Patient alone.", namesScope, "/Patient/100000/Observation", "/Patient/100000/Encounter?status=finished"),
		scopeAttack("Operations that collect", "`$everything` of one Patient and of all, `$export`.", namesScope,
			"/Patient/100000/$everything", "/Patient/100000/$everything?_type=Patient", "/Patient/$everything", "/$export", "/Patient/$export"),
		scopeAttack("The whole system", "A search and a history of the system, for all types and for a list.", namesScope,
			"?_type=Patient,Observation", "?name=a", "/_history", "/_history?_type=Patient,Observation"),
		scopeAttack("Parameters that bring in others", "`_filter`, `_query`, `_text`, `_list`, `_contained=true`, `_type=Observation`, and one that nobody knows.", namesScope,
			"/Patient?_filter=name%20eq%20a", "/Patient?_query=x", "/Patient?_text=a", "/Patient?_list=1", "/Patient?_contained=true", "/Patient?_type=Observation", "/Patient?_unheardof=1"),
		{
			name: "Two readings of a query", sends: "`name=a;_include=*`, `name=%zz`, a name with a NUL, with a line break, with a bracket.",
			hides: "What two servers may read in two ways is refused.", status: 400, code: "invalid",
			try: func(f *fight) {
				f.works(f.plan("patients").get("/fhir/harbor/Patient?name=a&_count=1"))
				for _, query := range []string{"name=a;_include=*", "name=%zz", "na%00me=a", "name=a&_include%0a=*", "_include[]=*", "=a"} {
					f.strikes(f.plan("patients").get("/fhir/harbor/Patient?" + query))
				}
			},
		},
		{
			name: "Writing with a reader's key", sends: "Create, update, patch, delete, and their conditional forms.",
			hides: namesScope, status: 403, code: "forbidden",
			try: func(f *fight) {
				const patient = `{"resourceType":"Patient","id":"100000"}`
				f.works(f.plan("patients").get(somewhere))
				c := f.plan("patients")
				f.strikes(
					c.post("/fhir/harbor/Patient", `{"resourceType":"Patient"}`), c.call(http.MethodPut, somewhere, patient), c.call(http.MethodDelete, somewhere, ""),
					c.call(http.MethodPatch, somewhere, `[{"op":"remove","path":"/name"}]`, "Content-Type", "application/json-patch+json"),
					c.post("/fhir/harbor/Patient", `{"resourceType":"Patient"}`, "If-None-Exist", "identifier=1"),
					c.call(http.MethodPut, "/fhir/harbor/Patient?identifier=1", `{"resourceType":"Patient"}`), c.call(http.MethodDelete, "/fhir/harbor/Patient?identifier=1", ""),
				)
			},
		},
		{
			name: "Searching with a key for reads", sends: "With the scope `system/Patient.r`: a search, a search by POST, the history of the type.",
			hides: namesScope, status: 403, code: "forbidden",
			try: func(f *fight) {
				c := f.plan("reader")
				f.works(c.get(somewhere))
				f.works(c.get(somewhere + "/_history"))
				f.strikes(c.get("/fhir/harbor/Patient?name=a"), c.get("/fhir/harbor/Patient"), c.get("/fhir/harbor/Patient/_history"), c.post("/fhir/harbor/Patient/_search", "name=a", "Content-Type", formMedia))
			},
		},
		{
			name: "Asking by a create", sends: "With the scope `system/Patient.c`: `If-None-Exist`, whose answer would tell whether there is such a Patient.",
			hides: "Whether there is one or not, the answer is the same bytes.", status: 403, code: "forbidden",
			try: func(f *fight) {
				c := f.plan("creator")
				f.works(c.post("/fhir/harbor/Patient", `{"resourceType":"Patient"}`))
				one := c.post("/fhir/harbor/Patient", `{"resourceType":"Patient"}`, "If-None-Exist", "_id=100000")
				none := c.post("/fhir/harbor/Patient", `{"resourceType":"Patient"}`, "If-None-Exist", "_id=none")
				f.strikes(one, none)
				f.same(one, none)
			},
		},
		{
			name: "What a hospital does not list", sends: "With a plan that permits everything: a type, an interaction and an operation that the hospital's file does not list.",
			hides: "The answer tells what the file lists, to who may use all of it.", status: 403, code: "not-supported",
			try: func(f *fight) {
				c := f.plan("e2e")
				f.works(c.get("/fhir/harbor/Practitioner/20"))
				f.strikes(c.get("/fhir/harbor/Account/1"), c.get("/fhir/harbor/Practitioner/20/_history"), c.call(http.MethodDelete, "/fhir/harbor/Organization/1", ""), c.post("/fhir/harbor/$reindex", `{"resourceType":"Parameters"}`))
			},
		},
	}
}
