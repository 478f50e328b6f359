package links

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMalformed(t *testing.T) {
	for _, c := range []struct {
		in     string
		offset int64
		path   string
		err    error
	}{
		{``, 0, "$", ErrTruncated},
		{` `, 1, "$", ErrTruncated},
		{`{`, 1, "$", ErrTruncated},
		{`{"a`, 3, "$", ErrTruncated},
		{`{"a"`, 4, "$.a", ErrTruncated},
		{`{"a":`, 5, "$.a", ErrTruncated},
		{`{"a":1`, 6, "$.a", ErrTruncated},
		{`{"a":-`, 6, "$.a", ErrTruncated},
		{`{"a":tru`, 8, "$.a", ErrTruncated},
		{`{"a":"b`, 7, "$.a", ErrTruncated},
		{`{"a":"b\`, 8, "$.a", ErrTruncated},
		{`{"a":"b\u12`, 11, "$.a", ErrTruncated},
		{`{"a":"b"`, 8, "$", ErrTruncated},
		{`{"a":"b",`, 9, "$", ErrTruncated},
		{`{"a":[`, 6, "$.a[0]", ErrTruncated},
		{`{"a":[{},`, 9, "$.a[1]", ErrTruncated},
		{`{"reference":"https://ehr`, 25, "$.reference", ErrTruncated},
		{`{"text":{"div":"https://ehr`, 27, "$.text.div", ErrTruncated},
		{`{"link":[{"url":"x","b":1`, 25, "$.link[0].b", ErrTruncated},
		{`{"resourceType":"Bundle","entry":[{"resource":{"id":"1"}}`, 57, "Bundle.entry[0]", ErrTruncated},

		{`1`, 0, "$", errUnexpected},
		{`"a"`, 0, "$", errUnexpected},
		{`null`, 0, "$", errUnexpected},
		{"\ufeff{}", 0, "$", errUnexpected},
		{`<html>`, 0, "$", errUnexpected},
		{"\x00{}", 0, "$", errUnexpected},
		{"\f{}", 0, "$", errUnexpected},
		{`}`, 0, "$", errUnexpected},
		{`{]`, 1, "$", errUnexpected},
		{`[}`, 1, "$[0]", errUnexpected},
		{`[1}`, 2, "$[0]", errUnexpected},
		{`{"a":1]`, 6, "$", errUnexpected},
		{`[1,]`, 3, "$[1]", errUnexpected},
		{`[,1]`, 1, "$[0]", errUnexpected},
		{`[1,,2]`, 3, "$[1]", errUnexpected},
		{`[1 2]`, 3, "$[0]", errUnexpected},
		{`{"a":1,}`, 7, "$", errUnexpected},
		{`{,}`, 1, "$", errUnexpected},
		{`{"a":1 "b":2}`, 7, "$", errUnexpected},
		{`{"a" 1}`, 5, "$.a", errUnexpected},
		{`{"a"}`, 4, "$.a", errUnexpected},
		{`{"a":}`, 5, "$.a", errUnexpected},
		{`{"a"::1}`, 5, "$.a", errUnexpected},
		{`{a:1}`, 1, "$", errUnexpected},
		{`{'a':1}`, 1, "$", errUnexpected},
		{`{1:1}`, 1, "$", errUnexpected},
		{`{"a":+1}`, 5, "$.a", errUnexpected},
		{`{"a":.1}`, 5, "$.a", errUnexpected},
		{`{"a":NaN}`, 5, "$.a", errUnexpected},
		{"{\"a\":\x01 1}", 5, "$.a", errUnexpected},
		{`{"a":1/*x*/}`, 6, "$", errUnexpected},
		{`{"link":[{"url":"x","relation":}]}`, 31, "$.link[0].relation", errUnexpected},

		{`{"a":01}`, 6, "$", errUnexpected},
		{`{"a":1.}`, 7, "$.a", errNumber},
		{`{"a":1.e1}`, 7, "$.a", errNumber},
		{`{"a":1e}`, 7, "$.a", errNumber},
		{`{"a":1e+}`, 8, "$.a", errNumber},
		{`{"a":-}`, 6, "$.a", errNumber},
		{`{"a":-x}`, 6, "$.a", errNumber},
		{`{"a":0x1}`, 6, "$", errUnexpected},

		{`{"a":trux}`, 5, "$.a", errLiteral},
		{`{"a":nul}`, 5, "$.a", errLiteral},
		{`{"a":fals`, 9, "$.a", ErrTruncated},
		{`{"a":falsE`, 5, "$.a", errLiteral},
		{`{"a":true1}`, 9, "$", errUnexpected},

		{`{} x`, 3, "$", errTrailing},
		{`{}{}`, 2, "$", errTrailing},
		{`{}]`, 2, "$", errTrailing},
		{`[],`, 2, "$", errTrailing},
		{"{}\x00", 2, "$", errUnexpected},

		{"{\"a\":\"b\nc\"}", 7, "$.a", errControl},
		{"{\"a\":\"\x00\"}", 6, "$.a", errControl},
		{"{\"a\nb\":1}", 3, "$", errControl},
		{"{\"reference\":\"b\tc\"}", 15, "$.reference", errControl},
		{"{\"text\":{\"div\":\"b\tc\"}}", 17, "$.text.div", errControl},
		{`{"a":"\x"}`, 7, "$.a", errEscape},
		{`{"a":"\u12g4"}`, 10, "$.a", errEscape},
		{`{"a":"\ud8"}`, 10, "$.a", errEscape},
		{`{"\'":1}`, 3, "$", errEscape},
		{`{"reference":"\-"}`, 15, "$.reference", errEscape},
		{`{"text":{"div":"\-"}}`, 17, "$.text.div", errEscape},

		{strings.Repeat(`[`, 201), 200, "$" + strings.Repeat("[0]", 200), ErrTooDeep},
		{strings.Repeat(`{"a":`, 201), 1000, "$" + strings.Repeat(".a", 200), ErrTooDeep},
	} {
		_, err := rewrite(t, c.in, toGateway())
		require.Equal(t, &Error{Offset: c.offset, Path: c.path, Err: c.err}, err, c.in)
		if c.err != ErrTooDeep {
			require.ErrorIs(t, err, ErrMalformed)
			trimmed := strings.TrimSpace(c.in)
			require.False(t, json.Valid([]byte(c.in)) && (trimmed[0] == '{' || trimmed[0] == '['), c.in)
		}
	}
	_, err := rewrite(t, strings.Repeat(`[`, 200)+strings.Repeat(`]`, 200), toGateway())
	require.NoError(t, err)
}

func TestErrorText(t *testing.T) {
	_, err := Rewrite(nil, []byte(`{"resourceType":"Patient","name":[{"family":"Birch\z"}]}`), toGateway())
	require.EqualError(t, err, "byte 51 at Patient.name[0].family: malformed JSON: unknown escape in a string")
	require.EqualError(t, &SignedError{Offset: 7}, "the Bundle at byte 7 is signed and was already changed")
}

func TestTooLong(t *testing.T) {
	long := strings.Repeat("a", maxToken)
	m := toGateway()
	m.Link = func(_, url string) (string, error) { return url, nil }
	for name, c := range map[string]struct {
		in     string
		offset int64
		path   string
	}{
		"locator":  {`{"reference":"` + long + `"}`, 13, "$.reference"},
		"relation": {`{"link":[{"relation":"` + long + `"}]}`, 21, "$.link[0].relation"},
		"name":     {`{"` + long + `":1}`, 1, "$"},
		"number":   {`{"a":` + strings.Repeat("1", maxToken+1) + `}`, 5, "$.a"},
		"link":     {`{"link":[{"url":"x","a":"` + long + long + `","relation":"next"}]}`, 16, "$.link[0].url"},
	} {
		want := &Error{Offset: c.offset, Path: c.path, Err: ErrTooLong}
		_, err := Rewrite(nil, []byte(c.in), m)
		require.Equal(t, want, err, name)
		for _, cuts := range [][]int{everyByte(len(c.in)), {100}, someBytes(len(c.in), 1)} {
			_, err = pieces(c.in, m, cuts...)
			require.Equal(t, want, err, name)
		}
	}
	for _, in := range []string{
		`{"reference":"` + long[1:] + `"}`,
		`{"a":"` + long + long + `","photo":[{"url":"data:` + long + `"}]}`,
		`{"text":{"div":"` + long + long + `"},"data":"` + long + long + `"}`,
	} {
		for _, cuts := range [][]int{everyByte(len(in)), {100}, someBytes(len(in), 1)} {
			out, err := pieces(in, m, cuts...)
			require.NoError(t, err)
			require.Equal(t, in, out)
		}
		out, err := Rewrite(nil, []byte(in), m)
		require.NoError(t, err)
		require.Equal(t, in, string(out))
	}
}
