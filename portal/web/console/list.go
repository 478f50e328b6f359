package console

import (
	"net/http"

	"fhirgate/portal/web/page"
)

// pageSize is how many items of a long list a page shows.
const pageSize = 50

// listed answers with a page, or, when htmx searches or turns pages, with its
// block "results" alone.
func listed(r *page.Request, name string, data any) error {
	if r.HTMX() {
		return r.Part(http.StatusOK, name, "results", data)
	}
	return r.Render(http.StatusOK, name, data)
}
