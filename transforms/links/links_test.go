package links

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fill puts the hospital's base for H and the gateway's for G.
func fill(text string) string {
	return strings.NewReplacer("{H}", hospital, "{G}", gateway).Replace(text)
}

// TestLocators holds one line for each place of a locator: as the hospital
// sends it, as the client gets it, and as the hospital gets it back.
func TestLocators(t *testing.T) {
	for _, c := range []struct{ name, hospital, client, back string }{
		{"link", `{"link":[{"relation":"next","url":"{H}?p=2"}]}`, `{"link":[{"relation":"next","url":"{G}?p=2"}]}`, ``},
		{"relative link", `{"link":[{"relation":"next","url":"Patient?p=2"}]}`, `{"link":[{"relation":"next","url":"{G}/Patient?p=2"}]}`, `{"link":[{"relation":"next","url":"{H}/Patient?p=2"}]}`},
		{"link of the query alone", `{"link":[{"url":"?p=2"}]}`, `{"link":[{"url":"{G}?p=2"}]}`, `{"link":[{"url":"{H}?p=2"}]}`},
		{"rooted link", `{"link":[{"url":"/r4/9f2c/Patient?p=2"}]}`, `{"link":[{"url":"{G}/Patient?p=2"}]}`, `{"link":[{"url":"{H}/Patient?p=2"}]}`},
		{"link without a scheme", `{"link":[{"url":"//ehr.st-mary.example/r4/9f2c/Patient"}]}`, `{"link":[{"url":"{G}/Patient"}]}`, `{"link":[{"url":"{H}/Patient"}]}`},
		{"entry link", `{"entry":[{"link":[{"relation":"self","url":"{H}/Patient/1"}]}]}`, `{"entry":[{"link":[{"relation":"self","url":"{G}/Patient/1"}]}]}`, ``},
		{"fullUrl", `{"entry":[{"fullUrl":"{H}/Patient/1"}]}`, `{"entry":[{"fullUrl":"{G}/Patient/1"}]}`, ``},
		{"relative fullUrl", `{"entry":[{"fullUrl":"Patient/1"}]}`, `{"entry":[{"fullUrl":"{G}/Patient/1"}]}`, `{"entry":[{"fullUrl":"{H}/Patient/1"}]}`},
		{"relative fullUrl with a colon", `{"entry":[{"fullUrl":"Patient/1:2"}]}`, `{"entry":[{"fullUrl":"{G}/Patient/1:2"}]}`, `{"entry":[{"fullUrl":"{H}/Patient/1:2"}]}`},
		{"location", `{"entry":[{"response":{"status":"201","location":"{H}/Patient/1/_history/2"}}]}`, `{"entry":[{"response":{"status":"201","location":"{G}/Patient/1/_history/2"}}]}`, ``},
		{"relative location", `{"entry":[{"response":{"location":"Patient/1/_history/2"}}]}`, `{"entry":[{"response":{"location":"{G}/Patient/1/_history/2"}}]}`, `{"entry":[{"response":{"location":"{H}/Patient/1/_history/2"}}]}`},
		{"request", `{"entry":[{"request":{"method":"GET","url":"{H}/Patient/1"}}]}`, `{"entry":[{"request":{"method":"GET","url":"{G}/Patient/1"}}]}`, ``},
		{"reference", `{"subject":{"reference":"{H}/Patient/1#x"}}`, `{"subject":{"reference":"{G}/Patient/1#x"}}`, ``},
		{"references in an array", `{"a":[{"reference":"{H}/Patient/1"},{"reference":"Patient/2"},{"reference":"{H}/Patient/3"}]}`, `{"a":[{"reference":"{G}/Patient/1"},{"reference":"Patient/2"},{"reference":"{G}/Patient/3"}]}`, ``},
		{"reference in an extension", `{"extension":[{"url":"{H}/x","valueReference":{"reference":"{H}/Patient/1"}}]}`, `{"extension":[{"url":"{H}/x","valueReference":{"reference":"{G}/Patient/1"}}]}`, ``},
		{"reference to the base", `{"reference":"{H}"}`, `{"reference":"{G}"}`, ``},
		{"attachment", `{"content":[{"attachment":{"url":"{H}/Binary/1"}}]}`, `{"content":[{"attachment":{"url":"{G}/Binary/1"}}]}`, ``},
		{"relative attachment", `{"content":[{"attachment":{"url":"Binary/1"}}]}`, `{"content":[{"attachment":{"url":"{G}/Binary/1#relative"}}]}`, ``},
		{"relative attachment, escaped", `{"photo":[{"url":"Binary\/1\u0041"}]}`, `{"photo":[{"url":"{G}/Binary\/1\u0041#relative"}]}`, `{"photo":[{"url":"Binary/1A"}]}`},
		{"attachment of a query", `{"photo":[{"url":"?b=1"}]}`, `{"photo":[{"url":"{G}?b=1#relative"}]}`, ``},
		{"relative attachment with a fragment", `{"photo":[{"url":"Binary/1#a"}]}`, `{"photo":[{"url":"Binary/1#a"}]}`, ``},
		{"photo", `{"photo":[{"url":"{H}/Binary/1"}]}`, `{"photo":[{"url":"{G}/Binary/1"}]}`, ``},
		{"presentedForm", `{"presentedForm":[{"url":"{H}/Binary/1"}]}`, `{"presentedForm":[{"url":"{G}/Binary/1"}]}`, ``},
		{"image", `{"image":[{"url":"{H}/Binary/1"}]}`, `{"image":[{"url":"{G}/Binary/1"}]}`, ``},
		{"document", `{"relatedArtifact":[{"document":{"url":"{H}/Binary/1"}}]}`, `{"relatedArtifact":[{"document":{"url":"{G}/Binary/1"}}]}`, ``},
		{"content", `{"resourceType":"Media","content":{"url":"{H}/Binary/1"}}`, `{"resourceType":"Media","content":{"url":"{G}/Binary/1"}}`, ``},
		{"form", `{"form":{"url":"{H}/Binary/1"}}`, `{"form":{"url":"{G}/Binary/1"}}`, ``},
		{"valueAttachment", `{"answer":[{"valueAttachment":{"url":"{H}/Binary/1"}}]}`, `{"answer":[{"valueAttachment":{"url":"{G}/Binary/1"}}]}`, ``},
		{"sourceAttachment", `{"sourceAttachment":{"url":"{H}/Binary/1"}}`, `{"sourceAttachment":{"url":"{G}/Binary/1"}}`, ``},
		{"Endpoint.address", `{"resourceType":"Endpoint","address":"{H}"}`, `{"resourceType":"Endpoint","address":"{G}"}`, ``},
		{"implementation", `{"implementation":{"description":"{H}","url":"{H}/"}}`, `{"implementation":{"description":"{H}","url":"{G}/"}}`, ``},
		{"message endpoints", `{"source":{"endpoint":"{H}/m"},"destination":[{"endpoint":"{H}/n"}]}`, `{"source":{"endpoint":"{G}/m"},"destination":[{"endpoint":"{G}/n"}]}`, ``},
		{"RelatedArtifact", `{"relatedArtifact":[{"url":"{H}/Library/1"}]}`, `{"relatedArtifact":[{"url":"{G}/Library/1"}]}`, ``},
		{"valueUrl", `{"output":[{"type":{"text":"a"},"valueUrl":"{H}/x"}]}`, `{"output":[{"type":{"text":"a"},"valueUrl":"{G}/x"}]}`, ``},
		{"manifest", `{"request":"{H}/$export","output":[{"type":"Patient","url":"{H}/f/1","count":2}],"deleted":[{"url":"{H}/f/2"}],"error":[{"url":"{H}/f/3"}]}`, `{"request":"{G}/$export","output":[{"type":"Patient","url":"{G}/f/1","count":2}],"deleted":[{"url":"{G}/f/2"}],"error":[{"url":"{G}/f/3"}]}`, ``},
		{"narrative", `{"text":{"div":"<a href=\"{H}/Patient/1\">{H}</a> {H}."}}`, `{"text":{"div":"<a href=\"{G}/Patient/1\">{G}</a> {G}."}}`, ``},
		{"diagnostics", `{"issue":[{"diagnostics":"no {H}/Patient/9"}]}`, `{"issue":[{"diagnostics":"no {G}/Patient/9"}]}`, ``},
		{"escapes", `{"reference":"https:\/\/ehr.st-mary.example\/r4\/9f2c\/Patient\/1\u0026\u00e9"}`, `{"reference":"{G}\/Patient\/1\u0026\u00e9"}`, `{"reference":"{H}\/Patient\/1\u0026\u00e9"}`},
		{"escaped letters", `{"\u0072eference":"\u0068ttps://ehr.st-mary.example/r4/9f2\u0063"}`, `{"\u0072eference":"{G}"}`, `{"\u0072eference":"{H}"}`},
		{"escapes in narrative", `{"text":{"div":"\\\u0068https:\/\/ehr.st-mary.example\/r4\/9f2\u0063\/Patient\n"}}`, `{"text":{"div":"\\\u0068{G}\/Patient\n"}}`, `{"text":{"div":"\\\u0068{H}\/Patient\n"}}`},
		{"a scheme and host in capitals, the default port", `{"reference":"HTTPS://EHR.St-Mary.Example:443/r4/9f2c/Patient/1"}`, `{"reference":"{G}/Patient/1"}`, `{"reference":"{H}/Patient/1"}`},
		{"white space and numbers", " {\r\n\t\"a\" : [ 1.0 , -0.10e+05 , null ] , \"b\":{ \"reference\" : \"{H}/Patient/1\" } , \"c\":{} , \"d\":[] }\n", " {\r\n\t\"a\" : [ 1.0 , -0.10e+05 , null ] , \"b\":{ \"reference\" : \"{G}/Patient/1\" } , \"c\":{} , \"d\":[] }\n", ``},
		{"the same name twice", `{"reference":"{H}/a/1","reference":"{H}/b/1"}`, `{"reference":"{G}/a/1","reference":"{G}/b/1"}`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.back == "" {
				c.back = c.hospital
			}
			client, err := rewrite(t, fill(c.hospital), toGateway())
			require.NoError(t, err)
			require.Equal(t, fill(c.client), client)
			back, err := rewrite(t, client, toHospital())
			require.NoError(t, err)
			require.Equal(t, fill(c.back), back)
		})
	}
}

