package facade

import (
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"fhirgate/fhir"
	"fhirgate/routes"
	"fhirgate/transforms/links"
)

// maxCapabilities is the largest CapabilityStatement that is read, in bytes.
const maxCapabilities = 16 << 20

// presentCapabilities answers with the hospital's CapabilityStatement narrowed
// to what its route lists, in JSON, at the gateway's address and with the
// gateway's way in (https://hl7.org/fhir/R4/capabilitystatement.html).
func (f *Facade) presentCapabilities(c *call, h head) error {
	if !h.whole {
		var err error
		if h.bytes, h.whole, err = readOn(h.bytes, c.answer.Body, maxCapabilities); err != nil {
			return brokenOff(err)
		}
	}
	if !h.whole {
		return notFHIR("the hospital's CapabilityStatement is larger than the gateway reads")
	}
	statement, err := links.Rewrite(nil, h.bytes, f.answerLinks(c))
	if err != nil {
		return answerError(err)
	}
	if gjson.GetBytes(statement, "resourceType").Str != "CapabilityStatement" {
		return notFHIR("the hospital did not answer with a CapabilityStatement")
	}
	edited, err := narrow(statement, c.hospital)
	if err != nil {
		return fhir.NewError(http.StatusBadGateway, fhir.IssueStructure, "the hospital's CapabilityStatement could not be narrowed").Because(err)
	}
	return c.sendJSON(edited)
}

func narrow(statement []byte, h *Hospital) ([]byte, error) {
	edits := []struct {
		path string
		raw  string
	}{
		{"format", `["application/fhir+json","json"]`},
		{"implementation.description", quote(h.Route.Name + " through fhirgate")},
		{"implementation.url", quote(h.public)},
	}
	var err error
	for _, edit := range edits {
		if statement, err = sjson.SetRawBytes(statement, edit.path, []byte(edit.raw)); err != nil {
			return nil, err
		}
	}
	rest := gjson.GetBytes(statement, `rest.#(mode=="server")`)
	if !rest.Exists() {
		return statement, nil
	}
	narrowed, err := narrowRest(rest.Raw, h.Route)
	if err != nil {
		return nil, err
	}
	return sjson.SetRawBytes(statement, "rest", []byte("["+narrowed+"]"))
}

const security = `{"description":"An API key of the gateway, as Authorization: Bearer {key}."}`

func narrowRest(rest string, route *routes.Route) (string, error) {
	var kept []string
	for _, resource := range gjson.Get(rest, "resource").Array() {
		typ := resource.Get("type").Str
		listed := route.Interactions[typ]
		operations := route.Operations[typ]
		if len(listed) == 0 && len(operations) == 0 {
			continue
		}
		narrowed, err := keepElements(resource.Raw, "interaction", "code", func(code string) bool {
			return slices.Contains(listed, fhir.Interaction(code))
		})
		if err != nil {
			return "", err
		}
		if narrowed, err = keepElements(narrowed, "operation", "name", func(name string) bool {
			return slices.Contains(operations, "$"+strings.TrimPrefix(name, "$"))
		}); err != nil {
			return "", err
		}
		for flag, interaction := range map[string]fhir.Interaction{
			"conditionalCreate": fhir.ConditionalCreate, "conditionalUpdate": fhir.ConditionalUpdate, "conditionalDelete": fhir.ConditionalDelete,
		} {
			if gjson.Get(narrowed, flag).Exists() && !slices.Contains(listed, interaction) {
				if narrowed, err = sjson.Delete(narrowed, flag); err != nil {
					return "", err
				}
			}
		}
		kept = append(kept, narrowed)
	}
	rest, err := sjson.SetRaw(rest, "resource", "["+strings.Join(kept, ",")+"]")
	if err != nil {
		return "", err
	}
	if rest, err = keepElements(rest, "interaction", "code", func(code string) bool {
		return slices.Contains(route.Interactions[routes.System], fhir.Interaction(code))
	}); err != nil {
		return "", err
	}
	if rest, err = keepElements(rest, "operation", "name", func(name string) bool {
		return slices.Contains(route.Operations[routes.System], "$"+strings.TrimPrefix(name, "$"))
	}); err != nil {
		return "", err
	}
	return sjson.SetRaw(rest, "security", security)
}

// keepElements keeps the elements of the list at key whose member name passes
// keep; a list that ends up empty goes, as FHIR allows no empty lists.
func keepElements(object, key, name string, keep func(string) bool) (string, error) {
	list := gjson.Get(object, key)
	if !list.Exists() {
		return object, nil
	}
	var kept []string
	for _, element := range list.Array() {
		if keep(element.Get(name).Str) {
			kept = append(kept, element.Raw)
		}
	}
	if len(kept) == 0 {
		return sjson.Delete(object, key)
	}
	return sjson.SetRaw(object, key, "["+strings.Join(kept, ",")+"]")
}

func quote(s string) string {
	raw, err := sjson.Set(`{}`, "s", s)
	if err != nil {
		return `""`
	}
	return gjson.Get(raw, "s").Raw
}
