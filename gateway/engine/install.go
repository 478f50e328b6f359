package engine

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// installFile holds what is random once per installation.
const installFile = "install.json"

// install are the names that Tyk would otherwise let anyone guess: each API
// definition also answers at /{api_id}/.
type install struct {
	FHIR string `json:"fhir_api_id"`
	Root string `json:"root_api_id"`
}

// workspace is the private folder of one running engine. Its files are made
// anew at each start.
type workspace struct {
	dir    string // absolute
	socket string // folder of the unix sockets, absolute; usually dir
	lock   *os.File
}

// ErrInUse is returned by Start when another process uses the same DataDir.
var ErrInUse = errors.New("engine: another fhirgate uses this data_dir")

// openWorkspace makes dataDir/engine, empties it and locks it until close.
func openWorkspace(dataDir string) (*workspace, error) {
	dir, err := filepath.Abs(filepath.Join(dataDir, "engine"))
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%w: %s", ErrInUse, dataDir)
	}
	w := &workspace{dir: dir, socket: dir, lock: lock}
	if err := w.make(); err != nil {
		w.close()
		return nil, fmt.Errorf("engine: %w", err)
	}
	return w, nil
}

func (w *workspace) make() error {
	if err := os.RemoveAll(w.dir); err != nil {
		return err
	}
	for _, folder := range []string{"", "apis", "policies", "templates/playground"} {
		if err := os.MkdirAll(w.path(folder), 0o700); err != nil {
			return err
		}
	}
	if socketFits(w.dir) {
		return nil
	}
	short, err := os.MkdirTemp("", "fhirgate-")
	if err != nil {
		return err
	}
	w.socket = short
	if !socketFits(short) {
		return fmt.Errorf("neither data_dir nor the temporary folder has a path fit for a unix socket (at most 100 bytes, no colon)")
	}
	return nil
}

// socketFits reports whether a socket of ours may lie in dir: sun_path holds
// 108 bytes, and Tyk must find the port behind the only colon.
func socketFits(dir string) bool {
	_, port, err := net.SplitHostPort(filepath.Join(dir, socketName(controlPort)))
	return err == nil && port != "" && len(dir) <= 100-len(socketName(controlPort))
}

func (w *workspace) path(name string) string { return filepath.Join(w.dir, name) }

func (w *workspace) writeJSON(name string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(w.path(name), data, 0o600)
}

// close removes every file of the workspace.
func (w *workspace) close() {
	os.RemoveAll(w.dir)
	if w.socket != w.dir {
		os.RemoveAll(w.socket)
	}
	w.lock.Close()
}

// loadInstall reads the names of this installation, or makes them.
func loadInstall(dataDir string) (install, error) {
	path := filepath.Join(dataDir, installFile)
	var in install
	data, err := os.ReadFile(path)
	if err == nil {
		if err := json.Unmarshal(data, &in); err != nil || in.FHIR == "" || in.Root == "" {
			return in, fmt.Errorf("engine: %s is damaged; remove it to have a new one made", path)
		}
		return in, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return in, fmt.Errorf("engine: %w", err)
	}
	in = install{FHIR: randomHex(), Root: randomHex()}
	if data, err = json.Marshal(in); err != nil {
		return in, err
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return in, fmt.Errorf("engine: %w", err)
	}
	return in, nil
}

// randomHex returns 128 random bits.
func randomHex() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