// TestIdentities holds what passes unchanged though it may look like a
// locator of the hospital.
func TestIdentities(t *testing.T) {
	for _, text := range []string{
		`{"system":"{H}/mrn","value":"{H}/Patient/1"}`,
		`{"extension":[{"url":"{H}/x"}],"modifierExtension":[{"url":"{H}/x"}]}`,
		`{"photo":[{"extension":[{"url":"{H}/x","valueUri":"{H}/y"}]}]}`,
		`{"meta":{"profile":["{H}/StructureDefinition/p"],"source":"{H}/s","tag":[{"system":"{H}"}]}}`,
		`{"resourceType":"ValueSet","url":"{H}/ValueSet/v"}`,
		`{"instantiatesCanonical":["{H}/a"],"valueCanonical":"{H}/b","targetProfile":["{H}/c"],"valueSet":"{H}/d"}`,
		`{"valueUri":"{H}/a","valueString":"{H}/a","implicitRules":"{H}/r","data":"{H}"}`,
		`{"resourceType":"TestScript","metadata":{"link":[{"url":"{H}/spec"}]}}`,
		`{"resourceType":"AuditEvent","agent":[{"network":{"address":"{H}","type":"5"}}]}`,
		`{"resourceType":"Device","url":"{H}/Device/1"}`,
		`{"location":["{H}/x"],"fullUrl":"{H}/x"}`,
		`{"div":"{H}","text":"{H}","diagnostics":"{H}"}`,
		`["{H}/Patient/1",{"a":["{H}/Patient/1"]}]`,
		`{"a":[{"reference":"Patient/1"},"{H}/Patient/2"]}`,
		`{"reference":"#contained","b":{"reference":"urn:uuid:2f1c"},"c":{"reference":""},"d":{"reference":"/Patient/1"}}`,
		`{"reference":null,"b":{"reference":["{H}/Patient/1"]}}`,
		`{"photo":[{"url":"data:text/plain,{H}"},{"url":"cid:1"},{"url":"#x"},{"url":"urn:a"},{"url":""}]}`,
		`{"entry":[{"fullUrl":"urn:uuid:1"},{"request":{"url":"Patient/1"}}]}`,
		`{"_reference":"{H}/Patient/1","references":"{H}/Patient/1","REFERENCE":"{H}/Patient/1"}`,
		`{"reference":"{H}x/Patient/1","b":{"reference":"{H}:1/P"},"c":{"reference":"{H}%2f"}}`,
		`{"text":{"div":"{H}x {H}-1 {H}.1 {H}:8 {H}é"}}`,
		`{"resourceType":"Bundle","signature":{"who":{"reference":"{H}/Practitioner/1"}},"entry":[{"fullUrl":"{H}/Patient/1"}]}`,
		`{"link":[{"other":{"reference":"Patient/2"},"type":"seealso"}]}`,
	} {
		for name, m := range map[string]*Map{"answer": toGateway(), "request": toHospital()} {
			in := fill(text)
			if name == "request" {
				in = strings.ReplaceAll(in, hospital, gateway)
			}
			out, err := rewrite(t, in, m)
			require.NoError(t, err)
			require.Equal(t, in, out, name)
		}
	}
}

