package resource

import (
	"testing"
	"time"

	testify "github.com/stretchr/testify/require"
)

func TestSet(t *testing.T) {
	runAll(t, []apply{
		{name: "a text", do: `set: {path: docStatus, value: final}`, in: `{"a":1}`, want: `{"a":1,"docStatus":"final"}`},
		{name: "in the place of another", do: `set: {path: docStatus, value: "fi\"nal"}`, in: `{"docStatus" : 1 }`, want: `{"docStatus" : "fi\"nal" }`},
		{name: "true", do: `set: {path: active, value: true}`, in: `{}`, want: `{"active":true}`},
		{name: "a quoted true", do: `set: {path: active, value: "true"}`, in: `{}`, want: `{"active":"true"}`},
		{name: "a number with its digits", do: `set: {path: a.b, value: 1.50}`, in: `{}`, want: `{"a":{"b":1.50}}`},
		{name: "a date", do: `set: {path: date, value: 2026-11-22}`, in: `{}`, want: `{"date":"2026-11-22"}`},
		{name: "a var", do: `set: {path: identifier.0.system, value: {var: mrn}}`, in: `{}`, want: `{"identifier":[{"system":"urn:oid:1.2"}]}`},
		{name: "each element", do: `set: {path: name.use, value: usual}`, in: `{"name":[{},{"use":"old"}]}`, want: `{"name":[{"use":"usual"},{"use":"usual"}]}`},
		{name: "no place", do: `set: {path: name.#.use, value: usual}`, in: `{"name":"x"}`, want: `{"name":"x"}`},
	})
}

func TestDefault(t *testing.T) {
	runAll(t, []apply{
		{name: "missing", do: `default: {path: docStatus, value: final}`, in: `{}`, want: `{"docStatus":"final"}`},
		{name: "there", do: `default: {path: docStatus, value: final}`, in: `{"docStatus":"amended"}`, want: `{"docStatus":"amended"}`},
		{name: "where it is missing", do: `default: {path: name.#.use, value: usual}`, in: `{"name":[{"use":"old"},{"text":"x"}]}`, want: `{"name":[{"use":"old"},{"text":"x","use":"usual"}]}`},
		{name: "its object is missing", do: `default: {path: context.period.end, value: x}`, in: `{}`, want: `{"context":{"period":{"end":"x"}}}`},
		{name: "an element", do: `default: {path: category.0, value: x}`, in: `{}`, want: `{"category":["x"]}`},
		{name: "an element that is there", do: `default: {path: category.0, value: x}`, in: `{"category":["y"]}`, want: `{"category":["y"]}`},
	})
}

func TestDrop(t *testing.T) {
	runAll(t, []apply{
		{name: "members", do: `drop: [author, content.#.format]`, in: `{"author":[{}],"content":[{"format":1,"a":2}],"z":3}`, want: `{"content":[{"a":2}],"z":3}`},
		{name: "with what stands beside", do: `drop: [birthDate]`, in: `{"_birthDate":{"id":"x"},"birthDate":"1970","a":1}`, want: `{"a":1}`},
		{name: "the last of its object", do: `drop: [meta.tag]`, in: `{"meta":{"tag":[{}]},"a":1}`, want: `{"a":1}`},
		{name: "by a condition", do: `drop: ['name.#(use=="old")#']`, in: `{"name":[{"use":"old"},{"use":"usual"},{"use":"old"}]}`, want: `{"name":[{"use":"usual"}]}`},
		{name: "nothing there", do: `drop: [author]`, in: `{ "a":1 }`, want: `{ "a":1 }`},
		{name: "nothing within contained resources", do: `drop: [author]`, in: `{"contained":[{"author":1}]}`, want: `{"contained":[{"author":1}]}`},
	})
}

func TestDropIf(t *testing.T) {
	runAll(t, []apply{
		{name: "one of the values", do: `dropIf: {path: deceasedDateTime, is: [1899-12-30, "1900-01-01"]}`, in: `{"a":1,"deceasedDateTime":"1899-12-30"}`, want: `{"a":1}`},
		{name: "another value", do: `dropIf: {path: deceasedDateTime, is: [1899-12-30]}`, in: `{"deceasedDateTime":"2026-11-22"}`, want: `{"deceasedDateTime":"2026-11-22"}`},
		{name: "a number by its digits", do: `dropIf: {path: total, is: [50]}`, in: `{"a":{"total":50},"total":50}`, want: `{"a":{"total":50}}`},
		{name: "no number for a text", do: `dropIf: {path: total, is: ["50"]}`, in: `{"total":50}`, want: `{"total":50}`},
		{name: "a truth", do: `dropIf: {path: deceasedBoolean, is: [false]}`, in: `{"deceasedBoolean":false,"a":1}`, want: `{"a":1}`},
		{name: "no object", do: `dropIf: {path: a, is: [1]}`, in: `{"a":{"b":1}}`, want: `{"a":{"b":1}}`},
	})
}

