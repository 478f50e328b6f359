package upstream

import (
	"net/http"
	"net/netip"
	"syscall"

	"fhirgate/fhir"
)

// refusePrivate is a net.Dialer.Control that refuses addresses inside our own
// network, so that a route file, a redirect or a DNS answer cannot make the
// gateway call its neighbours (server-side request forgery). It sees the
// address after name resolution.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if private(ap.Addr()) {
		return fhir.NewError(http.StatusBadGateway, fhir.IssueSecurity,
			"the hospital's host name leads to a private address, which its route does not allow (upstream.private_network)")
	}
	return nil
}

// private reports whether ip is not one of the public internet. An IPv4 address
// behind NAT64 counts as itself.
func private(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if nat64.Contains(ip) {
		bytes := ip.As16()
		return private(netip.AddrFrom4([4]byte(bytes[12:])))
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
