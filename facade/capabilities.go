package facade

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"fhirgate/fhir"
	"fhirgate/transforms/links"
)

// maxCapabilities is the largest CapabilityStatement that is read, in bytes.
const maxCapabilities = 16 << 20

// presentCapabilities answers with the hospital's CapabilityStatement narrowed
// to what its route lists and the caller's scopes cover, in JSON, at the
// gateway's address and with the gateway's way in
// (https://hl7.org/fhir/R4/capabilitystatement.html).
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
	edited, err := c.narrowStatement(statement)
	if err != nil {
		return fhir.NewError(http.StatusBadGateway, fhir.IssueStructure, "the hospital's CapabilityStatement could not be narrowed").Because(err)
	}
	return c.sendJSON(edited)
}

// narrowStatement edits a hospital's CapabilityStatement for the caller.
func (c *call) narrowStatement(statement []byte) ([]byte, error) {
	h := c.hospital
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
	narrowed, err := c.narrowRest(rest.Raw)
	if err != nil {
		return nil, err
	}
	return sjson.SetRawBytes(statement, "rest", []byte("["+narrowed+"]"))
}

func (c *call) narrowRest(rest string) (string, error) {
	var kept []string
	for _, resource := range gjson.Get(rest, "resource").Array() {
		typ := resource.Get("type").Str
		if !c.offersType(typ) {
			continue
		}
		narrowed, err := c.narrowResource(resource.Raw, typ)
		if err != nil {
			return "", err
		}
		kept = append(kept, narrowed)
	}
	rest, err := setList(rest, "resource", kept)
	if err != nil {
		return "", err
	}
	if rest, err = keepElements(rest, "interaction", "code", func(code string) bool {
		return c.offers(fhir.Request{Interaction: fhir.Interaction(code)}, "")
	}); err != nil {
		return "", err
	}
	if rest, err = keepElements(rest, "operation", "name", c.offersOperation("")); err != nil {
		return "", err
	}
	return sjson.SetRaw(rest, "security", security(c.snapshot.PublicURL))
}

// conditional are the interactions that have a conditional form, and the
// elements by which a type says that it takes it.
var conditional = []struct {
	interaction fhir.Interaction
	element     string
}{
	{fhir.Create, "conditionalCreate"},
	{fhir.Update, "conditionalUpdate"},
	{fhir.Patch, "conditionalPatch"}, // of R5
	{fhir.Delete, "conditionalDelete"},
}

func (c *call) narrowResource(resource, typ string) (string, error) {
	resource, err := keepElements(resource, "interaction", "code", func(code string) bool {
		return c.offers(fhir.Request{Interaction: fhir.Interaction(code), Type: typ}, "")
	})
	if err != nil {
		return "", err
	}
	if resource, err = keepElements(resource, "operation", "name", c.offersOperation(typ)); err != nil {
		return "", err
	}
	for _, form := range conditional {
		asked := fhir.Request{Interaction: form.interaction, Conditional: true, Type: typ}
		if gjson.Get(resource, form.element).Exists() && !c.offers(asked, "") {
			if resource, err = sjson.Delete(resource, form.element); err != nil {
				return "", err
			}
		}
	}
	for _, include := range [...]struct{ list, parameter string }{{"searchInclude", "_include"}, {"searchRevInclude", "_revinclude"}} {
		if resource, err = keepElements(resource, include.list, "", func(value string) bool {
			return c.offers(fhir.Request{Interaction: fhir.SearchType, Type: typ}, include.parameter+"="+url.QueryEscape(value))
		}); err != nil {
			return "", err
		}
	}
	return resource, nil
}

// offers reports whether the hospital's route lists an interaction and the
// caller's scopes cover it.
func (c *call) offers(req fhir.Request, query string) bool {
	if !c.hospital.Route.Allows(req) {
		return false
	}
	_, err := c.access.Check(req, query)
	return err == nil
}

// offersOperation reports the same of operations, by their names as
// CapabilityStatements have them: with or without the "$".
func (c *call) offersOperation(typ string) func(name string) bool {
	return func(name string) bool {
		return c.offers(fhir.Request{Interaction: fhir.Operation, Type: typ, Operation: "$" + strings.TrimPrefix(name, "$")}, "")
	}
}

// offersType reports whether there is anything that the caller may do with a
// type.
func (c *call) offersType(typ string) bool {
	route := c.hospital.Route
	return slices.ContainsFunc(route.Operations[typ], c.offersOperation(typ)) ||
		slices.ContainsFunc(route.Interactions[typ], func(listed fhir.Interaction) bool {
			asked := fhir.Request{Interaction: listed, Type: typ}
			for _, form := range conditional {
				if listed == form.interaction.Conditional() {
					asked.Interaction, asked.Conditional = form.interaction, true
				}
			}
			return c.offers(asked, "")
		})
}

// keepElements keeps the elements of the list at key whose member name, or which
// themselves where name is empty, pass keep.
func keepElements(object, key, name string, keep func(string) bool) (string, error) {
	list := gjson.Get(object, key)
	if !list.Exists() {
		return object, nil
	}
	var kept []string
	for _, element := range list.Array() {
		value := element
		if name != "" {
			value = element.Get(name)
		}
		if keep(value.Str) {
			kept = append(kept, element.Raw)
		}
	}
	return setList(object, key, kept)
}

// setList puts a list at key; an empty one goes, as FHIR allows none.
func setList(object, key string, elements []string) (string, error) {
	if len(elements) == 0 {
		return sjson.Delete(object, key)
	}
	return sjson.SetRaw(object, key, "["+strings.Join(elements, ",")+"]")
}

func quote(s string) string {
	raw, err := sjson.Set(`{}`, "s", s)
	if err != nil {
		return `""`
	}
	return gjson.Get(raw, "s").Raw
}
