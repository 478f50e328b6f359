package oauth

import (
	"encoding/json"
	"net/http"
	"time"
)

// Metadata describes the authorization server (RFC 8414 section 2). The fields
// of SMART's .well-known/smart-configuration have the same names.
type Metadata struct {
	Issuer                                     string   `json:"issuer"`
	TokenEndpoint                              string   `json:"token_endpoint"`
	JWKSURI                                    string   `json:"jwks_uri"`
	RevocationEndpoint                         string   `json:"revocation_endpoint"`
	GrantTypesSupported                        []string `json:"grant_types_supported"`
	ResponseTypesSupported                     []string `json:"response_types_supported"` // required, and empty: there is no authorization endpoint
	ScopesSupported                            []string `json:"scopes_supported"`
	TokenEndpointAuthMethodsSupported          []string `json:"token_endpoint_auth_methods_supported"`
	TokenEndpointAuthSigningAlgValuesSupported []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthMethodsSupported             []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAuthSigningAlgValuesSupported    []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
}

// metadataAge is how long what is said of the server may be cached.
const metadataAge = 5 * time.Minute

// Metadata returns what there is to tell of the server. The slices are the
// caller's.
func (s *Server) Metadata() Metadata {
	methods := []string{"client_secret_basic", "client_secret_post", "private_key_jwt"}
	algorithms := make([]string, 0, len(assertionAlgorithms))
	for _, alg := range assertionAlgorithms {
		algorithms = append(algorithms, string(alg))
	}
	return Metadata{
		Issuer:                            s.issuer,
		TokenEndpoint:                     s.issuer + TokenPath,
		JWKSURI:                           s.issuer + KeysPath,
		RevocationEndpoint:                s.issuer + RevokePath,
		GrantTypesSupported:               []string{"client_credentials"},
		ResponseTypesSupported:            []string{},
		ScopesSupported:                   []string{"system/*.cruds", "system/*.rs", "system/*.read", "system/*.write", "system/*.*"},
		TokenEndpointAuthMethodsSupported: methods,
		TokenEndpointAuthSigningAlgValuesSupported: algorithms,
		RevocationAuthMethodsSupported:             methods,
		RevocationAuthSigningAlgValuesSupported:    algorithms,
	}
}

func (s *Server) serveMetadata(w http.ResponseWriter, _ *http.Request) error {
	data, err := json.Marshal(s.Metadata())
	if err != nil {
		return err
	}
	public(w, data, metadataAge)
	return nil
}