func TestTrim(t *testing.T) {
	runAll(t, []apply{
		{name: "both ends", do: `trim: {path: identifier.value}`, in: `{"identifier":[{"value":"     Z6130 \t"},{"value":"a b"}]}`, want: `{"identifier":[{"value":"Z6130"},{"value":"a b"}]}`},
		{name: "the end alone", do: `trim: {path: a}`, in: `{"a":"x "}`, want: `{"a":"x"}`},
		{name: "escapes", do: `trim: {path: a}`, in: `{"a":"\u0020x\ty\n"}`, want: `{"a":"x\u0009y"}`},
		{name: "an escape at the end", do: `trim: {path: a}`, in: `{"a":"xxxxxxx\u0020"}`, want: `{"a":"xxxxxxx"}`},
		{name: "escapes that are no space", do: `trim: {path: a}`, in: `{"a":"\"x\\"}`, want: `{"a":"\"x\\"}`},
		{name: "nothing else", do: `trim: {path: name.family}`, in: `{"name":[{"family":"  ","_family":{"id":"x"},"use":"old"}]}`, want: `{"name":[{"use":"old"}]}`},
		{name: "one letter", do: `trim: {path: a}`, in: `{"a":"x"}`, want: `{"a":"x"}`},
		{name: "none", do: `trim: {path: a}`, in: `{"a":""}`, want: `{"a":""}`},
		{name: "no text", do: `trim: {path: a}`, in: `{"a":[" "]}`, want: `{"a":[" "]}`},
	})
}

func TestPrefix(t *testing.T) {
	const do = `prefix: {path: identifier.system, with: "https://", unless: "://"}`
	system := func(text string) string { return `{"identifier":[{"system":"` + text + `"}]}` }
	runAll(t, []apply{
		{name: "none yet", do: do, in: system("www.nextgen.com"), want: system("https://www.nextgen.com")},
		{name: "a path", do: do, in: system("www.nextgen.com/a?b=c:d"), want: system("https://www.nextgen.com/a?b=c:d")},
		{name: "there already", do: do, in: system("https://www.nextgen.com"), want: system("https://www.nextgen.com")},
		{name: "another scheme", do: do, in: system("http://www.nextgen.com"), want: system("http://www.nextgen.com")},
		{name: "a URN", do: do, in: system("urn:oid:1.2"), want: system("urn:oid:1.2")},
		{name: "a colon first", do: do, in: system(":x"), want: system("https://:x")},
		{name: "what is excepted", do: do, in: system("1://"), want: system("1://")},
		{name: "empty", do: do, in: system(""), want: system("")},
		{name: "without an exception", do: `prefix: {path: a, with: "Dr. "}`, in: `{"a":"Dr. Roe"}`, want: `{"a":"Dr. Roe"}`},
	})
}

func TestCopy(t *testing.T) {
	const do = `copy: {from: context.period.start, to: context.period.end}`
	runAll(t, []apply{
		{name: "to what is missing", do: do, in: `{"context":{"period":{"start":"2026"}}}`, want: `{"context":{"period":{"start":"2026","end":"2026"}}}`},
		{name: "not to what is there", do: do, in: `{"context":{"period":{"start":"2026","end":"2027"}}}`, want: `{"context":{"period":{"start":"2026","end":"2027"}}}`},
		{name: "nothing to copy", do: do, in: `{"context":{}}`, want: `{"context":{}}`},
		{name: "an object", do: `copy: {from: name.0, to: a.b}`, in: `{"name":[{"use" : "old"},{}]}`, want: `{"name":[{"use" : "old"},{}],"a":{"b":{"use" : "old"}}}`},
	})
}

func TestRequire(t *testing.T) {
	runAll(t, []apply{
		{name: "there", request: true, do: `require: [date, context.encounter]`, in: `{"date":"2026","context":{"encounter":[{}]}}`, want: `{"date":"2026","context":{"encounter":[{}]}}`},
		{
			name: "missing", request: true, do: `require: [date, context.encounter]`, in: `{"resourceType":"DocumentReference","date":"2026","context":{}}`,
			refusal: "Unprocessable Entity: DocumentReference.context.encounter: DocumentReference.context.encounter is missing: the hospital takes no DocumentReference without it",
		},
		{
			name: "a type that is none does not show", request: true, do: `require: [date]`, in: `{"resourceType":"Roe, Jane"}`,
			refusal: "Unprocessable Entity: Resource.date: Resource.date is missing: the hospital takes no Resource without it",
		},
	})
}

