// Package freeport finds addresses for servers that tests and benchmarks start.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// The ports that are tried: below those that the kernel gives to outgoing
// connections, of which a busy test makes thousands. A port among those may be
// taken between here and the start of the server.
const (
	first = 20_000
	last  = 32_000
	tries = 1000
)

// Address returns a loopback address, host:port, that nobody listens at, and that
// it returns to no other process as long as this one lives: tests of several
// packages run side by side.
func Address() (string, error) {
	dir := filepath.Join(os.TempDir(), "fhirgate-ports-"+strconv.Itoa(os.Getuid()))
	err := os.MkdirAll(dir, 0o700)
	if err != nil {
		return "", err
	}
	for range tries {
		port := strconv.Itoa(first + rand.IntN(last-first))
		if err = claim(filepath.Join(dir, port)); errors.Is(err, unix.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			return "", err
		}
		address := net.JoinHostPort("127.0.0.1", port)
		var listener net.Listener
		if listener, err = net.Listen("tcp", address); err == nil {
			return address, listener.Close()
		}
	}
	return "", fmt.Errorf("no free port: %w", err)
}

// claim locks a file until the process ends, or returns unix.EWOULDBLOCK when it
// is locked already.
func claim(path string) error {
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = unix.Close(fd) // it holds nothing
		return err
	}
	return nil
}
