package transforms

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"fhirgate/fhir"
)

// TestAHospitalsLocations has a hospital's own rule give what its vendor's rules
// demand: it stands before them.
func TestAHospitalsLocations(t *testing.T) {
	vendors, err := Load(Shipped, ".")
	require.NoError(t, err)
	var node yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(`request:
  - name: a day is that of our locations
    when: {type: Appointment, interaction: search-type, param: date}
    unless: {param: patient}
    do: [{search.split: {param: location, values: {var: locations}, at_most: 2}}]
`), &node))
	oracle, problems := vendors["oracle"].Extend("st-mary", "routes/st-mary.yaml", node.Content[0])
	require.Empty(t, problems)
	call := Call{Hospital: "st-mary", Type: "Appointment", Interaction: fhir.SearchType, Vars: map[string]string{"locations": "A,B,C"}}
	out, err := oracle.Apply(call, "date=2026-11-22", nil)
	require.NoError(t, err)
	require.Equal(t, "date=ge2026-11-22T00:00:00Z&date=lt2026-11-23T00:00:00Z&location=A,B", out.Query)
	require.NotNil(t, out.Rest)
	_, err = vendors["oracle"].Apply(call, "date=2026-11-22", nil)
	require.Error(t, err)
}
