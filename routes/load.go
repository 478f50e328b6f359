package routes

import (
	"io/fs"
	"path"
	"strings"

	"fhirgate/internal/strict"
)

// Read reads every hospital file of dir in fsys: *.yaml, but not *_test.yaml. That
// there is none is a problem, too.
func Read(fsys fs.FS, dir string) strict.Folder[*Route] {
	folder := strict.ReadFolder(fsys, dir, ".yaml", "_test.yaml", func(file string, data []byte) (*Route, string, strict.Problems) {
		route, problems := Parse(file, data)
		return route, route.ID, problems
	})
	if len(folder.Right)+len(folder.Problems) == 0 {
		folder.Problems = strict.Problems{{File: dir, Text: "holds no hospital file (*.yaml); docs/add-a-hospital.md shows how to write one"}}
	}
	return folder
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
