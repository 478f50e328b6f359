package links

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func seeds(f *testing.F) {
	for _, text := range []string{
		patient("e1", 1500),
		searchset(2, 700),
		indented(searchset(1, 700)),
		fill(`{"link":[{"url":"{H}?p=2","a":{"reference":"{H}/P\/1"},"relation":"ne\u0078t"}],"entry":[{"fullUrl":"/r4/x"}],"signature":[]}`),
		fill(`{"text":{"div":"\u0068ttps:\/\/ehr {H}. {H}x"},"issue":[{"diagnostics":"{H}"}],"photo":[{"url":"Binary\/1"},{"url":"//x"}]}`),
		`[1.0,-0e+1,"\ud83d\ude00",[[{}]],true,false,null]`,
	} {
		f.Add([]byte(text), uint64(1))
	}
}

// FuzzRewrite checks, with functions that change what they see, that the
// machine takes exactly what encoding/json takes (objects and arrays), gives
// JSON of the same shape, and does not care how the text is cut.
func FuzzRewrite(f *testing.F) {
	seeds(f)
	m := toGateway()
	m.Link = func(relation, url string) (string, error) { return `"` + relation + "\x00" + url, nil }
	m.Other = func(_ Kind, url string) (string, error) { return url + `\`, nil }
	f.Fuzz(func(t *testing.T, src []byte, seed uint64) {
		kept := bytes.Clone(src)
		out, err := Rewrite(nil, src, m)
		require.Equal(t, kept, src, "the input is read only")
		cut, cutErr := pieces(string(src), m, someBytes(len(src), seed)...)
		require.Equal(t, err, cutErr)

		trimmed := bytes.TrimLeft(src, " \t\r\n")
		container := len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[')
		require.Equal(t, json.Valid(src) && container && depth(src) <= maxDepth, err == nil)
		if err != nil {
			return
		}
		require.Equal(t, string(out), cut)
		require.True(t, json.Valid(out))
		require.Equal(t, shape(src), shape(out))
	})
}

// FuzzUnchanged checks that a text without the base passes byte for byte.
func FuzzUnchanged(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src []byte, seed uint64) {
		out, err := Rewrite(nil, src, &Map{Prefixes: []Prefix{{"https://nowhere.example.invalid", gateway}}})
		if err != nil {
			return
		}
		require.Equal(t, string(src), string(out))
	})
}

// depth is how many brackets of valid JSON are open at most.
func depth(src []byte) (most int) {
	open, text := 0, false
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case !text && (c == '{' || c == '['):
			open++
			most = max(most, open)
		case !text && (c == '}' || c == ']'):
			open--
		}
	}
	return most
}

// shape is valid JSON without what stands in its strings.
func shape(src []byte) string {
	var b []byte
	text := false
	for i := 0; i < len(src); i++ {
		c := src[i]
		if text && c == '\\' {
			i++
			continue
		}
		if c == '"' {
			text = !text
		}
		if !text || c == '"' {
			b = append(b, c)
		}
	}
	return string(b)
}

// FuzzEdit checks that resources, entries and totals go and change without
// harm to the JSON around them, wherever the text is cut.
func FuzzEdit(f *testing.F) {
	seeds(f)
	for _, c := range editCases {
		f.Add([]byte(c.text), uint64(3))
	}
	f.Fuzz(func(t *testing.T, src []byte, seed uint64) {
		m := toGateway()
		m.Edit = edited()
		m.Edit.Places = seed%2 == 0
		if seed%3 == 0 {
			m.Edit.Next = func() (string, error) { return gateway + "/next", nil }
		}
		out, err := Rewrite(nil, src, m)
		cut, cutErr := pieces(string(src), m, someBytes(len(src), seed)...)
		for signed := (*SignedError)(nil); errors.As(cutErr, &signed); {
			m.Frozen = append(m.Frozen, signed.Offset)
			cut, cutErr = pieces(string(src), m, someBytes(len(src), seed)...)
		}
		require.Equal(t, err == nil, cutErr == nil, "%v, %v", err, cutErr)
		if err != nil {
			return
		}
		require.Equal(t, string(out), cut)
		require.True(t, json.Valid(out))
	})
}
