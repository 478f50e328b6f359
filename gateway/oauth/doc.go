// Package oauth is the gateway's OAuth 2.0 authorization server for machines,
// and the verification of the tokens that callers present.
//
// # Issuing
//
// One grant, client credentials (RFC 6749 section 4.4), with three ways for a
// client to show who it is: its secret by Basic or in the form (section 2.3.1),
// or a JWT signed with its own key, as SMART Backend Services has it
// (https://hl7.org/fhir/smart-app-launch/backend-services.html, RFC 7523). An
// assertion is good for one request on all nodes together.
//
// The tokens are JWTs (RFC 9068) of at most five minutes, signed with ES384 by a
// ring of keys (package jwks) that is made on first use and rotates by itself.
//
// # Verifying
//
// Server.Verify takes our own tokens and those of identity providers that are
// configured. The issuer decides which keys and algorithms count; a token's
// header only ever narrows that, and the addresses in it (jku, x5u) and the keys
// (jwk, x5c) are not looked at. Who the consumer is and what its plan is comes
// from its record, never from the token.
//
// # Failing
//
// Whoever is refused learns the same whether the client exists or not. When
// Redis does not answer, nothing is issued and nothing verified.
package oauth
