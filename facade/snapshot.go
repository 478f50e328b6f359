package facade

import (
	"net/url"
	"path"
	"strings"

	"fhirgate/policies"
	"fhirgate/policies/smart"
	"fhirgate/routes"
	"fhirgate/transforms"
	"fhirgate/upstream"
)

// Snapshot is the configuration that a call sees from its first stage to its
// last. It is never changed: a reload makes another one.
type Snapshot struct {
	PublicURL string // the gateway's base as its callers know it, without a slash at the end
	Hospitals map[string]*Hospital
	Plans     map[string]*policies.Plan

	places map[string][]place // by host
}

// Hospital is a route that is ready for calls.
type Hospital struct {
	Route  *routes.Route
	Client *upstream.Client
	Vendor *transforms.Vendor // the rules of its vendor; nil = none
	Denied []smart.Filter     // what its deny rules withhold

	base    *url.URL
	public  string   // {PublicURL}/fhir/{id}
	bases   []string // base_url and aliases
	hosts   map[string]bool
	foreign func(locator string) bool // whether a locator belongs to another hospital
}

// NewSnapshot joins hospitals, of which Route, Client, Vendor and Denied are set, and
// plans. publicURL has no slash at the end.
func NewSnapshot(publicURL string, hospitals []*Hospital, plans []*policies.Plan) (*Snapshot, error) {
	s := &Snapshot{
		PublicURL: publicURL,
		Hospitals: make(map[string]*Hospital, len(hospitals)),
		Plans:     make(map[string]*policies.Plan, len(plans)),
		places:    make(map[string][]place),
	}
	if err := s.settle(nil, publicURL+strings.TrimSuffix(Prefix, "/")); err != nil {
		return nil, err
	}
	for _, plan := range plans {
		s.Plans[plan.ID] = plan
	}
	for _, h := range hospitals {
		if err := h.ready(s); err != nil {
			return nil, err
		}
		s.Hospitals[h.Route.ID] = h
	}
	return s, nil
}

// ready derives what calls need from the hospital's route.
func (h *Hospital) ready(s *Snapshot) error {
	route := h.Route
	h.public = s.PublicURL + Prefix + route.ID
	h.bases = append([]string{route.Upstream.BaseURL}, route.Upstream.Aliases...)
	h.hosts = make(map[string]bool)
	h.foreign = func(locator string) bool { return s.belongsToAnother(h, locator) }
	for i, base := range h.bases {
		parsed, err := url.Parse(base)
		if err != nil {
			return err
		}
		if i == 0 {
			h.base = parsed
		}
		h.hosts[upstream.Authority(parsed)] = true
	}
	for _, host := range route.Upstream.LinkHosts {
		h.hosts[upstream.Authority(&url.URL{Scheme: h.base.Scheme, Host: host})] = true
	}
	return s.settle(h, append([]string{h.public}, h.bases...)...)
}

// mayReach reports whether a sealed link to u is allowed: a host of the
// hospital's own bases or of its link_hosts, and never plain http where the
// hospital is reached by https.
func (h *Hospital) mayReach(u *url.URL) bool {
	if u.User != nil || (u.Scheme != "https" && (u.Scheme != "http" || h.base.Scheme == "https")) {
		return false
	}
	return h.hosts[upstream.Authority(u)]
}

// place is an address below which the resources of one hospital lie, or those
// of all at the gateway.
type place struct {
	path  string
	owner *Hospital // nil = whoever the rest of the path names
}

// settle notes the places of a hospital.
func (s *Snapshot) settle(owner *Hospital, addresses ...string) error {
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		host := looseHost(u)
		s.places[host] = append(s.places[host], place{path: loosePath(u), owner: owner})
	}
	return nil
}

// belongsToAnother reports whether locator lies at another hospital of the
// snapshot, by the gateway's address of it or by its own. It is generous in what
// it takes for the same address, as a server that resolves it would be: scheme,
// default port, user, dot segments and escapes make no difference.
func (s *Snapshot) belongsToAnother(own *Hospital, locator string) bool {
	u, err := url.Parse(locator)
	if err != nil {
		return false
	}
	longest, foreign := -1, false
	path := loosePath(u)
	for _, p := range s.places[looseHost(u)] {
		rest, ok := strings.CutPrefix(path, p.path)
		if !ok || rest != "" && rest[0] != '/' || len(p.path) < longest {
			continue
		}
		if len(p.path) > longest {
			longest, foreign = len(p.path), true
		}
		foreign = foreign && p.owner != own
	}
	return foreign
}

// looseHost returns u's host in lower case, with its port unless that is the
// default of http or https.
func looseHost(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	if port := u.Port(); port != "" && port != "80" && port != "443" {
		host += ":" + port
	}
	return host
}

// loosePath returns u's path without escapes, dot segments and empty ones, or
// "" for the root.
func loosePath(u *url.URL) string {
	return strings.TrimSuffix(path.Clean("/"+u.Path), "/")
}

// below returns what follows base in locator, without a leading slash, when
// locator lies at or below base. Scheme and host compare without regard to case
// and default ports, as RFC 3986 section 6.2 has it; the path exactly.
func below(base, locator string) (rest string, ok bool) {
	b, err := url.Parse(base)
	if err != nil {
		return "", false
	}
	u, err := url.Parse(locator)
	if err != nil || !strings.EqualFold(u.Scheme, b.Scheme) || upstream.Authority(u) != upstream.Authority(b) || u.User != nil {
		return "", false
	}
	path := u.EscapedPath()
	if !strings.HasPrefix(path, b.EscapedPath()) {
		return "", false
	}
	rest = path[len(b.EscapedPath()):]
	if rest != "" && rest[0] != '/' {
		return "", false
	}
	rest = strings.TrimPrefix(rest, "/")
	if u.RawQuery != "" || u.ForceQuery {
		rest += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		rest += "#" + u.EscapedFragment()
	}
	return rest, true
}
