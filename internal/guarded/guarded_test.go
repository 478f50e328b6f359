package guarded

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrivate(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1": true, "127.8.8.8": true, "10.0.0.1": true, "172.16.0.1": true, "192.168.1.1": true, "169.254.169.254": true,
		"100.64.0.1": true, "100.100.100.200": true, "0.0.0.0": true, "0.1.2.3": true, "192.0.0.192": true, "198.18.0.1": true,
		"224.0.0.1": true, "240.0.0.1": true, "255.255.255.255": true,
		"::": true, "::1": true, "::ffff:127.0.0.1": true, "::127.0.0.1": true, "fe80::1%eth0": true, "fc00::1": true, "fd00:ec2::254": true,
		"fec0::1": true, "ff02::1": true, "64:ff9b::7f00:1": true, "64:ff9b::a9fe:a9fe": true, "64:ff9b:1::1": true, "2002:7f00:1::": true,
		"8.8.8.8": false, "172.32.0.1": false, "100.128.0.1": false, "2600::1": false, "64:ff9b::808:808": false,
	} {
		require.Equal(t, want, Private(netip.MustParseAddr(address)), address)
	}
}

func TestControl(t *testing.T) {
	neighbour := httptest.NewServer(http.NotFoundHandler())
	defer neighbour.Close()
	refused := errors.New("refused")
	dialer := &net.Dialer{Control: Control(func() error { return refused })}
	_, err := dialer.DialContext(t.Context(), "tcp", neighbour.Listener.Addr().String())
	require.ErrorIs(t, err, refused)

	control := Control(func() error { return refused })
	require.NoError(t, control("tcp4", "8.8.8.8:443", nil))
	require.ErrorIs(t, control("tcp6", "[::1]:443", nil), refused)
	require.Error(t, control("unix", "/run/neighbour.sock", nil))
}
