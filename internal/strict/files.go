package strict

import (
	"errors"
	"io/fs"
	"os"
	"path"
)

// Disk is the file system as the process sees it: unlike os.DirFS it takes
// absolute paths and "..", so that problems name files as the user did.
type Disk struct{}

// Open opens the file at a path of the operating system.
func (Disk) Open(name string) (fs.File, error) { return os.Open(name) }

// Each reads the files of dir in fsys that match pattern, in order of their
// names, and hands them to parse. Files that cannot be read are problems of
// their own, beside those that parse returns.
func Each(fsys fs.FS, dir, pattern string, parse func(name string, data []byte) Problems) Problems {
	names, err := fs.Glob(fsys, path.Join(dir, pattern))
	if err != nil {
		return Problems{{File: dir, Text: err.Error()}}
	}
	var problems Problems
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			var pathErr *fs.PathError
			if errors.As(err, &pathErr) {
				err = pathErr.Err
			}
			problems = append(problems, Problem{File: name, Text: err.Error()})
			continue
		}
		problems = append(problems, parse(name, data)...)
	}
	return problems
}
