package smart

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"fhirgate/fhir"
)

// given returns what the code under test makes of a call.
func given(t testing.TB, r row, f form, typ string) (Permission, verdict) {
	t.Helper()
	req := r.req
	if !r.free {
		req.Type = typ
	}
	scopes := strings.Fields(strings.ReplaceAll(f.scopes, "TYPE", typ))
	p, err := NewAccess(f.holder, nil, mustParse(t, scopes...)).Check(req, strings.ReplaceAll(r.query, "TYPE", typ))
	if err != nil {
		require.Equal(t, 403, status(t, err))
		return p, refused
	}
	if passes(p, r, typ, `{"resourceType":"`+typ+`"}`) {
		return p, yes
	}
	return p, checked
}

// passes reports whether a resource goes through, in the direction of the call.
func passes(p Permission, r row, typ, resource string) bool {
	switch r.req.Interaction {
	case fhir.Create, fhir.Update:
		return p.Sends([]byte(resource)) == nil
	case fhir.Patch, fhir.Delete:
		return !p.NeedsPresent() || p.Changes([]byte(resource)) == nil
	default:
		return p.Free() || !p.Looks(typ) || p.Sees([]byte(resource))
	}
}

// within is a resource of the type that meets every condition of the matrix.
func within(typ string) string {
	about := map[string]string{
		"Observation": "subject", "DocumentReference": "subject", "MedicationRequest": "subject",
		"Appointment": "participant", "Patient": "id",
	}[typ]
	switch about {
	case "subject":
		about = `"subject":{"reference":"Patient/1"}`
	case "participant":
		about = `"participant":[{"actor":{"reference":"Patient/1"}}]`
	default:
		about = `"id":"1"`
	}
	return `{"resourceType":"` + typ + `",` + about + `,"meta":{"tag":[{"code":"in"}]}}`
}

// ofType returns the row without what the call needs on types that it brings
// in.
func ofType(r row) row {
	r.needs = slices.DeleteFunc(slices.Clone(r.needs), func(n need) bool { return n.typ != "" && !r.free })
	return r
}

// TestScopeMatrix takes every interaction with every form of scope to every
// type: as the specification says it, the call is permitted or refused, and
// what is permitted under a condition passes if it meets the condition, and
// only then.
func TestScopeMatrix(t *testing.T) {
	cases := 0
	for _, r := range rows {
		for _, f := range forms {
			for _, typ := range matrixTypes {
				cases++
				name := strings.Join([]string{r.name, f.scopes, typ}, " ")
				t.Run(name, func(t *testing.T) {
					p, got := given(t, r, f, typ)
					want := expected(r, f, typ)
					unconditional := expected(ofType(r), f, typ) == yes || f.condition == "patient" && slices.Contains(aboutNobody, typ)
					if want == checked && got == yes && unconditional {
						require.False(t, p.Free(), "what the call brings in is not checked")
						got = checked
					}
					require.Equal(t, want, got)
					if want == checked {
						outside := f.condition == "patient" && typ == "Binary" // in no compartment
						require.Equal(t, !outside, passes(p, r, typ, within(typ)))
					}
				})
			}
		}
	}
	require.Greater(t, cases, 500)
	t.Logf("%d cases: %d interactions, %d forms of scope, %d types", cases, len(rows), len(forms), len(matrixTypes))
}
