package fhir

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTypeName(t *testing.T) {
	for _, name := range []string{"Patient", "VisionPrescription", "patient", "Unheard", ""} {
		require.Equal(t, name, TypeName([]byte(name)))
	}
	raw := []byte("Patient")
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = TypeName(raw) }))
	name := TypeName(raw)
	raw[0] = 'p'
	require.Equal(t, "Patient", name)
}
