// Package guarded keeps the gateway from calling its neighbours when somebody
// else chose the host (server-side request forgery): it tells private addresses
// from public ones.
package guarded

import (
	"net/netip"
	"syscall"
)

// Control returns a net.Dialer.Control that fails with what refusal returns for
// a private address. It sees the address after name resolution, so that neither
// a redirect nor a DNS answer gets past it.
func Control(refusal func() error) func(network, address string, conn syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if Private(ap.Addr()) {
			return refusal()
		}
		return nil
	}
}

// Private reports whether ip is not one of the public internet. An IPv4 address
// behind NAT64 counts as itself.
func Private(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if nat64.Contains(ip) {
		bytes := ip.As16()
		return Private(netip.AddrFrom4([4]byte(bytes[12:])))
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return true
	}
	for _, space := range specialSpaces {
		if space.Contains(ip) {
			return true
		}
	}
	return false
}

// nat64 is where IPv4 is reached from networks of IPv6 alone (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// specialSpaces are private in effect (RFC 6890, and the registries of IANA that
// it began).
var specialSpaces = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),  // carrier-grade NAT (RFC 6598)
	netip.MustParsePrefix("192.0.0.0/24"),   // protocol assignments; metadata of some clouds
	netip.MustParsePrefix("198.18.0.0/15"),  // benchmarks
	netip.MustParsePrefix("240.0.0.0/4"),    // reserved
	netip.MustParsePrefix("::/96"),          // IPv4-compatible, deprecated
	netip.MustParsePrefix("64:ff9b:1::/48"), // NAT64, local use
	netip.MustParsePrefix("2002::/16"),      // 6to4: an IPv4 address inside
	netip.MustParsePrefix("fec0::/10"),      // site-local, deprecated
}
