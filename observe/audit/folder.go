package audit

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// ErrInUse says that another process writes the trail of this node.
var ErrInUse = errors.New("the audit trail is in use by another fhirgate")

// The names in the folder: records are in audit-<node>-<number of the first>.log.
const (
	nodeFile   = "node"
	filePrefix = "audit-"
	logSuffix  = ".log"
	headSuffix = ".head"
	lockSuffix = ".lock"
)

var nodeName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$`)

// lockFolder makes the folder, for its owner only, finds out the node's name
// and locks its trail for this process. The kernel drops the lock when the
// process dies.
func lockFolder(folder, node string) (name string, release func() error, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", nil, err
	}
	if node == "" {
		if node, err = keptNode(filepath.Join(folder, nodeFile)); err != nil {
			return "", nil, err
		}
	}
	if !nodeName.MatchString(node) {
		return "", nil, fmt.Errorf("the node's name %q must be of letters, digits, dots and hyphens", node)
	}
	lock, err := os.OpenFile(filepath.Join(folder, filePrefix+node+lockSuffix), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", nil, err
	}
	switch err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case err == nil:
		return node, sync.OnceValue(lock.Close), nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("%s: %w", folder, ErrInUse)
	default:
		err = fmt.Errorf("lock %s: %w", folder, err)
	}
	return "", nil, errors.Join(err, lock.Close())
}

// keptNode returns the name in a file, which is made with a random one.
func keptNode(path string) (string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		data = []byte(strings.ToLower(rand.Text()[:10]) + "\n")
		err = replaceFile(path, data)
	}
	return strings.TrimSpace(string(data)), err
}

// replaceFile writes a private file as a whole or not at all, and makes it
// durable.
func replaceFile(path string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp*") // of mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes new and removed names durable.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// logFile is one file of records, by what its name says.
type logFile struct {
	path  string
	first uint64
}

func logPath(folder, node string, first uint64) string {
	return filepath.Join(folder, fmt.Sprintf("%s%s-%d%s", filePrefix, node, first, logSuffix))
}

// listing is what a folder holds of each node.
type listing struct {
	files map[string][]logFile // in order of their first records
	heads map[string]string    // paths of sealed heads
	other []string             // names that look like ours and are none
}

// nodes are the names of all nodes, sorted.
func (l *listing) nodes() []string {
	var names []string
	for node := range l.heads {
		names = append(names, node)
	}
	for node := range l.files {
		if _, ok := l.heads[node]; !ok {
			names = append(names, node)
		}
	}
	slices.Sort(names)
	return names
}

func list(folder string) (*listing, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	found := &listing{files: make(map[string][]logFile), heads: make(map[string]string)}
	for _, entry := range entries {
		name, path := entry.Name(), filepath.Join(folder, entry.Name())
		rest, ours := strings.CutPrefix(name, filePrefix)
		if !ours {
			continue
		}
		if node, ok := strings.CutSuffix(rest, headSuffix); ok {
			found.heads[node] = path
			continue
		}
		rest, ok := strings.CutSuffix(rest, logSuffix)
		if !ok {
			continue
		}
		at := strings.LastIndexByte(rest, '-')
		first, err := strconv.ParseUint(rest[at+1:], 10, 64)
		if at < 1 || err != nil || logPath(folder, rest[:at], first) != path {
			found.other = append(found.other, path)
			continue
		}
		found.files[rest[:at]] = append(found.files[rest[:at]], logFile{path, first})
	}
	for _, files := range found.files {
		slices.SortFunc(files, func(a, b logFile) int { return cmp.Compare(a.first, b.first) })
	}
	return found, nil
}
