package portal

import (
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"fhirgate/portal/web/page"
)

// opener is a role that a route lets in.
func opener(route page.Route) string {
	switch {
	case route.Path == "/account/second-factor":
		return "bare admin"
	case route.Access == page.Pending:
		return "pending"
	case route.Access == page.Public:
		return "nobody"
	case route.Access == page.Admin:
		return "admin"
	default:
		return "owner"
	}
}

// TestPolicyOfPages looks at every page: as it is opened, as it answers to an
// empty form, and as it answers to a good one.
func TestPolicyOfPages(t *testing.T) {
	for _, publicURL := range []string{"http://portal.example", "https://portal.example"} {
		t.Run(publicURL, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, publicURL)
			seen := 0
			for _, route := range w.allRoutes() {
				path, role := w.path(route), opener(route)
				answers := map[string]answer{"opened": w.ask(role, route.Method, path, url.Values{})}
				if route.Method == http.MethodPost {
					answers["sent"] = w.ask(role, route.Method, path, w.good(route.Method+" "+route.Path))
					answers["refused"] = w.ask("viewer", route.Method, path, url.Values{})
				}
				for how, got := range answers {
					name := route.Method + " " + route.Path + " " + how
					requireHeaders(t, name, got, publicURL)
					if strings.HasPrefix(got.header.Get("Content-Type"), "text/html") && got.body != "" && got.status != http.StatusSeeOther {
						requirePage(t, name, got.body)
						seen++
					}
				}
				if role != "nobody" { // a form may have ended the session
					w.again(role)
				}
			}
			require.Greater(t, seen, 80, "most answers are pages")
		})
	}
}

// requireHeaders sees to what every answer carries.
func requireHeaders(t *testing.T, name string, got answer, publicURL string) {
	t.Helper()
	h := got.header
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		require.Contains(t, h.Get("Content-Security-Policy"), part, name)
	}
	require.NotContains(t, h.Get("Content-Security-Policy"), "unsafe", name)
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), name)
	require.Equal(t, "same-origin", h.Get("Referrer-Policy"), name)
	require.Equal(t, "same-origin", h.Get("Cross-Origin-Opener-Policy"), name)
	require.Equal(t, "same-origin", h.Get("Cross-Origin-Resource-Policy"), name)
	require.NotEmpty(t, h.Get("Permissions-Policy"), name)
	require.NotContains(t, h.Get("Cache-Control"), "public", name)
	if strings.HasPrefix(h.Get("Content-Type"), "text/html") {
		require.Equal(t, "no-store", h.Get("Cache-Control"), name)
	}
	https := strings.HasPrefix(publicURL, "https://")
	require.Equal(t, https, h.Get("Strict-Transport-Security") != "", name)
	for _, line := range h.Values("Set-Cookie") {
		cookie, err := http.ParseSetCookie(line)
		require.NoError(t, err)
		require.True(t, cookie.HttpOnly, "%s: %s", name, cookie.Name)
		require.Equal(t, http.SameSiteLaxMode, cookie.SameSite, "%s: %s", name, cookie.Name)
		require.Equal(t, "/", cookie.Path, "%s: %s", name, cookie.Name)
		require.Empty(t, cookie.Domain, "%s: %s", name, cookie.Name)
		require.Equal(t, https, cookie.Secure, "%s: %s", name, cookie.Name)
		require.Equal(t, https, strings.HasPrefix(cookie.Name, "__Host-"), "%s: %s", name, cookie.Name)
	}
}