func TestTimeEnsure(t *testing.T) {
	const start, end = `time.ensure: {path: date, at: start}`, `time.ensure: {path: date, at: end}`
	runAll(t, []apply{
		{name: "start", do: start, in: `{"date":"2026-11-22"}`, want: `{"date":"2026-11-22T00:00:00-06:00"}`},
		{name: "end", do: end, in: `{"date":"2026-11-22"}`, want: `{"date":"2026-11-22T23:59:59-06:00"}`},
		{name: "start before the clocks go forward", do: start, in: `{"date":"2026-03-08"}`, want: `{"date":"2026-03-08T00:00:00-06:00"}`},
		{name: "end after the clocks went forward", do: end, in: `{"date":"2026-03-08"}`, want: `{"date":"2026-03-08T23:59:59-05:00"}`},
		{name: "summer", do: start, in: `{"date":"2026-07-01"}`, want: `{"date":"2026-07-01T00:00:00-05:00"}`},
		{name: "a time already", do: start, in: `{"date":"2026-11-22T10:00:00Z"}`, want: `{"date":"2026-11-22T10:00:00Z"}`},
		{name: "no date", do: start, in: `{"date":"2026-13-22"}`, want: `{"date":"2026-13-22"}`},
		{name: "no text", do: start, in: `{"date":2026}`, want: `{"date":2026}`},
		{name: "a month in an answer", do: start, in: `{"date":"2026-11"}`, want: `{"date":"2026-11"}`},
		{name: "a month in a body", request: true, do: start, in: `{"resourceType":"DocumentReference","date":"2026-11"}`, refusal: "Unprocessable Entity: DocumentReference.date: DocumentReference.date must have a day: the hospital takes dates with a time only"},
		{name: "a year in a body", request: true, do: `time.ensure: {path: context.period.end, at: end}`, in: `{"context":{"period":{"end":"2026"}}}`, refusal: "Unprocessable Entity: Resource.context.period.end: Resource.context.period.end must have a day: the hospital takes dates with a time only"},
	})
}

func TestTimeEnsureWhereClocksChangeAtMidnight(t *testing.T) {
	zone, err := time.LoadLocation("America/Sao_Paulo")
	testify.NoError(t, err)
	for _, c := range []struct{ date, start, end string }{
		{"2018-11-03", "2018-11-03T00:00:00-03:00", "2018-11-03T23:59:59-03:00"},
		{"2018-11-04", "2018-11-04T01:00:00-02:00", "2018-11-04T23:59:59-02:00"},
		{"2019-02-16", "2019-02-16T00:00:00-02:00", "2019-02-16T23:59:59-03:00"},
	} {
		for at, want := range map[string]string{"start": c.start, "end": c.end} {
			call := newCall(false)
			call.Zone = zone
			r := newResource(`{"date":"`+c.date+`"}`, call)
			_, err := operation(t, `time.ensure: {path: date, at: `+at+`}`).Apply(r)
			testify.Nil(t, err)
			testify.Equal(t, `{"date":"`+want+`"}`, r.text())
		}
	}
}

func TestCodingKeepOnly(t *testing.T) {
	const do = `coding.keepOnly: {path: type.coding, systems: [loinc, local]}`
	runAll(t, []apply{
		{name: "the preferred", do: do, in: `{"type":{"coding":[{"system":"local"},{"system":"loinc","code":"a"},{"system":"loinc","code":"b"},{"code":"c"}]}}`, want: `{"type":{"coding":[{"system":"loinc","code":"a"},{"system":"loinc","code":"b"}]}}`},
		{name: "the next", do: do, in: `{"type":{"coding":[{"system":"other"},{"system":"local"}]}}`, want: `{"type":{"coding":[{"system":"local"}]}}`},
		{name: "none of them", do: do, in: `{"type":{"coding":[{"system":"other"},{"code":"x"}]}}`, want: `{"type":{"coding":[{"system":"other"},{"code":"x"}]}}`},
		{name: "alone", do: do, in: `{"type":{"coding":[{"system":"loinc"}]}}`, want: `{"type":{"coding":[{"system":"loinc"}]}}`},
		{name: "lists in lists", do: `coding.keepOnly: {path: category.coding, systems: [a]}`, in: `{"category":[{"coding":[{"system":"a"},{"system":"b"}]},{"coding":[{"system":"b"}]}]}`, want: `{"category":[{"coding":[{"system":"a"}]},{"coding":[{"system":"b"}]}]}`},
		{name: "no list", do: do, in: `{"type":{"coding":{"system":"other"}}}`, want: `{"type":{"coding":{"system":"other"}}}`},
	})
}

