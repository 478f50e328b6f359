package strict

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// TestAFolderKeepsWhatIsRightAndTheNamesOfTheRest has a reference to a file with
// mistakes be none of its own.
func TestAFolderKeepsWhatIsRightAndTheNamesOfTheRest(t *testing.T) {
	parse := func(name string, data []byte) (string, string, Problems) {
		var f file
		problems := Decode(name, data, &f).Problems()
		return f.Name, f.Name, problems
	}
	folder := ReadFolder(fstest.MapFS{
		"d/b.yaml":      {Data: []byte("name: b\n")},
		"d/a.yaml":      {Data: []byte("name: a\n")},
		"d/a_test.yaml": {Data: []byte("anything")},
		"d/bad.yaml":    {Data: []byte("name: worse\ncolour: red\n")},
		"d/dir.yaml/x":  {},
		"d/c.json":      {Data: []byte("{")},
	}, "d", ".yaml", "_test.yaml", parse)
	require.Equal(t, []string{"a", "b"}, folder.Sorted())
	require.Equal(t, []string{"worse"}, folder.Faulty)
	require.Equal(t, map[string]bool{"bad": true, "worse": true, "dir": true}, folder.Wrong)
	require.Len(t, folder.Problems, 2)
	for name, want := range map[string]string{
		"a": "", "bad": "", "worse": "", "dir": "",
		"wors":   `unknown file "wors"; did you mean "worse"?`,
		"zzzzzz": `unknown file "zzzzzz"; allowed are a, b, bad, dir, worse`,
	} {
		require.Equal(t, want, folder.Missing("file", name), name)
	}
	empty := ReadFolder(fstest.MapFS{"d": {Mode: fs.ModeDir}}, "d", ".yaml", "", parse)
	require.Empty(t, empty.Problems)
	require.NotEmpty(t, empty.Missing("file", "a"), "a folder may be empty")
	empty.Problems = Problems{{File: "d", Text: "holds no file"}}
	require.Empty(t, empty.Missing("file", "a"), "that it is empty was told")
	missing := ReadFolder(fstest.MapFS{}, "d", ".yaml", "", parse)
	require.EqualError(t, missing.Problems.Err(), "d: there is no such folder")
	require.Empty(t, missing.Missing("file", "a"), "that it is not there was told")
}

// What is not a plain file of some size is told, not read: a pipe would be waited for,
// a device has no end.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "of [one] hospital")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("name: a"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "large.yaml"), nil, 0o600))
	require.NoError(t, os.Truncate(filepath.Join(dir, "large.yaml"), maxFile+1))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe.yaml"), 0o600))
	require.NoError(t, os.Symlink("/dev/zero", filepath.Join(dir, "zero.yaml")))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "lost.yaml")))
	require.NoError(t, os.Symlink("a.yaml", filepath.Join(dir, "link.yaml")))
	var read []string
	problems := Each(Disk{}, dir, "*.yaml", func(name string, _ []byte) Problems {
		read = append(read, filepath.Base(name))
		return nil
	})
	require.Equal(t, []string{"a.yaml", "link.yaml"}, read)
	var told []string
	for _, p := range problems {
		told = append(told, filepath.Base(p.File)+": "+p.Text)
	}
	require.Equal(t, []string{
		"large.yaml: is larger than 16 MiB", "lost.yaml: no such file or directory",
		"pipe.yaml: is no regular file", "zero.yaml: is no regular file",
	}, told)
}

func TestProblemsAreSortedAndToldOnce(t *testing.T) {
	problems := Problems{{"b", 1, 1, "x"}, {"a", 2, 1, "x"}, {"a", 1, 2, "x"}, {"a", 1, 1, "y"}, {"a", 2, 1, "x"}, {"a", 0, 0, "x"}, {"a", 1, 1, "x"}, {"a", 1, 1, "y"}}
	require.EqualError(t, problems.Err(), "a: x\na:1:1: y\na:1:1: x\na:1:2: x\na:2:1: x\nb:1:1: x")
	require.NoError(t, Problems{}.Err())
}
