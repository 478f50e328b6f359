package links

// Kind is the sort of place a locator stands at.
type Kind uint8

// The kinds of locators, with the R4 elements they cover.
const (
	KindLink       Kind = iota + 1 // Bundle.link.url
	KindEntryLink                  // Bundle.entry.link.url
	KindFullURL                    // Bundle.entry.fullUrl
	KindLocation                   // Bundle.entry.response.location
	KindRequest                    // Bundle.entry.request.url
	KindReference                  // Reference.reference
	KindAttachment                 // Attachment.url
	KindEndpoint                   // Endpoint.address, implementation.url, channel.endpoint and their like
	KindURL                        // value[x] of type url, RelatedArtifact.url
	KindManifest                   // output.url, error.url, deleted.url and request of a Bulk Data manifest
)

// What a string that is not a locator may be to the machine.
const (
	useText     Kind = iota + 0x40 // narrative or diagnostics: base URLs inside are replaced
	useRelation                    // Bundle.link.relation
	useType                        // resourceType
)

var kindNames = [...]string{
	KindLink:       "link",
	KindEntryLink:  "entry link",
	KindFullURL:    "fullUrl",
	KindLocation:   "location",
	KindRequest:    "request",
	KindReference:  "reference",
	KindAttachment: "attachment",
	KindEndpoint:   "endpoint",
	KindURL:        "url",
	KindManifest:   "manifest",
}

// String names the kind in lower case, for logs and metrics.
func (k Kind) String() string {
	if int(k) < len(kindNames) && k > 0 {
		return kindNames[k]
	}
	return "unknown"
}

// joins says whether a relative locator of this kind becomes absolute. The
// others are relative to the server wherever they stand (a reference, a
// request's url) or have no base that R4 defines.
func (k Kind) joins() bool {
	return k == KindLink || k == KindEntryLink || k == KindFullURL || k == KindLocation || k == KindAttachment
}
