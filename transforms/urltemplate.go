package transforms

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// urlTemplate is a path with vars of the route in braces: /v1/{practice}/day.
type urlTemplate struct{ pieces []urlPiece }

// urlPiece is a text of a template, or the name of a var.
type urlPiece struct{ text, name string }

var (
	placeholder = regexp.MustCompile(`\{([A-Za-z0-9_-]+)\}`)
	plainPath   = regexp.MustCompile(`^[A-Za-z0-9._~/-]*$`)
)

// parseURLTemplate reads a path that starts with a slash and does not end with
// one.
func parseURLTemplate(text string) (*urlTemplate, error) {
	if !strings.HasPrefix(text, "/") || strings.HasSuffix(text, "/") || strings.Contains(text, "//") {
		return nil, errors.New("must be a path that starts with a slash, without a slash at its end or two in a row")
	}
	if dotSegment(text) {
		return nil, errors.New("must hold no dot segment")
	}
	t, rest := &urlTemplate{}, 0
	for _, at := range append(placeholder.FindAllStringSubmatchIndex(text, -1), []int{len(text), len(text), 0, 0}) {
		literal := text[rest:at[0]]
		if !plainPath.MatchString(literal) {
			return nil, errors.New("may hold letters, digits, '-', '.', '_', '~', slashes and {name} of a var")
		}
		t.pieces = append(t.pieces, urlPiece{text: literal})
		if at[1] > at[0] {
			t.pieces = append(t.pieces, urlPiece{name: text[at[2]:at[3]]})
		}
		rest = at[1]
	}
	return t, nil
}

// reads returns the names of the vars in the template.
func (t *urlTemplate) reads() []string {
	var names []string
	for _, piece := range t.pieces {
		if piece.name != "" {
			names = append(names, piece.name)
		}
	}
	return names
}

// expand returns the path with the values of vars, each escaped so that it
// cannot be more than (part of) one segment.
func (t *urlTemplate) expand(vars map[string]string) (string, error) {
	var out strings.Builder
	for _, piece := range t.pieces {
		out.WriteString(piece.text)
		if piece.name == "" {
			continue
		}
		text := vars[piece.name]
		if text == "" {
			return "", errors.New("the route has no var " + piece.name)
		}
		out.WriteString(url.PathEscape(text))
	}
	if dotSegment(out.String()) {
		return "", errors.New("the path has a dot segment with the vars " + strings.Join(t.reads(), ", "))
	}
	return out.String(), nil
}

func dotSegment(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." })
}

// baseURL is what a template of the FHIR base begins with.
const baseURL = "{base_url}"

// url checks the template of the FHIR base, when the file has one.
func (c *compiler) url(text string) {
	if !c.doc.Has("url") {
		return
	}
	path, ok := strings.CutPrefix(text, baseURL)
	if !ok || strings.Contains(path, baseURL) {
		c.doc.Fail("url", "must be %s and a path, such as %s/r4/{tenant}: the host is the route's", baseURL, baseURL)
		return
	}
	template, err := parseURLTemplate(path)
	if err != nil {
		c.doc.Fail("url", "what follows %s %s", baseURL, err)
		return
	}
	c.vendor.url = template
	for _, name := range template.reads() {
		c.vendor.vars = append(c.vendor.vars, reading{name: name})
	}
}

// BaseURL returns the FHIR base of a hospital whose route has this base_url and
// these vars: base itself, unless the vendor file has a url. The error names
// the var that is missing or cannot stand in a path.
func (v *Vendor) BaseURL(base string, vars map[string]string) (string, error) {
	if v == nil || v.url == nil {
		return base, nil
	}
	path, err := v.url.expand(vars)
	if err != nil {
		return "", err
	}
	return base + path, nil
}
