package upstream

import (
	"net/http"

	"fhirgate/fhir"
	"fhirgate/internal/guarded"
)

// refusePrivate is a net.Dialer.Control that refuses addresses inside our own
// network, so that a route file, a redirect or a DNS answer cannot make the
// gateway call its neighbours (server-side request forgery).
var refusePrivate = guarded.Control(func() error {
	return fhir.NewError(http.StatusBadGateway, fhir.IssueSecurity,
		"the hospital's host name leads to a private address, which its route does not allow (upstream.private_network)")
})
