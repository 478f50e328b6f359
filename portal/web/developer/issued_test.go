package developer

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/portal/store"
)

// What is copied as a whole and pasted into a shell must be one command: else
// read takes the next line for the secret, and the secret ends in the history.
// A comment would be an error in an interactive zsh.
func TestTheFirstCallIsOneCommand(t *testing.T) {
	for kind, secret := range map[string]string{"key": "FHIRGATE_KEY", "client": "FHIRGATE_CLIENT_SECRET"} {
		t.Run(kind, func(t *testing.T) {
			issued := issuedData{
				Secret: "fg_secret", TokenURL: "https://gw.example/oauth/token",
				Credential: ownCredential{Credential: store.Credential{Kind: kind, KeyID: "key_1", Hospitals: []string{"harbor"}}},
			}
			call := firstCall("https://gw.example", issued)
			lines := strings.Split(call, "\n")
			require.Equal(t, "read -rs "+secret+" && export "+secret+" &&", lines[0], "the quick start goes on with it")
			for _, line := range lines[:len(lines)-1] {
				require.True(t, strings.HasSuffix(line, " &&"), line)
			}
			require.Contains(t, lines[len(lines)-1], "/fhir/harbor/metadata")
			require.NotContains(t, call, "#")
			require.NotContains(t, call, "fg_secret")
		})
	}
	require.Empty(t, firstCall("https://gw.example", issuedData{Credential: ownCredential{}}))
}