func TestPrefixes(t *testing.T) {
	m := &Map{
		Prefixes: []Prefix{
			{"https://h.example/r4/", "https://g.example/a/"},
			{"http://h.example:8080/r4", "https://g.example/b"},
			{"https://h.example/r4/deep", "https://g.example/c"},
			{"https://h.example/r4/sealed", ""},
			{"http://other.example", "https://g.example/d\"é"},
			{"https://[2001:db8::1]:8443/r4", "https://g.example/e"},
		},
		Other: func(Kind, string) (string, error) { return "other", nil },
	}
	for in, want := range map[string]string{
		"https://h.example/r4":                  "https://g.example/a",
		"https://h.example/r4/":                 "https://g.example/a/",
		"https://h.example/r4?x":                "https://g.example/a?x",
		"https://h.example/r4#x":                "https://g.example/a#x",
		"https://h.example/r4x":                 "other",
		"https://h.example/R4":                  "other",
		"https://h.example/":                    "other",
		"https://h.example":                     "other",
		"https://H.EXAMPLE:443/r4/P":            "https://g.example/a/P",
		"https://h.example:/r4/P":               "https://g.example/a/P",
		"https://h.example:80/r4/P":             "other",
		"https://h.example:4430/r4/P":           "other",
		"http://h.example/r4/P":                 "other",
		"//h.example/r4/P":                      "https://g.example/a/P",
		"//elsewhere.example":                   "other",
		"//":                                    "other",
		"http://h.example:8080/r4/P":            "https://g.example/b/P",
		"http://h.example:8080":                 "other",
		"https://h.example/r4/deep/P":           "https://g.example/c/P",
		"https://h.example/r4/deeper/P":         "https://g.example/a/deeper/P",
		"https://h.example/r4/sealed/P":         "other",
		"https://H.example/r4/sealed":           "other",
		"http://other.example/x":                `https://g.example/d\"é/x`,
		"http://other.example:80":               `https://g.example/d\"é`,
		"http://other.example@evil.example/":    "other",
		"http://other.example.evil.example/":    "other",
		"https://[2001:DB8::1]:8443/r4/Patient": "https://g.example/e/Patient",
		"https://u@h.example/r4/P":              "other",
		"https://\u212a.example/r4":             "other",
		"http://":                               "other",
		"https:///r4":                           "other",
		"http:/h.example/r4":                    "http:/h.example/r4",
		"ftp://h.example/r4":                    "ftp://h.example/r4",
		"h":                                     "h",
		"http":                                  "http",
		"Healthcare/1":                          "Healthcare/1",
	} {
		out, err := rewrite(t, `{"reference":"`+in+`"}`, m)
		require.NoError(t, err)
		require.Equal(t, `{"reference":"`+want+`"}`, out, in)
	}
}

