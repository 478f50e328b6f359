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
	ip := ap.Addr().Unmap()
	if ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || ip.IsMulticast() || ip.IsUnspecified() || sharedSpace.Contains(ip) {
		return fhir.NewError(http.StatusBadGateway, fhir.IssueSecurity,
			"the hospital's host name leads to a private address, which its route does not allow (upstream.private_network)")
	}
	return nil
}

// sharedSpace is carrier-grade NAT space (RFC 6598), private in effect.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")
