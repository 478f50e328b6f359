package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

var fhirID = regexp.MustCompile(`^[A-Za-z0-9\-.]{1,64}$`)

// makers are the three kinds of hospital.
var makers = map[string]func(Options) *Hospital{"epic": NewEpic, "oracle": NewOracle, "hapi": NewHAPI}

// dataTypes are the types of which every hospital has resources.
var dataTypes = []string{"Organization", "Location", "Practitioner", "Patient", "Appointment", "Encounter", "Binary", "DocumentReference", "Observation"}

func TestDataIsReproducible(t *testing.T) {
	for name, makeHospital := range makers {
		t.Run(name, func(t *testing.T) {
			options := Options{Seed: 7, Now: func() time.Time { return noon }, BaseURL: "https://ehr.example/base"}
			a, b := makeHospital(options), makeHospital(options)
			options.Seed = 8
			other := makeHospital(options)
			differs := false
			for _, typ := range dataTypes {
				require.NotEmpty(t, a.IDs(typ), typ)
				require.Equal(t, a.IDs(typ), b.IDs(typ))
				for _, id := range a.IDs(typ) {
					one, _ := a.Resource(typ, id)
					two, _ := b.Resource(typ, id)
					three, _ := other.Resource(typ, id)
					require.Equal(t, string(one), string(two))
					differs = differs || !bytes.Equal(one, three)
				}
			}
			require.True(t, differs, "another seed gives other data")
		})
	}
}

func TestEveryStoredResourceIsWellFormed(t *testing.T) {
	for name, makeHospital := range makers {
		t.Run(name, func(t *testing.T) {
			h := makeHospital(Options{Now: func() time.Time { return noon }, TimeZone: chicago(t)})
			largest := 0
			for _, typ := range dataTypes {
				for _, id := range h.IDs(typ) {
					raw, ok := h.Resource(typ, id)
					require.True(t, ok)
					checkResource(t, h, raw)
					require.Equal(t, id, gjson.GetBytes(raw, "id").Str)
					require.Equal(t, typ, gjson.GetBytes(raw, "resourceType").Str)
					require.Equal(t, name != "epic", gjson.GetBytes(raw, "meta.versionId").Exists())
					if typ == "Patient" {
						require.Greater(t, len(raw), 2_000)
						largest = max(largest, len(raw))
					}
				}
			}
			require.InDelta(t, 3_000, largest, 500, "a Patient of about 3 KB")
			require.Len(t, h.IDs("Patient"), 200)
		})
	}
}

// checkResource checks the shape that all FHIR JSON has: no empty strings, arrays or objects, no nulls, ids of FHIR's alphabet, and
// references that lead to a resource of the hospital.
func checkResource(t *testing.T, h *Hospital, raw json.RawMessage) {
	t.Helper()
	require.True(t, json.Valid(raw))
	require.Regexp(t, fhirID, gjson.GetBytes(raw, "id").Str)
	require.True(t, isResourceType(gjson.GetBytes(raw, "resourceType").Str))
	var walk func(path string, value gjson.Result)
	walk = func(path string, value gjson.Result) {
		switch {
		case value.IsObject(), value.IsArray():
			members := 0
			value.ForEach(func(key, member gjson.Result) bool {
				members++
				if local, ok := strings.CutPrefix(member.Str, "#"); ok && key.Str == "reference" {
					require.Equal(t, local, gjson.GetBytes(raw, "contained.0.id").Str)
				} else if key.Str == "reference" {
					typ, id := lastTwo(member.Str)
					_, ok := h.Resource(typ, id)
					require.True(t, ok, "%s: %s", path, member.Str)
				}
				walk(path+"."+key.Str, member)
				return true
			})
			require.Positive(t, members, path)
		case value.Type == gjson.Null:
			t.Errorf("%s is null", path)
		case value.Type == gjson.String:
			require.NotEmpty(t, value.Str, path)
		}
	}
	walk(gjson.GetBytes(raw, "resourceType").Str, gjson.ParseBytes(raw))
}

