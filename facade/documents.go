package facade

import "encoding/json"

// configuration is a smart-configuration
// (https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html#metadata). There
// is no authorization endpoint, because nobody logs in here: people come with
// tokens of their identity provider, programs with their own credentials.
type configuration struct {
	TokenEndpoint          string   `json:"token_endpoint"`
	TokenAuthMethods       []string `json:"token_endpoint_auth_methods_supported"`
	TokenSigningAlgorithms []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationEndpoint     string   `json:"revocation_endpoint"`
	GrantTypes             []string `json:"grant_types_supported"`
	Scopes                 []string `json:"scopes_supported"`
	CodeChallengeMethods   []string `json:"code_challenge_methods_supported"`
	Capabilities           []string `json:"capabilities"`
}

// endpoints returns where the gateway's authorization server gives tokens and
// takes them back.
func endpoints(public string) (token, revocation string) {
	return public + "/oauth/token", public + "/oauth/revoke"
}

// widestScopes are those that a plan can hold at most.
func widestScopes(people bool) []string {
	if people {
		return []string{"system/*.cruds", "user/*.cruds", "patient/*.cruds"}
	}
	return []string{"system/*.cruds"}
}

// smartConfiguration returns the document. people says that tokens of an outside
// identity provider are taken, which stand for persons.
func smartConfiguration(public string, people bool, scopes []string) *configuration {
	capabilities := []string{"client-confidential-symmetric", "client-confidential-asymmetric", "permission-v1", "permission-v2"}
	if people {
		capabilities = append(capabilities, "permission-patient", "permission-user")
	}
	token, revocation := endpoints(public)
	return &configuration{
		TokenEndpoint:          token,
		TokenAuthMethods:       []string{"client_secret_basic", "client_secret_post", "private_key_jwt"},
		TokenSigningAlgorithms: []string{"RS384", "ES384"},
		RevocationEndpoint:     revocation,
		GrantTypes:             []string{"client_credentials"},
		Scopes:                 scopes,
		CodeChallengeMethods:   []string{"S256"},
		Capabilities:           capabilities,
	}
}

// statementDate is when the gateway's own CapabilityStatement last changed.
const statementDate = "2026-11-22"

// capabilityStatement returns the gateway's own CapabilityStatement for base
// (https://hl7.org/fhir/R4/capabilitystatement.html). It lists no types: which
// there are is a matter of hospital and caller.
func capabilityStatement(public, base, documentation string) any {
	type object = map[string]any
	return object{
		"resourceType":   "CapabilityStatement",
		"status":         "active",
		"date":           statementDate,
		"kind":           "instance",
		"software":       object{"name": "fhirgate"},
		"implementation": object{"description": "A gateway to the FHIR servers of hospitals", "url": base},
		"fhirVersion":    "4.0.1",
		"format":         []string{"application/fhir+json", "json"},
		"rest": []object{{
			"mode":          "server",
			"documentation": documentation,
			"security":      json.RawMessage(security(public)),
		}},
	}
}

// security says how the gateway is called: with a token of its token endpoint,
// in the extension by which SMART clients find that
// (http://hl7.org/fhir/smart-app-launch/1.0.0/StructureDefinition-oauth-uris.html),
// or with a key.
func security(public string) string {
	token, revocation := endpoints(public)
	return `{"extension":[{"url":"http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris","extension":[` +
		`{"url":"token","valueUri":` + quote(token) + `},{"url":"revoke","valueUri":` + quote(revocation) + `}]}],` +
		`"service":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/restful-security-service","code":"SMART-on-FHIR","display":"SMART-on-FHIR"}]}],` +
		`"description":"A token of the token endpoint or an API key, as Authorization: Bearer {token or key}."}`
}