func TestAbsentDrop(t *testing.T) {
	const (
		do     = `absent.drop: [name, birthDate, maritalStatus.coding, given]`
		reason = `{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}`
	)
	runAll(t, []apply{
		{name: "an element", do: do, in: `{"name":[{"extension":[` + reason + `]},{"family":"Roe"}]}`, want: `{"name":[{"family":"Roe"}]}`},
		{name: "the only one", do: do, in: `{"name":[{"extension":[` + reason + `]}],"a":1}`, want: `{"a":1}`},
		{name: "parts alone", do: do, in: `{"name":[{"_family":{"extension":[` + reason + `]},"_text":{"extension":[` + reason + `]}}],"a":1}`, want: `{"a":1}`},
		{name: "a primitive", do: do, in: `{"_birthDate":{"extension":[` + reason + `]},"a":1}`, want: `{"a":1}`},
		{name: "a primitive with a value", do: do, in: `{"birthDate":"1970","_birthDate":{"extension":[` + reason + `]}}`, want: `{"birthDate":"1970","_birthDate":{"extension":[` + reason + `]}}`},
		{name: "elements of primitives", do: do, in: `{"given":[null,"A",null],"_given":[{"extension":[` + reason + `]},null,{"id":"x"}]}`, want: `{"given":["A",null],"_given":[null,{"id":"x"}]}`},
		{name: "all elements of primitives", do: do, in: `{"given":[null],"_given":[{"extension":[` + reason + `]}],"a":1}`, want: `{"a":1}`},
		{name: "another extension too", do: do, in: `{"name":[{"extension":[` + reason + `,{"url":"x"}]}]}`, want: `{"name":[{"extension":[` + reason + `,{"url":"x"}]}]}`},
		{name: "an id too", do: do, in: `{"name":[{"id":"x","extension":[` + reason + `]}]}`, want: `{"name":[{"id":"x","extension":[` + reason + `]}]}`},
		{name: "nothing at all", do: do, in: `{"name":[{},{"extension":[]}]}`, want: `{"name":[{},{"extension":[]}]}`},
		{name: "elsewhere", do: do, in: `{"address":[{"extension":[` + reason + `]}]}`, want: `{"address":[{"extension":[` + reason + `]}]}`},
	})
}

func TestNameCurrentFirst(t *testing.T) {
	const do = `name.currentFirst: {path: name}`
	name := func(id, use, end string) string {
		return `{"id":"` + id + `","use":"` + use + `","period":{"end":"` + end + `"}}`
	}
	list := func(names string) string { return `{"name":[` + names + `]}` }
	runAll(t, []apply{
		{
			name: "expired and old ones last", do: do,
			in:   list(name("1", "old", "2030") + "," + name("2", "usual", "2020-01-01") + `,{"id":"3"},` + name("4", "usual", "2027-01-01T00:00:00Z") + "," + name("5", "old", "")),
			want: list(`{"id":"3"},` + name("4", "usual", "2027-01-01T00:00:00Z") + "," + name("2", "usual", "2020-01-01") + "," + name("1", "old", "2030") + "," + name("5", "old", "")),
		},
		{name: "in order already", do: do, in: list(`{"id":"3"}, ` + name("2", "usual", "2020")), want: list(`{"id":"3"}, ` + name("2", "usual", "2020"))},
		{name: "today is not over", do: do, in: list(name("1", "usual", "2026-11-22") + `,{"id":"2"}`), want: list(name("1", "usual", "2026-11-22") + `,{"id":"2"}`)},
		{name: "yesterday is", do: do, in: list(name("1", "usual", "2026-11-21") + `,{"id":"2"}`), want: list(`{"id":"2"},` + name("1", "usual", "2026-11-21"))},
		{name: "this month is not over", do: do, in: list(name("1", "usual", "2026-11") + `,{"id":"2"}`), want: list(name("1", "usual", "2026-11") + `,{"id":"2"}`)},
		{name: "no date", do: do, in: list(name("1", "usual", "soon") + `,{"id":"2"}`), want: list(name("1", "usual", "soon") + `,{"id":"2"}`)},
		{name: "no list", do: do, in: `{"name":{"use":"old"}}`, want: `{"name":{"use":"old"}}`},
	})
}