func TestServedBundlesAreWellFormed(t *testing.T) {
	epic, epicToken := epicHospital(t, nil)
	oracle, oracleToken := oracleHospital(t, nil)
	hapi := hapiHospital(t)
	for _, served := range []struct {
		h       *Hospital
		token   string
		queries []string
	}{
		{epic, epicToken, []string{"Patient?_id=" + epic.IDs("Patient")[0], "Appointment?patient=" + epic.IDs("Patient")[1], "Encounter?patient=x", "Observation?category=vital-signs&patient=" + epic.IDs("Patient")[0], "DocumentReference?patient=" + epic.IDs("Patient")[0]}},
		{oracle, oracleToken, []string{"Patient?name=a", "Encounter?patient=" + oracle.IDs("Patient")[0], "Appointment?location=" + strings.Join(oracle.IDs("Location"), ",") + "&" + todayInChicago, "Observation?patient=0"}},
		{hapi, "", []string{"Patient", "Appointment?date=2026-11-22", "Encounter", "Observation?_count=500", "DocumentReference", "Location", "Practitioner", "Organization?name=zzz"}},
	} {
		for _, query := range served.queries {
			t.Run(served.h.Vendor()+" "+query, func(t *testing.T) {
				got := call(t, http.MethodGet, served.h.BaseURL()+"/"+query, "", "Authorization", served.token)
				require.Equal(t, 200, got.status, string(got.body))
				require.Equal(t, "Bundle", got.get("resourceType").Str)
				require.Equal(t, "searchset", got.get("type").Str)
				require.NotContains(t, compact(t, got.body), "[]")
				require.Equal(t, compact(t, got.body), string(got.body))
				for _, entry := range got.get("entry").Array() {
					if entry.Get("search.mode").Str == "outcome" {
						require.Equal(t, "OperationOutcome", entry.Get("resource.resourceType").Str)
						continue
					}
					resource := entry.Get("resource")
					require.Equal(t, served.h.BaseURL()+"/"+resource.Get("resourceType").Str+"/"+resource.Get("id").Str, entry.Get("fullUrl").Str)
					stored, ok := served.h.Resource(resource.Get("resourceType").Str, resource.Get("id").Str)
					require.True(t, ok)
					require.Equal(t, string(stored), resource.Raw)
				}
			})
		}
	}
}

func TestSizesForTheBenchmark(t *testing.T) {
	h := hapiHospital(t)
	got := call(t, http.MethodGet, h.BaseURL()+"/Appointment?date=2026-11-22&_count=20", "")
	require.Len(t, got.get("entry").Array(), 20)
	require.InDelta(t, 23_000, len(got.body), 1_500)
}

func TestDigitsSurvive(t *testing.T) {
	h := hapiHospital(t)
	got := call(t, http.MethodGet, h.BaseURL()+"/Observation?_count=500", "")
	for _, value := range values {
		require.Contains(t, string(got.body), `"valueQuantity":{"value":`+value+`,`)
	}
}

func TestMetadataNeedsNoToken(t *testing.T) {
	for name, makeHospital := range makers {
		t.Run(name, func(t *testing.T) {
			h := started(t, makeHospital(Options{}))
			got := call(t, http.MethodGet, h.BaseURL()+"/metadata", "")
			require.Equal(t, 200, got.status)
			require.Equal(t, "CapabilityStatement", got.get("resourceType").Str)
			require.Equal(t, "4.0.1", got.get("fhirVersion").Str)
			require.Equal(t, h.BaseURL(), got.get("implementation.url").Str)
			require.Equal(t, h.TokenURL(), got.get("rest.0.security.extension.0.extension.0.valueUri").Str)
			smart := call(t, http.MethodGet, h.BaseURL()+"/.well-known/smart-configuration", "")
			require.Equal(t, h.TokenURL(), smart.get("token_endpoint").Str)
			require.Equal(t, name, h.Vendor())
			require.Equal(t, name, h.ID())
		})
	}
}

func TestAConfiguredBaseIsUsedEverywhere(t *testing.T) {
	h := started(t, NewHAPI(Options{Now: func() time.Time { return noon }, Open: true, BaseURL: "https://ehr.example:8443/front/fhir/"}))
	require.Equal(t, "https://ehr.example:8443/front/fhir", h.BaseURL())
	require.Equal(t, "https://ehr.example:8443/auth/token", h.TokenURL())
	h.mu.RLock()
	local := h.origin + "/fhir"
	h.mu.RUnlock()
	got := call(t, http.MethodGet, local+"/Patient", "")
	require.Equal(t, 200, got.status)
	require.NotContains(t, string(got.body), local)
	require.True(t, strings.HasPrefix(got.get("link.1.url").Str, h.BaseURL()+"?_getpages="))
}
