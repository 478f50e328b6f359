package facade

import (
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks of the proxies in front of the gateway. What they say
// of a caller's address is believed, and what anybody else says is not.
type Proxies []netip.Prefix

// Address returns the caller's address: that of the connection, or, when that is
// a proxy's, the last one in X-Forwarded-For that is not. What stands before it
// was written by the caller. It is the zero Addr when a proxy wrote something
// that is no address.
func (p Proxies) Address(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	if len(p) == 0 || !contains(p, addr) {
		return addr
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(forwarded) - 1; i >= 0; i-- {
		text := strings.TrimSpace(forwarded[i])
		if text == "" {
			continue
		}
		if addr, err = netip.ParseAddr(text); err != nil {
			return netip.Addr{}
		}
		if addr = addr.Unmap().WithZone(""); !contains(p, addr) {
			return addr
		}
	}
	return addr
}

// AllowedFrom reports whether a record that may be used from networks may be used
// from addr. No network stands for all.
func AllowedFrom(networks []netip.Prefix, addr netip.Addr) bool {
	return len(networks) == 0 || contains(networks, addr)
}

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	for _, network := range networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}