func TestTextPrefixes(t *testing.T) {
	m := &Map{Prefixes: []Prefix{{"https://h.example", "a"}, {"HTTPS://h.example/r4", "b\"b"}, {"https://h.example/sealed", ""}}}
	for in, want := range map[string]string{
		`https://h.example.`:               `a.`,
		`https://h.example: down`:          `a: down`,
		`https://h.example:8080`:           `https://h.example:8080`,
		`https://h.example.evil.example`:   `https://h.example.evil.example`,
		`https://h.example@evil.example`:   `https://h.example@evil.example`,
		`https://h.example/r4`:             `b\"b`,
		`https://h.example/r4x`:            `a/r4x`,
		`(https://h.example/r4)&lt;`:       `(b\"b)&lt;`,
		`https://h.example/r4&amp;x`:       `a/r4&amp;x`,
		`https://h.example/sealed/1`:       `https://h.example/sealed/1`,
		`HTTPS://h.example`:                `HTTPS://h.example`,
		`hhttps://h.exampl https://h.`:     `hhttps://h.exampl https://h.`,
		`https:\/\/h.example\/r4\u002e\"`:  `b\"b\u002e\"`,
		`https:\/\/h.example\/r4\u002dx`:   `a\/r4\u002dx`,
		`\b\f\n\r\t\\\"\ud83d https://h.e`: `\b\f\n\r\t\\\"\ud83d https://h.e`,
	} {
		out, err := rewrite(t, `{"text":{"div":"`+in+`"}}`, m)
		require.NoError(t, err)
		require.Equal(t, `{"text":{"div":"`+want+`"}}`, out)
		out, err = rewrite(t, `{"text":{"div":"`+in+`"}}`, &Map{})
		require.NoError(t, err)
		require.Equal(t, `{"text":{"div":"`+in+`"}}`, out)
	}
}

