package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed assets
var embedded embed.FS

// prefix is where assets are served.
const prefix = "/assets/"

// sources tells of which files each asset is made, in their order. Those below
// npm come from packages: make assets puts them there.
var sources = map[string][]string{
	"app.css":        {"css/tokens.css", "css/base.css", "css/layout.css", "css/forms.css", "css/components.css", "css/data.css", "npm/uplot.css"},
	"app.js":         {"highlight.js", "app.js"},
	"theme.js":       {"theme.js"},
	"licenses.txt":   {"npm/licenses.txt"},
	"favicon.svg":    {"favicon.svg"},
	"htmx.js":        {"npm/htmx.js"},
	"charts.js":      {"npm/uplot.js", "charts.js"},
	"swagger-ui.js":  {"npm/swagger-ui.js"},
	"swagger-ui.css": {"npm/swagger-ui.css"},
}

// contentTypes do not come from the machine's tables: they would differ
// between machines.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
	".txt": "text/plain; charset=utf-8",
}

// asset is a file as it is served. An asset whose sources are missing has no
// body.
type asset struct {
	url  string
	body []byte
}

// assets are made once: the program holds them, so that they cannot change.
var assets = sync.OnceValues(func() (map[string]asset, error) {
	return makeAssets(embedded)
})

func makeAssets(files fs.FS) (map[string]asset, error) {
	made := make(map[string]asset, len(sources))
	for name, parts := range sources {
		var body []byte
		for _, part := range parts {
			content, err := fs.ReadFile(files, path.Join("assets", part))
			if errors.Is(err, fs.ErrNotExist) {
				body = nil
				break
			}
			if err != nil {
				return nil, err
			}
			body = append(body, content...)
		}
		made[name] = asset{url: prefix + hashedName(name, body), body: body}
	}
	return made, nil
}

// hashedName puts a hash of the content before the extension.
func hashedName(name string, body []byte) string {
	if body == nil {
		return name
	}
	sum := sha256.Sum256(body)
	extension := path.Ext(name)
	return strings.TrimSuffix(name, extension) + "." + hex.EncodeToString(sum[:6]) + extension
}

// assetURL is where the asset called name is served. Its name changes with its
// content, so that browsers may keep it for ever.
func assetURL(name string) (string, error) {
	all, err := assets()
	if err != nil {
		return "", err
	}
	found, known := all[name]
	if !known {
		return "", fmt.Errorf("no asset is named %q", name)
	}
	return found.url, nil
}

// Assets serves the style sheet, scripts and images that pages load, below
// /assets/. It is an error if make assets did not run before the program was
// built.
func Assets() (http.Handler, error) { return serveAssets(embedded) }

func serveAssets(files fs.FS) (http.Handler, error) {
	all, err := makeAssets(files)
	if err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	var missing []string
	served := map[string]servedAsset{}
	for name, one := range all {
		if one.body == nil {
			missing = append(missing, name)
			continue
		}
		if served[one.url], err = newServedAsset(name, one.body); err != nil {
			return nil, fmt.Errorf("assets: %w", err)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, fmt.Errorf("assets: %s missing: run make assets, then build again", strings.Join(missing, ", "))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, known := served[r.URL.Path]
		if !known {
			http.NotFound(w, r)
			return
		}
		found.ServeHTTP(w, r)
	}), nil
}

// servedAsset is an asset with its compressed form.
type servedAsset struct {
	contentType string
	plain, gzip []byte
}

func newServedAsset(name string, body []byte) (servedAsset, error) {
	var compressed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err != nil {
		return servedAsset{}, err
	}
	if _, err := writer.Write(body); err != nil {
		return servedAsset{}, err
	}
	if err := writer.Close(); err != nil {
		return servedAsset{}, err
	}
	return servedAsset{contentType: contentTypes[path.Ext(name)], plain: body, gzip: compressed.Bytes()}, nil
}

func (a servedAsset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	header, body := w.Header(), a.plain
	header.Set("Content-Type", a.contentType)
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Add("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		header.Set("Content-Encoding", "gzip")
		body = a.gzip
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body)
	}
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3) as far as
// browsers use it: gzip is taken if it is named and not refused by q=0.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, weighted := strings.CutPrefix(strings.TrimSpace(weight), "q=")
		value, err := strconv.ParseFloat(q, 64)
		return !weighted || err == nil && value > 0
	}
	return false
}
