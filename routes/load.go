package routes

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"fhirgate/internal/strict"
)

// Load reads every hospital file of dir in fsys: *.yaml, but not *_test.yaml.
// The routes come sorted by id. When anything is wrong the error is a
// strict.Problems that lists all mistakes of all files.
func Load(fsys fs.FS, dir string) ([]*Route, error) {
	var routes []*Route
	problems := strict.Each(fsys, dir, "*.yaml", func(name string, data []byte) strict.Problems {
		if strings.HasSuffix(name, "_test.yaml") {
			return nil
		}
		route, found := Parse(name, data)
		routes = append(routes, route)
		return found
	})
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if len(routes) == 0 {
		return nil, strict.Problems{{File: dir, Text: "holds no hospital file (*.yaml); docs/add-a-hospital.md shows how to write one"}}
	}
	slices.SortFunc(routes, func(a, b *Route) int { return strings.Compare(a.ID, b.ID) })
	return routes, nil
}

// Parse reads one hospital file. name is its path: the id must be its last
// element without ".yaml".
func Parse(name string, data []byte) (*Route, strict.Problems) {
	route := &Route{File: name}
	route.doc = strict.Decode(name, data, route)
	route.check(route.doc, strings.TrimSuffix(path.Base(name), ".yaml"))
	return route, route.doc.Problems()
}

// Problem returns a mistake at a place of the route's file that only shows
// beside other files, such as a vendor that has no rules.
func (r *Route) Problem(place, format string, args ...any) strict.Problem {
	return r.doc.Problem(place, format, args...)
}
