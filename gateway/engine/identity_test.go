package engine

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIdentityFromOutsideIsStripped(t *testing.T) {
	header := http.Header{}
	for _, name := range []string{
		"X-Consumer-Id", "X-Forwarded-User", "X-Tyk-Authorization", "X-HTTP-Method-Override", "X-SSL-Client-Verify",
		"Remote-User", "X-Client-Cert", "X-Authenticated-Userid", "X-Remote-User", "Client-Cert",
	} {
		header.Set(name, "admin")
	}
	kept := []string{"Authorization", "X-Api-Key", "X-Request-Id", "X-Forwarded-For", "Content-Type", "X-Fhirgate-Purpose", "X-Security-Context"}
	for _, name := range kept {
		header.Set(name, "kept")
	}
	stripIdentity(header)
	require.Len(t, header, len(kept))
	for _, name := range kept {
		require.Equal(t, "kept", header.Get(name), name)
	}
}
