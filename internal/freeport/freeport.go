// Package freeport finds addresses for servers that tests and benchmarks start.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// The ports that are tried: below those that the kernel gives to outgoing
// connections, of which a busy test makes thousands. A port among those may be
// taken between here and the start of the server.
const (
	first = 20_000
	last  = 32_000
	tries = 1000
)

// Address returns a loopback address, host:port, that nobody listens at.
func Address() (string, error) {
	var err error
	for range tries {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(last-first)))
		var listener net.Listener
		if listener, err = net.Listen("tcp", address); err == nil {
			return address, listener.Close()
		}
	}
	return "", fmt.Errorf("no free port: %w", err)
}
