package strict

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// Disk is the file system as the process sees it: unlike os.DirFS it takes
// absolute paths and "..", so that problems name files as the user did.
type Disk struct{}

// Open opens the file at a path of the operating system.
func (Disk) Open(name string) (fs.File, error) { return os.Open(name) }

// Stat returns what a file is without opening it: to open a named pipe would wait for
// its writer.
func (Disk) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// maxFile is the size of the largest file that is read, in bytes.
const maxFile = 16 << 20

// Each reads the files of dir in fsys whose names match pattern, in order of their
// names, and hands them to parse. A folder or file that cannot be read is a problem of
// its own, beside those that parse returns; so is a file of more than 16 MiB, and what
// is no regular file.
func Each(fsys fs.FS, dir, pattern string, parse func(name string, data []byte) Problems) Problems {
	entries, err := fs.ReadDir(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Problems{{File: dir, Text: "there is no such folder"}}
	}
	if err != nil {
		return Problems{{File: dir, Text: causeOf(err)}}
	}
	var problems Problems
	for _, entry := range entries {
		matches, err := path.Match(pattern, entry.Name())
		if err != nil {
			return Problems{{File: dir, Text: err.Error()}}
		}
		if !matches {
			continue
		}
		name := path.Join(dir, entry.Name())
		data, err := readFile(fsys, name)
		if err != nil {
			problems = append(problems, Problem{File: name, Text: causeOf(err)})
			continue
		}
		problems = append(problems, parse(name, data)...)
	}
	return problems
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("is a directory")
	case !info.Mode().IsRegular():
		return nil, errors.New("is no regular file")
	case info.Size() > maxFile:
		return nil, errors.New("is larger than 16 MiB")
	}
	return fs.ReadFile(fsys, name)
}

// causeOf returns the text of an error without the path, which a problem has already.
func causeOf(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return err.Error()
}

// Folder is what a folder holds of files of one kind, each of which is named as
// its file is.
type Folder[T any] struct {
	Right    map[string]T    // those without a mistake, by name
	Faulty   []T             // the others that could be read, as far as they can be understood
	Wrong    map[string]bool // names of the others: of the file, and the one that it gives itself
	Problems Problems        // of all files
}

// ReadFolder reads the files of dir in fsys whose names end in ext, but not
// those that end in tests, unless that is empty. parse returns what a file
// holds, the name that it gives itself, and what is wrong with it.
func ReadFolder[T any](fsys fs.FS, dir, ext, tests string, parse func(file string, data []byte) (value T, name string, problems Problems)) Folder[T] {
	folder := Folder[T]{Right: make(map[string]T), Wrong: make(map[string]bool)}
	folder.Problems = Each(fsys, dir, "*"+ext, func(file string, data []byte) Problems {
		if tests != "" && strings.HasSuffix(file, tests) {
			return nil
		}
		value, name, problems := parse(file, data)
		if len(problems) == 0 {
			folder.Right[name] = value
			return nil
		}
		folder.Faulty = append(folder.Faulty, value)
		if name != "" {
			folder.Wrong[name] = true
		}
		return problems
	})
	for _, p := range folder.Problems {
		if p.File == dir {
			continue // it is no file
		}
		folder.Wrong[strings.TrimSuffix(path.Base(p.File), ext)] = true
	}
	return folder
}

// Sorted returns those without a mistake, in order of their names.
func (f Folder[T]) Sorted() []T {
	sorted := make([]T, 0, len(f.Right))
	for _, name := range slices.Sorted(maps.Keys(f.Right)) {
		sorted = append(sorted, f.Right[name])
	}
	return sorted
}

// Missing returns what to say of a reference to a file that there is not, and ""
// where there is one. Of a file with mistakes enough was said, as of a folder
// where something should be and nothing is.
func (f Folder[T]) Missing(what, name string) string {
	if _, right := f.Right[name]; right || f.Wrong[name] || len(f.Right)+len(f.Wrong) == 0 && len(f.Problems) > 0 {
		return ""
	}
	names := maps.Clone(f.Wrong)
	for name := range f.Right {
		names[name] = true
	}
	return Unknown(what, name, slices.Collect(maps.Keys(names)))
}
