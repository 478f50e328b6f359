package tree

import (
	"regexp"
	"strings"

	"github.com/tidwall/gjson"
)

// equality is the condition that most rules have, #(type.text=="MRN"): that a
// member is a text. It is decided without gjson, which wants a copy.
type equality struct {
	names string // joined by dots; empty for another condition
	text  string
}

// Texts with an escape, or with the ~ that has a meaning of its own, are left
// to gjson.
var equalityPattern = regexp.MustCompile(`^#\(([A-Za-z_]+(?:\.[A-Za-z_]+)*)=="([^"\\~]*)"\)$`)

func parseEquality(query string) equality {
	m := equalityPattern.FindStringSubmatch(query)
	if m == nil {
		return equality{}
	}
	return equality{m[1], m[2]}
}

// meets reports whether the element n meets the condition of s, by gjson's
// rules.
func (d *Doc) meets(n Node, s *step) bool {
	if s.equal.names != "" {
		if is, decided := d.has(n, &s.equal); decided {
			return is
		}
	}
	element := append(append([]byte{'['}, d.Raw(n)...), ']')
	return gjson.GetBytes(element, s.query).Exists()
}

// has reports whether e holds for n. What leads elsewhere than to a text
// through objects alone is not decided: gjson knows more kinds of equal.
func (d *Doc) has(n Node, e *equality) (is, decided bool) {
	for rest, more := e.names, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, ".")
		if d.Kind(n) != Object {
			return false, false
		}
		if n = d.Get(n, name); n == None {
			return false, true
		}
	}
	return d.Is(n, e.text), d.Kind(n) == String
}
