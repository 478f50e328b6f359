// Package docs holds the pages from which people learn to call the gateway: the
// quick start with programs filled in for the reader's own app, what errors mean,
// the API reference, and a place to try calls on simulated hospitals.
package docs

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"

	"fhirgate/gateway/adminapi"
	"fhirgate/portal/openapi"
	"fhirgate/portal/store"
	"fhirgate/portal/tryit"
	"fhirgate/portal/web/page"
)

//go:embed templates
var templates embed.FS

// Templates are the pages.
func Templates() fs.FS { return templates }

// Gateway is the part of the admin API that the pages need; *adminapi.Client has
// it.
type Gateway interface {
	Hospitals(ctx context.Context) ([]adminapi.Hospital, error)
}

// Options are what the pages work with. All but Log are required.
type Options struct {
	Store     *store.Store
	Gateway   Gateway
	Source    *openapi.Source
	Try       *tryit.Trier
	PublicURL string       // where callers reach the gateway, without a slash at the end
	Log       *slog.Logger // of what the gateway lacks; nil = nothing is logged
}

// Pages are the pages.
type Pages struct{ o Options }

// New returns the pages.
func New(o Options) *Pages {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Pages{o: o}
}

// Routes lists the pages. All are for everybody who is signed in.
func (p *Pages) Routes() []page.Route {
	const get, post = http.MethodGet, http.MethodPost
	return []page.Route{
		{Method: get, Path: "/docs", Access: page.Developer, Handle: p.start},
		{Method: get, Path: "/docs/quick-start", Access: page.Developer, Handle: p.quickStart},
		{Method: get, Path: "/docs/errors", Access: page.Developer, Handle: p.errors},
		{Method: get, Path: "/docs/reference", Access: page.Developer, Handle: p.reference},
		{Method: get, Path: "/docs/assets/{file}", Access: page.Developer, Handle: p.asset},
		{Method: get, Path: "/openapi.json", Access: page.Developer, Handle: p.document},
		{Method: get, Path: "/try", Access: page.Developer, Handle: p.tryForm},
		{Method: post, Path: "/try", Access: page.Developer, Handle: p.try},
	}
}

func (p *Pages) start(r *page.Request) error {
	return r.Render(http.StatusOK, "docs", struct{ Base string }{p.o.PublicURL + "/fhir"})
}
