// Package links rewrites the locators in FHIR R4 JSON in one pass over its
// bytes: what a client would follow (Bundle links, fullUrl, references,
// attachment URLs) is moved from one base URL to another, while identities
// (system, extension url, meta.profile, canonicals), base64 and signed Bundles
// keep every byte. White space, key order, the digits of numbers and escapes
// of everything else pass unchanged too.
//
// The pass is also a validator of JSON's grammar (RFC 8259): a text that ends
// early, has trailing data or is broken anywhere is an error, so that half an
// answer is never taken for a whole one. Of a string's bytes it checks control
// characters and escapes, not UTF-8.
//
// [Writer] takes the text in pieces with flat memory; [Rewrite] takes it
// whole. Both give the same bytes and the same errors.
package links

import "slices"

// Prefix says that locators under the base URL From move under the base URL
// To.
//
// From is an absolute http or https URL without query and fragment; a trailing
// slash is ignored. It matches a locator whose scheme, host and port are equal
// (letter case of scheme and host aside; an absent port equals the scheme's
// default, RFC 3986 section 6.2.3), whose path starts with From's, byte for
// byte, and goes on with "/", "?", "#" or nothing. Of several that match, the
// one with the longest path wins.
//
// An empty To means that no prefix maps these locators: they go to Map.Other.
// It cuts a part, such as the gateway's sealed links, out of a wider prefix.
type Prefix struct{ From, To string }

// Map says where locators go. A Map is read only: it may serve many writers at
// once if its functions may.
type Map struct {
	// Prefixes moves absolute locators: from the hospital's bases to the
	// gateway's in answers, the other way in requests. The first one's origin
	// also resolves locators that start with "/".
	Prefixes []Prefix

	// Base, without trailing slash, is joined to relative locators of the kinds
	// that must become absolute: links, fullUrl, response.location and
	// attachments. Empty leaves them relative, as requests want, and restores
	// the attachments that an answer marked with "#relative".
	Base string

	// Link maps the url of each element of Bundle.link, relative or absolute;
	// what it returns replaces the url. The relation is empty where the link
	// has none. Nil means that these follow the rules of every locator.
	// Links of entries (Bundle.entry.link) never come here.
	Link func(relation, url string) (string, error)

	// Other maps an absolute http or https locator that no prefix maps. Nil
	// means unchanged.
	Other func(kind Kind, url string) (string, error)

	// Seen, if set, is told every reference, fullUrl and response.location as it
	// stood in the text, also those that nothing moves; the same one perhaps twice.
	// It must not keep url.
	Seen func(url []byte)

	// Frozen holds the byte offsets of the "{" of objects that pass unchanged,
	// as *SignedError reports them.
	Frozen []int64

	// Edit, if set, changes resources in the same pass.
	Edit *Edit

	// Lines means that the text is NDJSON: any number of objects, one a line.
	Lines bool
}

// Rewrite appends src, with its locators moved by m, to dst and returns the
// extended buffer. It fails with an *Error; dst is then returned as it came.
func Rewrite(dst, src []byte, m *Map) ([]byte, error) {
	s, err := newMachine(m)
	if err != nil {
		return dst, err
	}
	defer s.release()
	s.out = slices.Grow(dst, len(src)+len(src)/8)
	if err := s.run(src); err != nil {
		return dst, err
	}
	if err := s.finish(src); err != nil {
		return dst, err
	}
	return append(s.out, src[s.last:]...), nil
}
