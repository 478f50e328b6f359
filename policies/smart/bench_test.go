package smart

import (
	"testing"

	"fhirgate/fhir"
)

// TestCheckDoesNotAllocate holds the price of a call by a caller who may do
// everything.
func TestCheckDoesNotAllocate(t *testing.T) {
	scopes := mustParse(t, "system/*.cruds")
	for name, req := range map[string]fhir.Request{
		"read":   {Interaction: fhir.Read, Type: "Patient", ID: "1"},
		"search": {Interaction: fhir.SearchType, Type: "Observation"},
	} {
		if n := testing.AllocsPerRun(100, func() { checkPlain(t, scopes, req) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	scopes := mustParse(b, "system/*.cruds")
	for _, req := range []fhir.Request{
		{Interaction: fhir.Read, Type: "Patient", ID: "1"},
		{Interaction: fhir.SearchType, Type: "Observation"},
	} {
		b.Run(string(req.Interaction), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				checkPlain(b, scopes, req)
			}
		})
	}
	narrow := mustParse(b, "system/Observation.rs?category=laboratory", "system/Patient.rs")
	access := NewAccess(Holder{}, nil, narrow)
	req := fhir.Request{Interaction: fhir.SearchType, Type: "Observation"}
	b.Run("constrained", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := access.Check(req, "patient=1&_include=Observation:patient"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func checkPlain(t testing.TB, scopes *Scopes, req fhir.Request) {
	access := NewAccess(Holder{}, nil, scopes, scopes)
	p, err := access.Check(req, "patient=1&category=laboratory")
	if err != nil || !p.Free() {
		t.Fatal(err)
	}
}

func mustParse(t testing.TB, list ...string) *Scopes {
	t.Helper()
	scopes, err := Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	return scopes
}
