package routes

import (
	"errors"
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
	names, err := fs.Glob(fsys, path.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var (
		routes   []*Route
		problems strict.Problems
	)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.yaml") {
			continue
		}
		route, found := loadFile(fsys, name)
		problems = append(problems, found...)
		routes = append(routes, route)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if len(routes) == 0 {
		return nil, strict.Problems{{File: dir, Text: "holds no hospital file (*.yaml); docs/add-a-hospital.md shows how to write one"}}
	}
	slices.SortFunc(routes, func(a, b *Route) int { return strings.Compare(a.ID, b.ID) })
	return routes, nil
}

func loadFile(fsys fs.FS, name string) (*Route, strict.Problems) {
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return nil, strict.Problems{{File: name, Text: err.Error()}}
	}
	return Parse(name, data)
}

// Parse reads one hospital file. name is its path: the id must be its last
// element without ".yaml".
func Parse(name string, data []byte) (*Route, strict.Problems) {
	route := &Route{File: name}
	doc := strict.Decode(name, data, route)
	route.check(doc, strings.TrimSuffix(path.Base(name), ".yaml"))
	return route, doc.Problems()
}
