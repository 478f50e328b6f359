package links

import "bytes"

// key is what the machine knows of a member's name. A container remembers the
// key that it hangs on (an array hands it on to its elements), and the two
// together, a string's own key and its object's, tell a locator from an
// identity.
type key uint8

// The keys that matter, by what may hang on them.
const (
	keyOther key = iota

	// Strings, some of them containers elsewhere.
	keyReference
	keyURL
	keyFullURL
	keyLocation
	keyRequest
	keyAddress
	keyEndpoint
	keyValueURL
	keyDiv
	keyDiagnostics
	keyRelation
	keyResourceType
	lastStringKey = keyResourceType

	// Containers.
	keyLink      = iota
	keyEntryLink // link of an entry: made from keyLink, never looked up
	keyEntry
	keyResponse
	keyAttachment
	keyImplementation
	keyRelatedArtifact
	keyManifest
	keyText
	keyIssue
	keyNetwork
	keyMetadata

	// Either; the machine looks at the name itself.
	keySignature
	keyTotal
)

// lookup classifies a member's name, unescaped.
//
// The names of Attachment elements are all that the R4 JSON schema
// (hl7.org/fhir/R4/fhir.schema.json.zip) types so: DocumentReference.content
// and its two like have attachment; Patient, Person, Practitioner,
// RelatedPerson and HealthcareService photo; DiagnosticReport presentedForm;
// BodyStructure and ProdCharacteristic image; RelatedArtifact document;
// Library and Media content; ClaimResponse and ExplanationOfBenefit form; the
// rest end in Attachment. Elements of other types with one of these names have
// no url.
func lookup(name []byte) key {
	switch string(name) {
	case "reference":
		return keyReference
	case "url":
		return keyURL
	case "fullUrl":
		return keyFullURL
	case "location":
		return keyLocation
	case "request":
		return keyRequest
	case "address":
		return keyAddress
	case "endpoint":
		return keyEndpoint
	case "valueUrl":
		return keyValueURL
	case "div":
		return keyDiv
	case "diagnostics":
		return keyDiagnostics
	case "relation":
		return keyRelation
	case "resourceType":
		return keyResourceType
	case "link":
		return keyLink
	case "entry":
		return keyEntry
	case "response":
		return keyResponse
	case "attachment", "photo", "presentedForm", "image", "document", "content", "form":
		return keyAttachment
	case "implementation":
		return keyImplementation
	case "relatedArtifact":
		return keyRelatedArtifact
	case "output", "error", "deleted":
		return keyManifest
	case "text":
		return keyText
	case "issue":
		return keyIssue
	case "network":
		return keyNetwork
	case "metadata":
		return keyMetadata
	case "signature":
		return keySignature
	case "total":
		return keyTotal
	}
	if len(name) > len("Attachment") && bytes.HasSuffix(name, []byte("Attachment")) {
		return keyAttachment
	}
	return keyOther
}

// role is the key that a container under key k remembers, given its parent's.
func role(k, parent key) key {
	if k == keyLink {
		switch parent {
		case keyEntry:
			return keyEntryLink
		case keyMetadata: // TestScript.metadata.link.url is an identity
			return keyOther
		}
	}
	return k
}

// use says what the string under key k is in an object of the given role, at
// the given depth (1 is the root). Zero means that it passes.
func use(k, role key, depth int) Kind {
	switch k {
	case keyReference:
		return KindReference
	case keyURL:
		switch role {
		case keyLink:
			return KindLink
		case keyEntryLink:
			return KindEntryLink
		case keyRequest:
			return KindRequest
		case keyAttachment:
			return KindAttachment
		case keyImplementation:
			return KindEndpoint
		case keyRelatedArtifact:
			return KindURL
		case keyManifest:
			return KindManifest
		}
	case keyFullURL:
		if role == keyEntry {
			return KindFullURL
		}
	case keyLocation:
		if role == keyResponse {
			return KindLocation
		}
	case keyRequest:
		if depth == 1 {
			return KindManifest
		}
	case keyAddress:
		if role != keyNetwork { // AuditEvent.agent.network.address names a machine
			return KindEndpoint
		}
	case keyEndpoint:
		return KindEndpoint
	case keyValueURL:
		return KindURL
	case keyDiv:
		if role == keyText {
			return useText
		}
	case keyDiagnostics:
		if role == keyIssue {
			return useText
		}
	case keyRelation:
		if role == keyLink {
			return useRelation
		}
	case keyResourceType:
		return useType
	}
	return 0
}
