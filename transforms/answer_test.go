package transforms

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

// TestWhatIsHeld holds of which types an answer's resources must be whole before
// they pass: those that some rule looks at, and no others, for they may be large.
func TestWhatIsHeld(t *testing.T) {
	vendors, err := Load(Shipped, ".")
	require.NoError(t, err)
	for vendor, want := range map[string]map[string]bool{
		"epic":    {"Patient": true, "Practitioner": true, "OperationOutcome": true, "DocumentReference": false, "Binary": false, "Observation": false},
		"nextgen": {"DocumentReference": true}, // whose entries are completed
	} {
		answer := vendors[vendor].Answer(Call{Type: "DocumentReference", Interaction: fhir.SearchType}, "", 200, "", time.Now())
		for typ, held := range want {
			require.Equal(t, held, answer.Edit().Holds(typ), "%s of %s", typ, vendor)
		}
		answer.Release()
	}
}
