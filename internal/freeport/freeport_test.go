package freeport

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddress(t *testing.T) {
	address, err := Address()
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	require.Less(t, number, 32_768, "what the kernel gives to others")
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	require.NoError(t, listener.Close())
}

func TestAPortIsGivenOutOnce(t *testing.T) {
	seen := make(map[string]bool)
	for range 200 {
		address, err := Address()
		require.NoError(t, err)
		require.False(t, seen[address], "nobody listens there yet")
		seen[address] = true
	}
}