// requirePage sees to what every page is made of.
func requirePage(t *testing.T, name, body string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	require.NoError(t, err, name)
	ids, labelled, headings, title := map[string]bool{}, map[string]bool{}, 0, ""
	var fields []*html.Node
	for node := range root.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		for _, a := range node.Attr {
			require.False(t, strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on") || a.Key == "style", "%s: <%s> has the attribute %s", name, node.Data, a.Key)
			if a.Key == "href" || a.Key == "src" || a.Key == "action" || a.Key == "formaction" {
				require.False(t, strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:"), "%s: %s", name, a.Val)
			}
		}
		if id := attribute(node, "id"); id != "" {
			require.False(t, ids[id], "%s: the id %s stands twice", name, id)
			ids[id] = true
		}
		switch node.Data {
		case "html":
			require.Equal(t, "en", attribute(node, "lang"), name)
		case "title":
			if node.Parent.Data == "head" {
				title = text(node)
			}
		case "h1":
			require.NotEmpty(t, strings.TrimSpace(text(node)), name)
			headings++
		case "script":
			require.True(t, strings.HasPrefix(attribute(node, "src"), "/"), "%s: a script in the page", name)
			require.Empty(t, strings.TrimSpace(text(node)), name)
		case "style", "iframe", "object", "embed", "base":
			require.Fail(t, "a page has <"+node.Data+">", name)
		case "link":
			require.True(t, strings.HasPrefix(attribute(node, "href"), "/"), "%s: a link to another site", name)
		case "img":
			require.True(t, slices.ContainsFunc(node.Attr, func(a html.Attribute) bool { return a.Key == "alt" }), "%s: an image without a text", name)
		case "label":
			labelled[attribute(node, "for")] = true
		case "input", "select", "textarea":
			hidden := slices.ContainsFunc(node.Attr, func(a html.Attribute) bool { return a.Key == "hidden" })
			if !hidden && !slices.Contains([]string{"hidden", "submit", "button"}, attribute(node, "type")) {
				fields = append(fields, node)
			}
		}
	}
	require.Equal(t, 1, headings, "%s: headings of the first level", name)
	require.NotEmpty(t, strings.TrimSpace(strings.TrimSuffix(title, "· fhirgate")), "%s: a title", name)
	for _, field := range fields {
		known := labelled[attribute(field, "id")] && attribute(field, "id") != "" || attribute(field, "aria-label") != ""
		for _, id := range strings.Fields(attribute(field, "aria-labelledby")) {
			known = known || ids[id]
		}
		for above := field.Parent; above != nil; above = above.Parent {
			known = known || above.Data == "label"
		}
		require.True(t, known, "%s: the field %s has no label", name, attribute(field, "name"))
		for _, id := range strings.Fields(attribute(field, "aria-describedby")) {
			require.True(t, ids[id], "%s: the field %s is described by %s, which is not there", name, attribute(field, "name"), id)
		}
	}
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(node *html.Node) string {
	var all strings.Builder
	for part := range node.Descendants() {
		if part.Type == html.TextNode {
			all.WriteString(part.Data)
		}
	}
	return all.String()
}

// TestPolicyOfAssets looks at everything that pages load.
func TestPolicyOfAssets(t *testing.T) {
	w := newWorld(t, "https://portal.example")
	root, err := html.Parse(strings.NewReader(w.ask("nobody", http.MethodGet, "/login", nil).body))
	require.NoError(t, err)
	seen := 0
	for node := range root.Descendants() {
		address := attribute(node, "src")
		if node.Data == "link" {
			address = attribute(node, "href")
		}
		if !strings.HasPrefix(address, "/assets/") {
			continue
		}
		seen++
		got := w.ask("nobody", http.MethodGet, address, nil)
		require.Equal(t, http.StatusOK, got.status, address)
		require.Contains(t, got.header.Get("Content-Security-Policy"), "default-src 'none'", address)
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"), address)
		require.Contains(t, got.header.Get("Cache-Control"), "immutable", address)
		require.Empty(t, got.header.Values("Set-Cookie"), address)
	}
	require.GreaterOrEqual(t, seen, 4)
	for _, path := range []string{"/assets/", "/assets/npm/", "/docs/assets/", "/assets/../portal.db", "/docs/assets/..%2freference.go"} {
		require.Contains(t, []int{http.StatusNotFound, http.StatusTemporaryRedirect}, w.ask("owner", http.MethodGet, path, nil).status, path)
	}
}

// TestSecretsAreShownOnce makes and rotates a key. Its secret is in the two
// answers, uncompressed, and nowhere else: on no page, in no log, not in the
// database.
func TestSecretsAreShownOnce(t *testing.T) {
	w := newWorld(t, "http://portal.example")
	app, credential := "/apps/"+w.ids["app"]+"/keys/new", "/credentials/"+w.ids["credential"]+"/rotate"
	for path, name := range map[string]string{app: "POST /apps/{app}/keys/new", credential: "POST /credentials/{credential}/rotate"} {
		form := w.good(name)
		w.opened(form, "member", path)
		require.NotEmpty(t, form.Get("once"), path)
		got := w.ask("member", http.MethodPost, path, form, "Accept-Encoding", "gzip")
		require.Equal(t, http.StatusOK, got.status, got.title())
		require.Empty(t, got.header.Get("Content-Encoding"), "its length would tell of the secret")
		require.Contains(t, got.body, issuedSecret)
		require.Equal(t, "no-store", got.header.Get("Cache-Control"))
		require.NotContains(t, w.ask("member", http.MethodPost, path, form).body, issuedSecret, "sent once more")
	}
	for _, route := range w.allRoutes() {
		if route.Method == http.MethodGet {
			require.NotContains(t, w.ask(opener(route), http.MethodGet, w.path(route), nil).body, issuedSecret, route.Path)
		}
	}
	require.NotContains(t, w.log.String(), issuedSecret)
	require.NotContains(t, w.trail(), issuedSecret)
	for _, ending := range []string{"", "-wal"} {
		content, err := os.ReadFile(w.options.Config.Database + ending)
		require.NoError(t, err)
		require.False(t, strings.Contains(string(content), issuedSecret), "the database has the secret")
	}
}

// TestPagesAreCompressed compares pages as they are sent to those who take gzip
// and to those who do not.
func TestPagesAreCompressed(t *testing.T) {
	w := newWorld(t, "http://portal.example")
	plain := w.ask("admin", http.MethodGet, "/console/users", nil)
	packed := w.ask("admin", http.MethodGet, "/console/users", nil, "Accept-Encoding", "gzip")
	require.Empty(t, plain.header.Get("Content-Encoding"))
	require.Equal(t, "gzip", packed.header.Get("Content-Encoding"))
	require.Contains(t, packed.header.Get("Vary"), "Accept-Encoding")
	require.Less(t, 3*len(packed.body), len(plain.body))
}
