package engine

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Tyk is told to listen at tykHost:port and finds these listeners already
// there. The host doesn't exist (RFC 6761), so that Tyk can't fall back to a
// TCP port; the ports are names, they only occur in the sockets' paths.
const (
	tykHost     = "tyk.invalid"
	dataPort    = 1
	controlPort = 2
)

// socketName ends in :port, where Tyk looks for the port of a listener.
func socketName(port int) string { return "tyk:" + strconv.Itoa(port) }

func (w *workspace) socketPath(port int) string {
	return filepath.Join(w.socket, socketName(port))
}

// adoptedFrom is the lowest descriptor number that is handed to Tyk. Tyk's
// library closes an adopted number twice, the second time whenever the garbage
// collector comes by; by then a low number would belong to someone else.
const adoptedFrom = 1000

// offerSockets makes Tyk's two listeners and names them in the environment,
// from where Tyk adopts them as if it had been started by an older self. The
// returned func takes the names back and must be called once Tyk serves.
func (w *workspace) offerSockets() (taken func(), err error) {
	var numbers, names, kinds []string
	for _, port := range []int{dataPort, controlPort} {
		fd, err := listenUnix(w.socketPath(port))
		if err != nil {
			return nil, fmt.Errorf("engine: listening on a private socket: %w", err)
		}
		numbers = append(numbers, strconv.Itoa(fd))
		names = append(names, net.JoinHostPort(tykHost, strconv.Itoa(port)))
		kinds = append(kinds, "unix")
	}
	restore := setenv(map[string]string{
		"GOAGAIN_FD":           strings.Join(numbers, ","),
		"GOAGAIN_SERVICE_NAME": strings.Join(names, ","),
		"GOAGAIN_NAME":         strings.Join(kinds, ","),
	})
	return func() {
		restore()
		for _, number := range numbers {
			occupy(number)
		}
	}, nil
}

// listenUnix returns the descriptor of a new listening socket.
func listenUnix(path string) (int, error) {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	listener.SetUnlinkOnClose(false)
	raw, err := listener.SyscallConn()
	if err != nil {
		return 0, err
	}
	fd, dupErr := 0, error(nil)
	if err := raw.Control(func(own uintptr) {
		fd, dupErr = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, adoptedFrom)
	}); err != nil {
		return 0, err
	}
	return fd, dupErr
}

// occupy keeps an adopted descriptor number busy, so that closing it a second
// time hits nothing else.
func occupy(number string) {
	fd, err := strconv.Atoi(number)
	if err != nil {
		return
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return
	}
	defer null.Close()
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
		return // someone has it already
	}
	_ = unix.Dup3(int(null.Fd()), fd, unix.O_CLOEXEC)
}

// setenv sets variables and returns a func that puts the old values back.
func setenv(values map[string]string) (restore func()) {
	old := make(map[string]*string, len(values))
	for name, value := range values {
		if before, ok := os.LookupEnv(name); ok {
			old[name] = &before
		} else {
			old[name] = nil
		}
		os.Setenv(name, value)
	}
	return func() {
		for name, before := range old {
			if before == nil {
				os.Unsetenv(name)
			} else {
				os.Setenv(name, *before)
			}
		}
	}
}
