package ui

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// sampleAssets has every file that assets are made of.
func sampleAssets() fstest.MapFS {
	files := fstest.MapFS{}
	for name, parts := range sources {
		for _, part := range parts {
			files["assets/"+part] = &fstest.MapFile{Data: []byte("/* " + name + " of " + part + " */\n")}
		}
	}
	return files
}

func get(t *testing.T, handler http.Handler, method, path, encodings string) *http.Response {
	t.Helper()
	request := httptest.NewRequest(method, path, nil)
	if encodings != "" {
		request.Header.Set("Accept-Encoding", encodings)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Result()
}

func TestAnAssetIsServedForEver(t *testing.T) {
	files := sampleAssets()
	handler, err := serveAssets(files)
	require.NoError(t, err)
	all, err := makeAssets(files)
	require.NoError(t, err)

	for name, contentType := range map[string]string{
		"app.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8",
		"favicon.svg": "image/svg+xml", "licenses.txt": "text/plain; charset=utf-8",
	} {
		answer := get(t, handler, http.MethodGet, all[name].url, "")
		require.Equal(t, http.StatusOK, answer.StatusCode, name)
		require.Equal(t, contentType, answer.Header.Get("Content-Type"))
		require.Equal(t, "public, max-age=31536000, immutable", answer.Header.Get("Cache-Control"))
		require.Equal(t, "nosniff", answer.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "Accept-Encoding", answer.Header.Get("Vary"))
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.Equal(t, all[name].body, body)
	}
}

func TestAnAssetIsCompressedForWhoAsks(t *testing.T) {
	files := sampleAssets()
	handler, err := serveAssets(files)
	require.NoError(t, err)
	all, err := makeAssets(files)
	require.NoError(t, err)
	style := all["app.css"]

	for encodings, compressed := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "br": false, "gzip;q=x": false,
	} {
		answer := get(t, handler, http.MethodGet, style.url, encodings)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		if compressed {
			require.Equal(t, "gzip", answer.Header.Get("Content-Encoding"), encodings)
			reader, err := gzip.NewReader(bytes.NewReader(body))
			require.NoError(t, err)
			body, err = io.ReadAll(reader)
			require.NoError(t, err)
		} else {
			require.Empty(t, answer.Header.Get("Content-Encoding"), encodings)
		}
		require.Equal(t, style.body, body, encodings)
	}
}

func TestOnlyAssetsAreServed(t *testing.T) {
	files := sampleAssets()
	handler, err := serveAssets(files)
	require.NoError(t, err)
	all, err := makeAssets(files)
	require.NoError(t, err)

	for _, path := range []string{"/assets/", "/assets/app.css", "/assets/npm/README.md", "/assets/../assets.go", "/assets/app.000000000000.css"} {
		require.Equal(t, http.StatusNotFound, get(t, handler, http.MethodGet, path, "").StatusCode, path)
	}
	refused := get(t, handler, http.MethodPost, all["app.js"].url, "")
	require.Equal(t, http.StatusMethodNotAllowed, refused.StatusCode)
	require.Equal(t, "GET, HEAD", refused.Header.Get("Allow"))

	head := get(t, handler, http.MethodHead, all["app.js"].url, "")
	body, err := io.ReadAll(head.Body)
	require.NoError(t, err)
	require.Empty(t, body)
	require.NotEqual(t, "0", head.Header.Get("Content-Length"))
}

func TestAnAssetsNameFollowsItsContent(t *testing.T) {
	files := sampleAssets()
	before, err := makeAssets(files)
	require.NoError(t, err)
	files["assets/css/base.css"] = &fstest.MapFile{Data: []byte("body { color: red }")}
	after, err := makeAssets(files)
	require.NoError(t, err)

	require.NotEqual(t, before["app.css"].url, after["app.css"].url)
	require.Equal(t, before["app.js"].url, after["app.js"].url)
	require.Regexp(t, `^/assets/app\.[0-9a-f]{12}\.css$`, after["app.css"].url)
}

func TestWithoutMakeAssetsTheServerDoesNotStart(t *testing.T) {
	files := sampleAssets()
	delete(files, "assets/npm/htmx.js")
	delete(files, "assets/npm/uplot.css")
	_, err := serveAssets(files)
	require.EqualError(t, err, "assets: app.css, htmx.js missing: run make assets, then build again")
}

func TestAnUnknownAssetFailsThePage(t *testing.T) {
	_, err := assetURL("nothing.js")
	require.EqualError(t, err, `no asset is named "nothing.js"`)
}

// The bounds of the design: pages stay below 150 KB, and these come with each.
func TestOurOwnFilesStaySmall(t *testing.T) {
	size := func(pattern string) (total int) {
		for _, part := range sources[pattern] {
			if strings.HasPrefix(part, "npm/") {
				continue
			}
			content, err := embedded.ReadFile("assets/" + part)
			require.NoError(t, err)
			total += len(content)
		}
		return total
	}
	require.Less(t, size("app.css"), 40_000)
	require.Less(t, size("app.js")+size("theme.js"), 10_000)
	require.Less(t, size("charts.js"), 10_000)
}