func TestBadPrefixes(t *testing.T) {
	for _, from := range []string{"", "/r4", "h.example/r4", "ftp://h/r4", "https://", "https://h/r4?x", "https://h/r4#x"} {
		m := &Map{Prefixes: []Prefix{{from, gateway}}}
		_, err := Rewrite(nil, []byte(`{}`), m)
		require.Error(t, err, from)
		w := NewWriter(nil, m)
		_, writeErr := w.Write([]byte(`{}`))
		require.Equal(t, err, writeErr)
		require.Equal(t, err, w.Close())
	}
}

func TestLinkFunction(t *testing.T) {
	var got []string
	m := toGateway()
	m.Link = func(relation, url string) (string, error) {
		got = append(got, relation+" "+url)
		if relation == "self" {
			return url, nil
		}
		return `sealed"` + relation, nil
	}
	for _, c := range []struct {
		in, out string
		calls   []string
	}{
		{`{"link":[{"relation":"next","url":"a"}]}`, `{"link":[{"relation":"next","url":"sealed\"next"}]}`, []string{"next a"}},
		{`{"link":[{"url":"a","relation":"next"}]}`, `{"link":[{"url":"sealed\"next","relation":"next"}]}`, []string{"next a"}},
		{`{"link":[{"url":"a\u0026\ud83d\ude00\ud83dx","x":[{"y":{}}],"relation":"n\u0065xt"}]}`, `{"link":[{"url":"sealed\"next","x":[{"y":{}}],"relation":"n\u0065xt"}]}`, []string{"next a&😀\ufffdx"}},
		{`{"link":[{"url":"a"}]}`, `{"link":[{"url":"sealed\""}]}`, []string{" a"}},
		{`{"link":[{"relation":"next"},{"url":"a"}]}`, `{"link":[{"relation":"next"},{"url":"sealed\""}]}`, []string{" a"}},
		{`{"link":[{"relation":"self","url":"{H}/a"},{"url":"{H}/b","relation":"self"}]}`, `{"link":[{"relation":"self","url":"{H}/a"},{"url":"{H}/b","relation":"self"}]}`, []string{"self {H}/a", "self {H}/b"}},
		{`{"link":{"relation":"next","url":"a"}}`, `{"link":{"relation":"next","url":"sealed\"next"}}`, []string{"next a"}},
		{`{"entry":[{"link":[{"relation":"next","url":"{H}/a"}],"resource":{"link":[{"url":"b","relation":"next"}]}}]}`, `{"entry":[{"link":[{"relation":"next","url":"{G}/a"}],"resource":{"link":[{"url":"sealed\"next","relation":"next"}]}}]}`, []string{"next b"}},
		// A change between url and relation: the output must go on.
		{`{"link":[{"url":"a","x":{"reference":"{H}/b"},"relation":"next"}]}`, `{"link":[{"url":"sealed\"","x":{"reference":"{G}/b"},"relation":"next"}]}`, []string{" a"}},
		{`{"link":[{"url":"a","text":{"div":"{H}"},"relation":"next"}]}`, `{"link":[{"url":"sealed\"","text":{"div":"{G}"},"relation":"next"}]}`, []string{" a"}},
		{`{"link":[{"url":"a","url":"b","relation":"next"}]}`, `{"link":[{"url":"sealed\"","url":"sealed\"next","relation":"next"}]}`, []string{" a", "next b"}},
		{`{"link":[{"url":"a","link":[{"relation":"next"}]}]}`, `{"link":[{"url":"sealed\"","link":[{"relation":"next"}]}]}`, []string{" a"}},
		{`{"link":[{"url":"a","link":[{"url":"b","relation":"next"}]}]}`, `{"link":[{"url":"sealed\"","link":[{"url":"sealed\"next","relation":"next"}]}]}`, []string{" a", "next b"}},
	} {
		got = nil
		out, err := Rewrite(nil, []byte(fill(c.in)), m)
		require.NoError(t, err)
		require.Equal(t, fill(c.out), string(out))
		for i := range c.calls {
			c.calls[i] = fill(c.calls[i])
		}
		require.Equal(t, c.calls, got, c.in)
		_, err = rewrite(t, fill(c.in), m)
		require.NoError(t, err)
	}
}

