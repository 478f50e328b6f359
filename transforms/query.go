package transforms

import (
	"net/url"
	"slices"
	"strings"
)

// params is a raw query cut at its ampersands. What nobody replaces keeps its
// bytes and its place.
type params []param

// param is one parameter of a query.
type param struct {
	raw  string // as it stands in the query: name=value
	name string // decoded, with its modifier, if any
}

func parseParams(query string) params {
	if query == "" {
		return nil
	}
	parts := strings.Split(query, "&")
	ps := make(params, len(parts))
	for i, part := range parts {
		name, _, _ := strings.Cut(part, "=")
		ps[i] = param{raw: part, name: unescape(name)}
	}
	return ps
}

func newParam(name, value string) param {
	return param{raw: escape(name) + "=" + escape(value), name: name}
}

// String returns the query.
func (ps params) String() string {
	raw := make([]string, len(ps))
	for i, p := range ps {
		raw[i] = p.raw
	}
	return strings.Join(raw, "&")
}

// value returns the decoded value.
func (p param) value() string {
	_, value, _ := strings.Cut(p.raw, "=")
	return unescape(value)
}

// is reports whether p is the parameter name, with or without a modifier. A
// chained parameter (patient.name, patient:Patient.name) is one of its own
// (https://hl7.org/fhir/R4/search.html#chaining).
func (p param) is(name string) bool {
	rest, ok := strings.CutPrefix(p.name, name)
	return ok && (rest == "" || rest[0] == ':') && !strings.Contains(rest, ".")
}

// has reports whether the parameter name has a value. One without a value
// counts as absent (https://hl7.org/fhir/R4/search.html#general).
func (ps params) has(name string) bool {
	return slices.ContainsFunc(ps, func(p param) bool { return p.is(name) && p.value() != "" })
}

// set leaves one parameter of that name, at the place of the first.
func (ps params) set(name, value string) params {
	fresh := newParam(name, value)
	at := slices.IndexFunc(ps, func(p param) bool { return p.is(name) })
	if at < 0 {
		return append(ps, fresh)
	}
	ps[at] = fresh
	rest := slices.DeleteFunc(ps[at+1:], func(p param) bool { return p.is(name) })
	return ps[:at+1+len(rest)]
}

// legible keeps what needs no escape in a query (RFC 3986 section 3.4) and is
// frequent in FHIR, and writes a space in the form that every server knows.
var legible = strings.NewReplacer("+", "%20", "%3A", ":", "%2F", "/", "%2C", ",")

func escape(text string) string { return legible.Replace(url.QueryEscape(text)) }

// unescape decodes text. What is no valid escape stays as it is.
func unescape(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}
