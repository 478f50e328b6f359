package sandbox

import (
	"encoding/json"
	"slices"
)

// offer is what a CapabilityStatement says about one type.
type offer struct {
	typ          string
	interactions []string
}

// capabilities says what a hospital offers.
type capabilities struct {
	software   string
	offers     []offer
	system     []string // interactions on the base
	versioning string   // of every type; empty says nothing
	operations bool     // $everything and $validate
}

// capabilityStatement writes the answer to GET metadata (https://hl7.org/fhir/R4/capabilitystatement.html).
func capabilityStatement(o Options, at address, c capabilities) json.RawMessage {
	resources := make([]any, len(c.offers))
	for i, of := range c.offers {
		var params []any
		for _, name := range paramNames(of.typ) {
			p, _ := lookupParam(of.typ, name)
			params = append(params, obj("name", name, "type", p.kind.String()))
		}
		var operations json.RawMessage
		if c.operations && of.typ == "Patient" {
			operations = arr(obj("name", "everything", "definition", "http://hl7.org/fhir/OperationDefinition/Patient-everything"))
		}
		resources[i] = obj("type", of.typ, "interaction", codes(of.interactions), "versioning", text(c.versioning),
			"searchParam", arr(params...), "operation", operations)
	}
	var system json.RawMessage
	if len(c.system) > 0 {
		system = codes(c.system)
	}
	started := o.Now().In(o.TimeZone).Format("2006-01-02")
	return obj("resourceType", "CapabilityStatement", "status", "active", "date", started, "publisher", organizationName(o), "kind", "instance",
		"software", obj("name", c.software, "version", "1"), "implementation", obj("description", organizationName(o), "url", at.base),
		"fhirVersion", "4.0.1", "format", arr("json"), "rest", arr(obj("mode", "server", "security", security(o, at),
			"resource", arr(resources...), "interaction", system)))
}

func security(o Options, at address) json.RawMessage {
	if o.Open {
		return nil
	}
	return obj("extension", arr(obj("url", "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
		"extension", arr(obj("url", "token", "valueUri", at.token)))),
		"service", arr(obj("coding", arr(obj("system", "http://terminology.hl7.org/CodeSystem/restful-security-service", "code", "SMART-on-FHIR")))))
}

func codes(names []string) json.RawMessage {
	list := make([]any, len(names))
	for i, name := range names {
		list[i] = obj("code", name)
	}
	return arr(list...)
}

// smartConfiguration writes .well-known/smart-configuration (https://hl7.org/fhir/smart-app-launch/conformance.html).
func smartConfiguration(o Options, at address) json.RawMessage {
	methods := map[string]json.RawMessage{
		"epic":   arr("private_key_jwt"),
		"oracle": arr("client_secret_basic", "private_key_jwt"),
		"hapi":   arr("client_secret_post"),
	}
	scopes := make([]any, 0, len(o.Scopes))
	for _, scope := range slices.Sorted(slices.Values(o.Scopes)) {
		scopes = append(scopes, scope)
	}
	return obj("token_endpoint", at.token, "grant_types_supported", arr("client_credentials"),
		"token_endpoint_auth_methods_supported", methods[o.Vendor],
		"token_endpoint_auth_signing_alg_values_supported", arr("RS384", "ES384"),
		"scopes_supported", arr(scopes...), "capabilities", arr("client-confidential-asymmetric", "permission-v1", "permission-v2"))
}

// organizationName is the hospital's name.
func organizationName(o Options) string {
	if o.Name != "" {
		return o.Name
	}
	return map[string]string{"epic": "Lakeside University Hospital", "oracle": "St. Mary's Hospital", "hapi": "Riverside Clinic"}[o.Vendor]
}