func TestOtherFunction(t *testing.T) {
	m := toGateway()
	m.Other = func(kind Kind, url string) (string, error) {
		return "[" + kind.String() + " " + url + "]", nil
	}
	const foreign = `https://x.example/a\u0026b`
	for in, want := range map[string]string{
		`{"link":[{"url":"@"}]}`:                                 "link",
		`{"entry":[{"link":[{"url":"@"}]}]}`:                     "entry link",
		`{"entry":[{"fullUrl":"@"}]}`:                            "fullUrl",
		`{"entry":[{"response":{"location":"@"}}]}`:              "location",
		`{"entry":[{"request":{"url":"@"}}]}`:                    "request",
		`{"reference":"@"}`:                                      "reference",
		`{"photo":[{"url":"@"}]}`:                                "attachment",
		`{"resourceType":"Endpoint","address":"@"}`:              "endpoint",
		`{"valueUrl":"@"}`:                                       "url",
		`{"output":[{"url":"@"}]}`:                               "manifest",
		`{"resourceType":"Parameters","request":"@","a":["\n"]}`: "manifest",
	} {
		out, err := rewrite(t, strings.ReplaceAll(in, "@", foreign), m)
		require.NoError(t, err)
		require.Equal(t, strings.ReplaceAll(in, "@", "["+want+" https://x.example/a&b]"), out)
	}
	out, err := rewrite(t, `{"entry":[{"fullUrl":"/other/Patient/1"}]}`, m)
	require.NoError(t, err)
	require.Equal(t, `{"entry":[{"fullUrl":"[fullUrl https://ehr.st-mary.example/other/Patient/1]"}]}`, out)
	require.Equal(t, "unknown", Kind(0).String())
	require.Equal(t, "unknown", useText.String())
}

func TestFunctionErrors(t *testing.T) {
	refused := errors.New("another hospital")
	m := toHospital()
	m.Link = func(string, string) (string, error) { return "", refused }
	m.Other = func(Kind, string) (string, error) { return "", refused }
	for _, c := range []struct {
		in, path string
		offset   int64
	}{
		{`{"resourceType":"Bundle","entry":[{},{"resource":{"subject":{"reference":"https://x.example/P/1"}}}]}`, "Bundle.entry[1].resource.subject.reference", 73},
		{`{"link":[{"relation":"a","url":"x"}]}`, "$.link[0].url", 31},
		{`{"link":[{"url":"x","relation":"a"}]}`, "$.link[0].url", 16},
		{`{"link":[{"url":"x","a":{"b":[1]}}]}`, "$.link[0].url", 16},
		{`{"a b":{"reference":"//x.example"},"resourceType":"Basic"}`, "$.?.reference", 20},
		{`{"link":[{"url":"x","text":{"div":"` + gateway + `"}}]}`, "$.link[0].url", 16},
		{`{"link":[{"url":"x","url":"y"}]}`, "$.link[0].url", 16},
		{`{"link":[{"url":"x","a":{"reference":"` + gateway + `"}}]}`, "$.link[0].url", 16},
		{`{"reference":"\u0068ttp://x.example/\b\f\n\r\t"}`, "$.reference", 13},
		{`[[],[0,{"photo":[0,{"url":"https://x.example"}]}]]`, "$[1][1].photo[1].url", 26},
	} {
		_, err := rewrite(t, c.in, m)
		require.ErrorIs(t, err, refused)
		require.Equal(t, &Error{Offset: c.offset, Path: c.path, Err: refused}, err)
	}
}
