package scope

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	for text, want := range map[string]Scope{
		"system/Patient.rs":                     {"system", "Patient", []string{"read", "search"}, ""},
		"system/*.cruds":                        {"system", "*", words, ""},
		"system/Patient.*":                      {"system", "Patient", words, ""},
		"user/Binary.read":                      {"user", "Binary", []string{"read", "search"}, ""},
		"system/Binary.write":                   {"system", "Binary", []string{"create", "update", "delete"}, ""},
		"patient/Observation.s?category=a&b=c?": {"patient", "Observation", []string{"search"}, "category=a&b=c?"},
	} {
		read, known := Read(text)
		require.True(t, known, text)
		require.Equal(t, want, read, text)
	}
	for _, text := range []string{"", "openid", "fhirgate/raw", "system/Patient", "system/Patient.", "system/Patient.rx", "system/Patient.rr"} {
		_, known := Read(text)
		require.False(t, known, text)
	}
}
