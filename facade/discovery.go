package facade

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"fhirgate/fhir"
	"fhirgate/policies"
	"fhirgate/policies/smart"
	"fhirgate/routes"
)

// What is discovered at a base, which is /fhir or /fhir/{hospital}.
const (
	smartPath    = ".well-known/smart-configuration"
	metadataPath = "metadata"
)

// discover answers calls for {base}/.well-known/smart-configuration and
// {base}/metadata. Who shows no credential gets what is true of the gateway as a
// whole: the answer does not tell whether there is a hospital of that id. With a
// credential the answer is narrowed to what the caller may do, and one that is
// not good is refused as everywhere. What it reports as not handled goes through
// the stages: other paths, and a hospital's own metadata for a known caller.
func (f *Facade) discover(c *call) (handled bool, err error) {
	hospital, document, ok := discovered(c.r)
	if !ok {
		return false, nil
	}
	c.w.Header()["Vary"] = credentialHeaders
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		return true, fhir.NewError(http.StatusMethodNotAllowed, fhir.IssueNotSupported, "the method does not go with this path").With("Allow", "GET, HEAD")
	}
	c.req = fhir.Request{Interaction: fhir.Capabilities}
	if document == metadataPath {
		if err := acceptable(c); err != nil {
			return true, err
		}
	}
	given, _, err := presented(c.r)
	if err == nil && given == "" && certificateOf(c.r) == "" {
		return true, f.discoverAll(c, hospital, document)
	}
	if hospital != "" && document == metadataPath {
		return false, nil
	}
	return true, f.discoverOwn(c, hospital, document)
}

// credentialHeaders are what the answers depend on.
var credentialHeaders = []string{"Authorization, X-Api-Key"}

// discovered splits the path of a call that discover answers; hospital is empty
// for the base of all. A segment that can be no hospital's id is none.
func discovered(r *http.Request) (hospital, document string, ok bool) {
	if path := strings.TrimSuffix(r.URL.Path, "/"); !strings.HasSuffix(path, "/"+smartPath) && !strings.HasSuffix(path, "/"+metadataPath) {
		return "", "", false // nearly always, and before anything that takes time
	}
	path, err := plainPath(r)
	if err != nil {
		return "", "", false
	}
	rest := strings.TrimPrefix(path, Prefix)
	if rest == smartPath || rest == metadataPath {
		return "", rest, true
	}
	hospital, document, _ = strings.Cut(rest, "/")
	if document != smartPath && document != metadataPath || !routes.IsID(hospital) {
		return "", "", false
	}
	return hospital, document, true
}

// discoverAll answers a caller of whom nothing is known.
func (f *Facade) discoverAll(c *call, hospital, document string) error {
	c.w.Header()["Cache-Control"] = []string{"public, max-age=3600"}
	public := c.snapshot.PublicURL
	if document == smartPath {
		return c.sendDocument(smartType, smartConfiguration(public, f.people, widestScopes(f.people)))
	}
	base := public + strings.TrimSuffix(Prefix+hospital, "/")
	return c.sendDocument(fhir.MediaType, capabilityStatement(public, base,
		"What is offered depends on the caller and the hospital: ask again with a credential."))
}

// discoverOwn answers a caller who shows a credential.
func (f *Facade) discoverOwn(c *call, hospital, document string) error {
	if err := f.authenticate(c); err != nil {
		return err
	}
	if hospital != "" {
		c.hospital = c.snapshot.Hospitals[hospital]
		if err := f.authorise(c); err != nil {
			return err
		}
	} else if err := c.mayCall(); err != nil {
		return err
	}
	c.w.Header()["Cache-Control"] = noStore
	public, plan := c.snapshot.PublicURL, c.plan()
	if document == smartPath {
		scopes := plan.Clinical
		if c.consumer.Scopes != nil {
			scopes = smart.Narrow(c.consumer.Scopes, scopes)
		}
		return c.sendDocument(smartType, smartConfiguration(public, f.people, scopes.Strings()))
	}
	return c.sendDocument(fhir.MediaType, capabilityStatement(public, public+strings.TrimSuffix(Prefix, "/"), c.reach(plan)))
}

// reach names the hospitals that the caller reaches.
func (c *call) reach(plan *policies.Plan) string {
	var ids []string
	for id, h := range c.snapshot.Hospitals {
		if c.consumer.reaches(plan, h.Route) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "The caller's plan reaches no hospital."
	}
	slices.Sort(ids)
	return "The caller's plan reaches " + strings.Join(ids, ", ") +
		". Each is a FHIR server at this base, a slash and its id, with a CapabilityStatement of its own."
}

// smartType is the media type of a smart-configuration.
const smartType = "application/json"

// sendDocument answers with a document that the gateway made.
func (c *call) sendDocument(mediaType string, document any) error {
	body, err := json.Marshal(document)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h["Content-Type"] = []string{mediaType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	_, err = c.w.Write(body)
	return err
}
