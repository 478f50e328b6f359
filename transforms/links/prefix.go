package links

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"fhirgate/internal/jsontext"
)

// errPrefix refuses a Prefix; it never names it.
var errPrefix = errors.New("links: a prefix does not start with http:// or https://, or has a query or fragment")

// prefix is a Prefix taken apart.
type prefix struct {
	from, to string // without trailing slash; from's scheme in lower case, to escaped
	secure   bool   // https
	host     string // authority without the scheme's default port
	path     string // "" or "/…"
}

// compile takes the Map's prefixes apart, longest path first.
func (s *machine) compile(list []Prefix) error {
	s.prefixes, s.origin, s.longest = s.prefixes[:0], "", 0
	for i, p := range list {
		from := strings.TrimRight(p.From, "/")
		scheme, rest, ok := strings.Cut(from, "://")
		scheme = strings.ToLower(scheme)
		secure := scheme == "https"
		if !ok || rest == "" || !secure && scheme != "http" || strings.ContainsAny(rest, "?#") {
			return errPrefix
		}
		if !strings.HasPrefix(from, scheme) {
			from = scheme + "://" + rest
		}
		host, path := rest, ""
		if slash := strings.IndexByte(rest, '/'); slash >= 0 {
			host, path = rest[:slash], rest[slash:]
		}
		if i == 0 {
			s.origin = from[:len(from)-len(path)]
		}
		s.longest = max(s.longest, len(from))
		c := prefix{from, jsontext.Quote(strings.TrimRight(p.To, "/")), secure, withoutPort(host, secure), path}
		at := 0
		for at < len(s.prefixes) && len(s.prefixes[at].path) >= len(path) {
			at++
		}
		s.prefixes = slices.Insert(s.prefixes, at, c)
	}
	return nil
}

// match finds the prefix of an absolute locator and how many of the locator's
// bytes it covers. Nil means that none maps it.
func (s *machine) match(url []byte) (p *prefix, n int) {
	var u parts
	for i := range s.prefixes {
		p := &s.prefixes[i]
		if len(url) >= len(p.from) && string(url[:len(p.from)]) == p.from && boundary(url[len(p.from):]) {
			return mapped(p, len(p.from))
		}
		if u.path == 0 {
			u = split(url)
		}
		rest := url[u.path:]
		if (u.bare || u.secure == p.secure) && equalFold(u.host(url, p.secure), p.host) &&
			len(rest) >= len(p.path) && string(rest[:len(p.path)]) == p.path && boundary(rest[len(p.path):]) {
			return mapped(p, u.path+len(p.path))
		}
	}
	return nil, 0
}

// mapped is nil for a prefix that only cuts a part out of another.
func mapped(p *prefix, n int) (*prefix, int) {
	if p.to == "" {
		return nil, 0
	}
	return p, n
}

// boundary says whether what follows a prefix leaves its last segment whole.
func boundary(rest []byte) bool {
	return len(rest) == 0 || rest[0] == '/' || rest[0] == '?' || rest[0] == '#'
}

// parts tells where an absolute locator's parts begin.
type parts struct {
	bare            bool // starts with "//": the scheme is that of its base
	secure          bool // https
	authority, path int
}

// split takes an absolute locator apart.
func split(url []byte) (u parts) {
	switch {
	case url[0] == '/':
		u.bare, u.authority = true, len("//")
	case url[4] == ':':
		u.authority = len("http://")
	default:
		u.secure, u.authority = true, len("https://")
	}
	u.path = len(url)
	if i := bytes.IndexAny(url[u.authority:], "/?#"); i >= 0 {
		u.path = u.authority + i
	}
	return u
}

// host is the locator's authority without the default port of the scheme.
func (u parts) host(url []byte, secure bool) string {
	return withoutPort(string(url[u.authority:u.path]), secure)
}

// withoutPort cuts an empty port or the scheme's default port off.
func withoutPort(authority string, secure bool) string {
	port := ":80"
	if secure {
		port = ":443"
	}
	return strings.TrimSuffix(strings.TrimSuffix(authority, port), ":")
}

// equalFold compares host names, whose letters are ASCII (RFC 3986 section
// 3.2.2); strings.EqualFold would take a Kelvin sign for a k.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}

// form is how a locator names its target.
type form uint8

const (
	formOther    form = iota // urn:, data:, a fragment, nothing: never touched
	formAbsolute             // http://, https://, or // and a host
	formRooted               // a path that starts with "/"
	formRelative             // anything else
)

func formOf(url []byte) form {
	switch {
	case len(url) == 0 || url[0] == '#':
		return formOther
	case bytes.HasPrefix(url, []byte("//")):
		return formAbsolute
	case url[0] == '/':
		return formRooted
	}
	i := bytes.IndexAny(url, ":/?#")
	if i < 0 || url[i] != ':' {
		return formRelative
	}
	if scheme := string(url[:i]); bytes.HasPrefix(url[i:], []byte("://")) &&
		(equalFold(scheme, "http") || equalFold(scheme, "https")) {
		return formAbsolute
	}
	return formOther
}

// isData says whether a string's content starts as a data: URL, the one
// locator that may be of any length because it is its own target.
func isData(content []byte) bool {
	return len(content) >= 5 && equalFold(string(content[:5]), "data:")
}
