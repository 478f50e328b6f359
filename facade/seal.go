package facade

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"

	"fhirgate/fhir"
	"fhirgate/internal/envelope"
	"fhirgate/transforms"
)

// Sealed links: what no prefix can map comes back to us as a token that only
// the gateway can read, a compact JWE (RFC 7516) with direct AES-256-GCM. The
// token is bound to hospital, consumer, interaction, type and an expiry; it is
// followed with GET only, and checked again when it comes back.
const (
	maxSealed     = 4 << 10 // bytes of a token
	pageLinkLife  = time.Hour
	otherLinkLife = 24 * time.Hour
)

// Sealer seals and opens links with a set of keys: the first seals, all open.
type Sealer struct{ keys *envelope.Keys }

// NewSealer returns a Sealer for keys, the active one first. Each must be a
// symmetric JWK ("oct") of 32 bytes with a kid of its own.
func NewSealer(set jose.JSONWebKeySet) (*Sealer, error) {
	keys, err := envelope.New(set)
	return &Sealer{keys}, err
}

// sealedLink is what a token holds. The names are short because a token has
// little room.
type sealedLink struct {
	URL         string           `json:"u"`
	Hospital    string           `json:"h"`
	Consumer    string           `json:"c"`
	Patient     string           `json:"p,omitempty"` // in the context of the token that it was given to
	Interaction fhir.Interaction `json:"i"`
	Type        string           `json:"t,omitempty"`
	Operation   string           `json:"o,omitempty"`
	ID          string           `json:"d,omitempty"` // of the resource that an operation or a history is of
	Expires     int64            `json:"e"`           // Unix seconds
	Form        bool             `json:"f,omitempty"` // the URL's query goes as the form of a POST _search
	Rule        string           `json:"r,omitempty"` // whose alternate route the URL is a page of
	Rest        *transforms.Rest `json:"m,omitempty"` // what is to be asked for after its last page
}

// Seal returns the token of a link, or an error when it is longer than a URL
// should carry.
func (s *Sealer) Seal(link sealedLink) (string, error) {
	plain, err := json.Marshal(link)
	if err != nil {
		return "", err
	}
	token, err := s.keys.Seal(plain)
	if err != nil {
		return "", err
	}
	if len(token) > maxSealed {
		return "", errors.New("a link of the hospital is too long to be sealed")
	}
	return token, nil
}

// Open returns the link of a token. A token that we did not make, or made with
// a key that is retired, is 404; whether it has expired is for the caller.
func (s *Sealer) Open(token string) (*sealedLink, error) {
	unknown := fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, "the link is not one that the gateway gave out")
	if len(token) > maxSealed || s.keys == nil {
		return nil, unknown
	}
	plain, err := s.keys.Open(token)
	if err != nil {
		return nil, unknown
	}
	link := new(sealedLink)
	if err := json.Unmarshal(plain, link); err != nil {
		return nil, unknown
	}
	return link, nil
}

// belongsTo checks a sealed link that came back: same hospital, same consumer,
// not expired, and still a host that the route allows. What it asks for is
// permitted as any call is.
func (l *sealedLink) belongsTo(c *call) error {
	if !l.given(c) {
		return fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "the link was given to another consumer or for another hospital")
	}
	if !c.began.Before(time.Unix(l.Expires, 0)) {
		return fhir.NewError(http.StatusGone, fhir.IssueExpired, "the link has expired: search again")
	}
	if c.r.URL.RawQuery != "" {
		return fhir.NewError(http.StatusBadRequest, fhir.IssueInvalid, "a link of an earlier answer takes no parameters: follow it as it is")
	}
	target, err := url.Parse(l.URL)
	if err != nil || !c.hospital.mayReach(target) {
		return fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "the hospital's route does not allow the link's host any more")
	}
	return nil
}

// given reports whether the link was given to the consumer of the call, in the
// same patient's context, and for the same hospital.
func (l *sealedLink) given(c *call) bool {
	return l.Hospital == c.hospital.Route.ID && l.Consumer == c.consumer.KeyID && l.Patient == c.consumer.Patient
}
