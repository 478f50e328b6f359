package routes

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAccepts(t *testing.T) {
	all := &Route{}
	require.True(t, all.Accepts("api-key", false))
	strict := &Route{Accept: []string{"token", "api-key+certificate"}}
	for _, tc := range []struct {
		way         string
		certificate bool
		want        bool
	}{
		{"token", false, true},
		{"token", true, true},
		{"api-key", false, false},
		{"api-key", true, true},
		{"identity-provider", true, false},
		{"certificate", true, false},
	} {
		require.Equal(t, tc.want, strict.Accepts(tc.way, tc.certificate), tc)
	}
}

func TestMistakesAboutCallersAreNamed(t *testing.T) {
	_, problems := Parse("routes/x.yaml", []byte(`version: 1
id: x
environment: sandbox
accept: [tokn]
deny: [{type: observation}]
upstream: {base_url: "https://ehr.example"}
interactions: {Patient: [read]}
`))
	require.ErrorContains(t, problems.Err(), `x.yaml:4:10: accept.0: unknown way in "tokn"; did you mean "token"?`)
	require.ErrorContains(t, problems.Err(), `x.yaml:5:15: deny.0.type: must be a resource type of R4, or "*"`)
}
