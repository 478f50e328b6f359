package upstream

import (
	"net/http"
	"net/url"
	"strings"

	"fhirgate/fhir"
)

// maxRedirects bounds how often one call is sent on.
const maxRedirects = 5

// redirects says where a hospital may send a read on to.
type redirects struct {
	base  *url.URL
	hosts map[string]bool // host:port, in lower case, besides the base's own
}

func newRedirects(base *url.URL, hosts []string) redirects {
	r := redirects{base: base, hosts: make(map[string]bool, len(hosts))}
	for _, host := range hosts {
		r.hosts[Authority(&url.URL{Scheme: base.Scheme, Host: host})] = true
	}
	return r
}

// next returns the request that a redirect asks for, or nil when resp is none
// that is followed: a write is never sent on, because it might then happen
// twice or elsewhere. The credential goes to the hospital's own host alone.
//
// Errors: 502 for a place that the route does not allow, or that is not https
// while the hospital is.
func (d redirects) next(r *http.Request, resp *http.Response) (*http.Request, error) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, nil
	}
	target, err := r.URL.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" {
		return nil, refusedRedirect("the hospital redirects to something that is not a URL")
	}
	own := Authority(target) == Authority(d.base)
	switch {
	case target.User != nil || (target.Scheme != "https" && target.Scheme != "http"):
		return nil, refusedRedirect("the hospital redirects to something that is not plain http or https")
	case target.Scheme == "http" && d.base.Scheme == "https":
		return nil, refusedRedirect("the hospital redirects from https to http")
	case !own && !d.hosts[Authority(target)]:
		return nil, refusedRedirect("the hospital redirects to a host that its route does not allow (upstream.redirect_hosts)")
	}
	next := r.Clone(r.Context())
	next.URL, next.Host = target, target.Host
	if !own { // neither the credential nor a fixed header of the route, which may be one
		next.Header = http.Header{"Accept": r.Header["Accept"], "Accept-Encoding": r.Header["Accept-Encoding"], "User-Agent": r.Header["User-Agent"]}
	}
	return next, nil
}

func refusedRedirect(text string) error {
	return fhir.NewError(http.StatusBadGateway, fhir.IssueSecurity, text)
}

// Authority returns u's host in lower case with its port, also when that is the
// scheme's default.
func Authority(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
		if strings.EqualFold(u.Scheme, "http") {
			port = "80"
		}
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}
