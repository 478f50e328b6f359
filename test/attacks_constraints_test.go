package test

import (
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

const patchType = "application/json-patch+json"

// withID puts the id into a resource that is sent as an update.
func withID(resource, reference string) string {
	_, id, _ := strings.Cut(reference, "/")
	return strings.Replace(resource, `",`, `","id":"`+id+`",`, 1)
}

func constraintAttacks() []attack {
	const outside = "The answer is that to a resource that is not there."
	return []attack{
		{
			name: "A read outside the constraint", sends: "Read, version, history and a read in a batch of a vital sign.",
			hides: outside, status: 404, code: "not-found", reaches: true,
			try: func(f *fight) {
				c := f.plan("lab")
				f.works(c.get("/fhir/harbor/" + f.secret.lab))
				for _, rest := range []string{"", "/_history/1", "/_history", "?_elements=category", "?_summary=text"} {
					a := c.get("/fhir/harbor/" + f.secret.vital + rest)
					f.strikes(a)
					f.same(a, c.get("/fhir/harbor/Observation/there-is-none"+rest))
					require.NotContains(f.t, string(a.body), "Geheimwert")
				}
				f.forget()
				batch := c.post("/fhir/harbor", bundle("batch", entryOf("GET", f.secret.vital)))
				require.Equal(f.t, "not-found", gjson.GetBytes(batch.body, "entry.0.response.outcome.issue.0.code").Str, "%s", batch.body)
				require.NotContains(f.t, string(batch.body), "Geheimwert")
			},
		},
		{
			name: "A search outside the constraint", sends: "`Observation?category=vital-signs`, `_id=` of a vital sign, all Observations, the history of the type, and as a search by POST.",
			hides: "What is outside is left out, and there is no total.", status: 200, answer: "200, without them", reaches: true,
			try: func(f *fight) {
				c := f.plan("lab")
				_, id, _ := strings.Cut(f.secret.lab, "/")
				found := f.works(c.get("/fhir/harbor/Observation?_id=" + id))
				require.Len(f.t, found.ok(200).Get("entry").Array(), 1, "%s", found.body)
				_, id, _ = strings.Cut(f.secret.vital, "/")
				for _, target := range []string{"?category=vital-signs", "?_id=" + id, "", "?_count=200", "/_history", "?category=vital-signs&category=laboratory"} {
					a := c.get("/fhir/harbor/Observation" + target)
					f.strikes(a)
					require.NotContains(f.t, string(a.body), "Geheimwert", target)
					require.NotContains(f.t, string(a.body), "vital-signs\",\"display", target)
					require.False(f.t, a.ok(200).Get("total").Exists(), target)
				}
				f.forget()
				a := c.post("/fhir/harbor/Observation/_search", "_id="+id, "Content-Type", formMedia)
				require.Empty(f.t, a.ok(200).Get("entry").Array())
			},
		},
		{
			name: "A version outside the constraint", sends: "A read of a vital sign with `If-None-Match` and `If-Modified-Since` that fit: by itself, by HEAD, and as an entry of a batch.",
			hides: "There is no 304, no `ETag` and no `Last-Modified`, which would tell the version and when it was made.", status: 404, code: "not-found", reaches: true,
			try: func(f *fight) {
				c, fits := f.plan("lab"), []string{"If-None-Match", `W/"1"`, "If-Modified-Since", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}
				f.works(c.get("/fhir/harbor/"+f.secret.lab, fits...))
				require.Equal(f.t, http.StatusNotModified, f.plan("e2e").get(somewhere, fits[2:]...).StatusCode, "who may see all gets it")
				f.forget()
				plain := c.get("/fhir/harbor/" + f.secret.vital)
				for _, header := range [][]string{fits, fits[:2], fits[2:]} {
					a := c.get("/fhir/harbor/"+f.secret.vital, header...)
					f.strikes(a)
					f.same(plain, a)
					require.Empty(f.t, a.Header.Get("ETag")+a.Header.Get("Last-Modified"))
				}
				require.Equal(f.t, http.StatusNotFound, c.call(http.MethodHead, "/fhir/harbor/"+f.secret.vital, "", fits...).StatusCode)
				f.forget()
				entry := func(reference string) string {
					return `{"request":{"method":"GET","url":"` + reference + `","ifNoneMatch":"W/\"1\"","ifModifiedSince":"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `"}}`
				}
				batch := c.post("/fhir/harbor", bundle("batch", entry(f.secret.vital), entry(f.secret.lab))).ok(200)
				require.Contains(f.t, batch.Get("entry.0.response.status").Str, "404")
				require.False(f.t, batch.Get("entry.0.response.etag").Exists())
				require.Contains(f.t, batch.Get("entry.1.response.status").Str, "200", "what may be seen is")
			},
		},
		{
			name: "Counting what is hidden", sends: "`_summary=count`, `_total=accurate`, `_count=0`, also escaped and in a form, for vital signs and for laboratory results.",
			hides: "No number is told, so that none can be compared.", status: 403, code: "forbidden",
			try: func(f *fight) {
				c := f.plan("lab")
				f.works(c.get("/fhir/harbor/Observation?_count=1"))
				f.works(f.plan("e2e").get("/fhir/harbor/Observation?_summary=count"))
				for _, query := range []string{"_summary=count", "_summary=Count", "_total=accurate", "_total=estimate", "_count=0", "_count=-1", "%5fsummary=count", "category=laboratory&_summary=count"} {
					f.strikes(c.get("/fhir/harbor/Observation?" + query))
				}
				f.strikes(c.post("/fhir/harbor/Observation/_search", "_summary=count", "Content-Type", formMedia))
			},
		},
		{
			name: "Guessing by a chain", sends: "`Patient?_has:Observation:patient:code=…`, one inside another, `Observation?has-member.code=…`: the answer would tell of vital signs.",
			hides: "A chain needs the scope without a constraint.", status: 403, code: "forbidden",
			try: func(f *fight) {
				c := f.plan("lab")
				f.works(c.get("/fhir/harbor/Patient?name=a&_count=1"))
				f.strikes(c.get("/fhir/harbor/Patient?_has:Observation:patient:code=1"), c.get("/fhir/harbor/Observation?has-member.code=1"), c.get("/fhir/harbor/Patient?_has:Observation:patient:_has:Observation:has-member:code=1"))
			},
		},
		{
			name: "Moving a resource into the constraint", sends: "An update, a patch and a delete of a vital sign, with a content that is a laboratory result.",
			hides: "The caller may read laboratory results only: the answer is that to a resource that is not there.", status: 404, code: "not-found", reaches: true,
			try: func(f *fight) {
				c := f.plan("lab")
				f.works(c.call(http.MethodPut, "/fhir/harbor/"+f.secret.lab, withID(labResult, f.secret.lab)))
				f.strikes(
					c.call(http.MethodPut, "/fhir/harbor/"+f.secret.vital, withID(labResult, f.secret.vital)),
					c.call(http.MethodPatch, "/fhir/harbor/"+f.secret.vital, `[{"op":"replace","path":"/status","value":"amended"}]`, "Content-Type", patchType),
					c.call(http.MethodDelete, "/fhir/harbor/"+f.secret.vital, ""),
				)
				require.Contains(f.t, string(f.works(f.plan("e2e").get("/fhir/harbor/"+f.secret.vital)).body), "Geheimwert")
			},
		},
		{
			name: "Moving a resource out of the constraint", sends: "An update of a laboratory result to a vital sign; a create of a vital sign, of one without a category, and of one with two categories, in two keys.",
			hides: "It is told from what is sent.", status: 403, code: "forbidden", reaches: true,
			try: func(f *fight) {
				c := f.plan("lab")
				f.works(c.post("/fhir/harbor/Observation", labResult))
				f.strikes(
					c.call(http.MethodPut, "/fhir/harbor/"+f.secret.lab, withID(vitalSign, f.secret.lab)), c.post("/fhir/harbor/Observation", vitalSign),
					c.post("/fhir/harbor/Observation", `{"resourceType":"Observation","status":"final","code":{"text":"attacked"}}`),
				)
				twice := c.post("/fhir/harbor/Observation", strings.Replace(labResult, `"status":"final"`, `"category":[{"coding":[{"code":"vital-signs"}]}],"status":"final"`, 1))
				require.GreaterOrEqual(f.t, twice.StatusCode, 400, "%s", twice.body)
				f.unreached()
			},
		},
		{
			name: "Patching the constrained element", sends: "A JSON Patch of a laboratory result that replaces `/category`, adds to it, moves it, tests it, copies over it with an escape in the path, removes `/Category`, and replaces the whole.",
			hides: "It is told from the patch: an element on which the scope depends cannot be touched.", status: 403, code: "forbidden", reaches: true,
			try: func(f *fight) {
				c := f.plan("lab")
				patch := func(text string) answer {
					return c.call(http.MethodPatch, "/fhir/harbor/"+f.secret.lab, text, "Content-Type", patchType)
				}
				f.works(patch(`[{"op":"replace","path":"/status","value":"amended"}]`))
				for _, text := range []string{
					`[{"op":"replace","path":"/category","value":[]}]`, `[{"op":"add","path":"/category/0/coding/-","value":{"code":"vital-signs"}}]`,
					`[{"op":"move","from":"/category","path":"/text"}]`, `[{"op":"test","path":"/category/0/coding/0/code","value":"laboratory"}]`,
					`[{"op":"replace","path":"","value":{"resourceType":"Observation"}}]`, `[{"op":"copy","from":"/code","path":"/categor\u0079"}]`, `[{"op":"remove","path":"/Category"}]`,
				} {
					f.strikes(patch(text))
				}
			},
		},
		{
			name: "A condition instead of an id", sends: "A conditional update and delete, whose search the constraint would have to hold for.",
			hides: "Conditional calls need the scope without a constraint.", status: 403, code: "forbidden",
			try: func(f *fight) {
				c := f.plan("lab")
				f.works(c.get("/fhir/harbor/Observation?_count=1"))
				f.strikes(c.call(http.MethodDelete, "/fhir/harbor/Observation?status=final", ""), c.call(http.MethodPut, "/fhir/harbor/Observation?status=final", labResult),
					c.post("/fhir/harbor/Observation", labResult, "If-None-Exist", "status=final"))
			},
		},
		{
			name: "A change in a batch", sends: "A delete of a laboratory result, of a vital sign, and a create of a vital sign, as entries of a transaction.",
			hides: "The present resource would have to be looked at first: the outcome says to make it a call of its own, whichever it is.", status: 403, code: "forbidden",
			try: func(f *fight) {
				c := f.plan("lab")
				f.works(c.post("/fhir/harbor", bundle("transaction", postOf("Observation", labResult))))
				one, other := c.post("/fhir/harbor", bundle("transaction", entryOf("DELETE", f.secret.lab))), c.post("/fhir/harbor", bundle("transaction", entryOf("DELETE", f.secret.vital)))
				f.strikes(one, other, c.post("/fhir/harbor", bundle("transaction", postOf("Observation", vitalSign))))
				f.same(one, other)
			},
		},
		denyAttack("A denied resource", "A Patient whom a deny rule of the hospital hides, with a plan that permits everything: read, version, history, update, delete.", http.StatusNotFound, func(f *fight, c caller) []answer {
			at := "/fhir/annex/" + f.secret.denied
			return []answer{c.get(at), c.get(at + "/_history/1"), c.get(at + "/_history"), c.call(http.MethodPut, at, withID(`{"resourceType":"Patient","active":true}`, f.secret.denied)), c.call(http.MethodDelete, at, "")}
		}),
		denyAttack("A denied resource inside of another", "A read of an Observation that has that Patient in `contained`, by its id and by a version.", http.StatusNotFound, func(f *fight, c caller) []answer {
			at := "/fhir/annex/" + f.secret.contained
			return []answer{c.get(at), c.get(at + "/_history/1")}
		}),
		denyAttack("Making what is denied", "A create of an Observation that has such a Patient in `contained`.", http.StatusForbidden, func(f *fight, c caller) []answer {
			return []answer{c.post("/fhir/annex/Observation", containsDenied)}
		}),
		{
			name: "A search that would bring a denied resource", sends: "At that hospital: a search by the id and by the name, all Patients, `_include` of a subject, `$everything`, the history of the system, a search by POST, a batch.",
			hides: "It is left out, and there is no total.", status: 200, answer: "200, without it", reaches: true,
			try: func(f *fight) {
				c := f.plan("e2e")
				_, id, _ := strings.Cut(f.secret.denied, "/")
				_, about, _ := strings.Cut(f.secret.about, "/")
				_, contained, _ := strings.Cut(f.secret.contained, "/")
				targets := []string{
					"/Patient?_id=" + id, "/Patient?family=Verborg", "/Patient?_count=500", "/Observation?_id=" + about + "&_include=Observation:subject", "/Patient?_id=" + id + "&_revinclude=Observation:subject",
					"/Observation?_id=" + contained, "/_history?_count=200", "/Patient/" + id + "/$everything",
				}
				for _, target := range targets {
					if open := c.get("/fhir/harbor" + target); open.StatusCode == http.StatusOK && strings.Contains(string(open.body), "Verborgen") {
						f.works(open)
					}
				}
				require.GreaterOrEqual(f.t, f.worked, 6, "the neighbour shows it")
				for _, target := range targets {
					a := c.get("/fhir/annex" + target)
					if a.StatusCode == http.StatusBadRequest {
						continue // the hospital does not know this parameter
					}
					f.strikes(a)
					require.NotContains(f.t, string(a.body), "Verborgen", target)
					require.False(f.t, a.ok(200).Get("total").Exists(), target)
				}
				f.forget()
				require.NotContains(f.t, string(c.post("/fhir/annex/Patient/_search", "_id="+id, "Content-Type", formMedia).body), "Verborgen")
				require.NotContains(f.t, string(c.post("/fhir/annex", bundle("batch", entryOf("GET", f.secret.denied), entryOf("GET", "Patient?_id="+id))).body), "Verborgen")
			},
		},
		denyAttack("A part of a denied resource", "`_elements` and `_summary` that leave out what the deny rule looks at, and a condition that would tell.", http.StatusForbidden, func(f *fight, c caller) []answer {
			return []answer{c.get("/fhir/annex/Patient?_elements=name"), c.get("/fhir/annex/Patient?_summary=text"), c.get("/fhir/annex/Patient?_summary=count"), c.get("/fhir/annex/Observation?subject.family=Verborgen")}
		}),
	}
}

// denyAttack is an attack at the hospital annex, whose deny rule hides a Patient
// that its neighbour harbor shows.
func denyAttack(name, sends string, status int, try func(f *fight, c caller) []answer) attack {
	hides, code := "It is told from what is asked or sent.", "forbidden"
	if status == http.StatusNotFound {
		hides, code = "The answer is that to a resource that is not there.", "not-found"
	}
	return attack{
		name: name, sends: sends, hides: hides, status: status, code: code, reaches: true,
		try: func(f *fight) {
			c := f.plan("e2e")
			f.works(c.get("/fhir/annex/Patient/100000"))
			f.works(c.get("/fhir/annex/" + f.secret.lab))
			f.works(c.get("/fhir/harbor/" + f.secret.denied))
			f.works(c.get("/fhir/harbor/" + f.secret.contained))
			for _, a := range try(f, c) {
				f.strikes(a)
				require.NotContains(f.t, string(a.body), "Verborgen")
			}
		},
	}
}
