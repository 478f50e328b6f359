package smart

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"fhirgate/fhir"
)

// fuzzScopes are picked from by the bits of a number.
var fuzzScopes = []string{
	"system/Observation.rs", "system/Observation.rs?category=a", "system/Patient.r", "system/*.s", "system/*.r?_tag=t",
	"user/*.cruds", "patient/*.cruds", "patient/Observation.s?status=final", "system/Observation.cud", "system/Observation.u?category=a",
	"system/Patient.s", "system/*.cud", "system/Practitioner.rs", "system/Condition.cruds",
}

func pick(bits uint16) []string {
	var list []string
	for i, s := range fuzzScopes {
		if bits&(1<<i) != 0 {
			list = append(list, s)
		}
	}
	return list
}

// FuzzCheck holds the laws for any call and query: nothing panics, who may do
// everything may do what anyone may, and with a scope less or a deny rule more
// nothing more is permitted, neither the call nor a resource of its answer.
func FuzzCheck(f *testing.F) {
	rules := []Filter{deny(f, AllTypes, "_security=R"), deny(f, "Observation", "status=final"), deny(f, "Consent", "")}
	f.Add("GET", "Observation", "_include=Observation:patient&patient.name=x", uint16(0x0fff), uint8(2), true, `{"resourceType":"Observation","category":[{"coding":[{"code":"a"}]}]}`)
	f.Add("GET", "", "_type=Patient&_total=accurate", uint16(8), uint8(0), false, `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Patient"}}]}`)
	f.Add("PATCH", "Observation/1", "", uint16(0x200), uint8(9), false, `[{"op":"add","path":"/category"}]`)
	f.Add("GET", "Patient/1/$everything", "", uint16(0x40), uint8(6), true, `{"resourceType":"Parameters","parameter":[{"part":[{"resource":{"resourceType":"Patient","id":"1"}}]}]}`)
	f.Add("DELETE", "Observation", "_has:Condition:subject:code=x", uint16(0x3fff), uint8(8), true, `{"resourceType":"Observation","contained":[{"resourceType":"Patient"}]}`)
	f.Fuzz(func(t *testing.T, method, path, query string, bits uint16, drop uint8, context bool, resource string) {
		req, err := fhir.Parse(method, path, http.Header{}, query)
		if err != nil || req.Interaction == fhir.Batch || req.Interaction == fhir.Capabilities {
			return
		}
		holder := Holder{}
		if context {
			holder = Holder{User: true, Patient: "1"}
		}
		check := func(denied []Filter, scopes ...string) (Permission, bool) {
			p, err := NewAccess(holder, denied, mustParse(t, scopes...)).Check(req, query)
			var refused *fhir.Error
			if err != nil && (!errors.As(err, &refused) || refused.Status != http.StatusForbidden && refused.Status != http.StatusBadRequest) {
				t.Fatalf("refused by %v", err)
			}
			if narrowed := p.Narrow(query); !strings.HasPrefix(narrowed, query) {
				t.Fatalf("%q is not part of %q", query, narrowed)
			}
			return p, err == nil
		}
		p, permitted := check(nil, pick(bits)...)
		if _, all := check(nil, "system/*.cruds"); permitted && !all {
			t.Fatal("one who may do everything may not")
		}
		less, lessPermitted := check(nil, pick(bits&^(1<<(drop%uint8(len(fuzzScopes)))))...)
		if lessPermitted && !permitted {
			t.Fatal("with a scope less the call is permitted")
		}
		under, underPermitted := check(rules, pick(bits)...)
		if underPermitted && (!permitted || under.Sees([]byte(resource)) && !p.Sees([]byte(resource)) || under.Free()) {
			t.Fatal("under deny rules more is permitted")
		}
		if !lessPermitted {
			return
		}
		body := []byte(resource)
		// A patch leaves alone what any of the scopes depends on.
		sendsLess := less.Sends(body) == nil && p.Sends(body) != nil && req.Interaction != fhir.Patch
		if less.Sees(body) && !p.Sees(body) || sendsLess || less.Changes(body) == nil && p.Changes(body) != nil {
			t.Fatal("with a scope less more is seen or written")
		}
		if less.Free() && !p.Free() {
			t.Fatal("with a scope less nothing is looked at")
		}
		for _, typ := range []string{"Patient", "Observation", "Binary"} {
			if p.Looks(typ) && !less.Looks(typ) || less.MayReturn(typ) && !p.MayReturn(typ) {
				t.Fatalf("with a scope less %s is freer", typ)
			}
		}
	})
}
