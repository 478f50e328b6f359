package docs

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"fhirgate/portal/web/page"
)

// ownAssets are what the pages need beside the design system.
//
//go:embed assets
var ownAssets embed.FS

// assetURL returns where an asset is, with its version: browsers keep it.
func assetURL(name string) (string, error) {
	content, err := ownAssets.ReadFile("assets/" + name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return "/docs/assets/" + name + "?v=" + hex.EncodeToString(sum[:6]), nil
}

// asset serves one of ownAssets.
func (p *Pages) asset(r *page.Request) error {
	kind, known := map[string]string{
		"reference.js": "text/javascript; charset=utf-8", "reference.css": "text/css; charset=utf-8", "try.css": "text/css; charset=utf-8",
	}[r.PathValue("file")]
	if !known {
		return page.NotFound()
	}
	content, err := ownAssets.ReadFile("assets/" + r.PathValue("file"))
	if err != nil {
		return err
	}
	r.W.Header().Set("Content-Type", kind)
	r.W.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	_, err = r.W.Write(content)
	return err
}

// reference shows the API in a viewer, which fetches the document by itself.
func (p *Pages) reference(r *page.Request) error {
	script, err := assetURL("reference.js")
	if err != nil {
		return err
	}
	style, err := assetURL("reference.css")
	if err != nil {
		return err
	}
	return r.Render(http.StatusOK, "reference", struct{ Script, Style, Base string }{script, style, p.o.PublicURL + "/fhir"})
}

// document is the API as an OpenAPI document. With ?download it is saved as a file.
func (p *Pages) document(r *page.Request) error {
	d, err := p.o.Source.Document(r.Context())
	if err != nil {
		return err
	}
	d.Tell(func(problem error) {
		p.o.Log.WarnContext(r.Context(), "the API reference lacks something", "request_id", r.ID, "problem", problem.Error())
	})
	sum := sha256.Sum256(d.JSON)
	tag := `W/"` + hex.EncodeToString(sum[:8]) + `"` // weak: its bytes differ when they are compressed
	h := r.W.Header()
	h.Set("Content-Type", "application/vnd.oai.openapi+json; version=3.1")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", tag)
	if r.URL.Query().Has("download") {
		h.Set("Content-Disposition", `attachment; filename="fhirgate-openapi.json"`)
	}
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		r.W.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Length", strconv.Itoa(len(d.JSON)))
	_, err = r.W.Write(d.JSON)
	return err
}
