package page

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/alexedwards/scs/v2"

	"fhirgate/portal/store"
	"fhirgate/portal/web/ui"
)

// expiringWithin is how long before its end a credential is reminded of.
const expiringWithin = 30 * 24 * time.Hour

// Kit is what all pages work with. All but Proxy and Version are required.
type Kit struct {
	Store     *store.Store
	Sessions  *scs.SessionManager
	Templates *ui.Templates
	Log       *slog.Logger
	Proxy     func(*http.Request) netip.Addr // the client's address; nil = the connection's
	Version   string
}

func (k *Kit) address(r *http.Request) netip.Addr {
	if k.Proxy != nil {
		return k.Proxy(r)
	}
	ap, _ := netip.ParseAddrPort(r.RemoteAddr)
	return ap.Addr().Unmap()
}

// Handler serves routes. Each request passes the same stages: a route is found,
// who asks is found out, access is checked, the page is made, errors become
// pages.
func (k *Kit) Handler(routes []Route) http.Handler {
	mux := http.NewServeMux()
	for _, route := range routes {
		mux.Handle(route.Method+" "+route.Path, k.page(route))
	}
	mux.Handle("/", k.page(Route{Access: Public, Handle: func(*Request) error { return NotFound() }}))
	return wholeBody(k.Sessions.LoadAndSave(mux))
}

// wholeBody reads a request to its end before anybody asks who has sent it: a form
// that comes slowly is not carried out with rights that its sender has lost
// meanwhile. What went wrong is told to who reads the form.
func wholeBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failedBody{err}))
		next.ServeHTTP(w, r)
	})
}

// failedBody is the end of a body: the error with which its reading ended.
type failedBody struct{ err error }

func (b failedBody) Read([]byte) (int, error) { return 0, cmp.Or(b.err, io.EOF) }

func (k *Kit) page(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		seen := &statusWriter{ResponseWriter: w}
		request := &Request{Request: r, W: seen, ID: rand.Text(), kit: k}
		w.Header().Set("X-Request-Id", request.ID)
		w.Header().Set("Cache-Control", "no-store")
		err := k.serve(request, route)
		if err != nil {
			k.fail(request, err)
		}
		k.record(request, route, seen.status, time.Since(began), err)
	})
}

// serve checks access and makes the page.
func (k *Kit) serve(r *Request, route Route) error {
	user, at, err := k.signedIn(r.Request)
	if err != nil && route.Access != Public {
		return err
	}
	has := accessOf(user, at)
	r.access = has
	if has != Public {
		r.User = user
	}
	if route.Access.admits(has) {
		return route.Handle(r)
	}
	switch {
	case route.Access == Pending: // signed in already, or not at all
		return r.Redirect("/login")
	case has == Public:
		return k.toLogin(r)
	case has == Pending:
		return r.Redirect("/login/second-factor")
	case has == SetUp:
		return r.Redirect("/account/second-factor")
	default:
		return Forbidden("This page is for administrators.")
	}
}

// toLogin has the reader sign in first, and come back to a page.
func (k *Kit) toLogin(r *Request) error {
	if r.Method != http.MethodGet || r.URL.Path == "/" || r.HTMX() {
		return r.Redirect("/login")
	}
	target := "/login?next=" + url.QueryEscape(r.URL.RequestURI())
	http.Redirect(r.W, r.Request, target, http.StatusSeeOther)
	return nil
}

// fail answers with the page of an error.
func (k *Kit) fail(r *Request, err error) {
	shown := asError(err)
	frame, err := k.frame(r)
	if err != nil { // the store is away: the page does without
		frame = ui.Frame{RequestID: r.ID, Version: k.Version}
	}
	name := "error"
	if frame.Viewer == nil {
		name = "error-bare"
	}
	if r.render(shown.Status, name, frame, shown) != nil {
		http.Error(r.W, shown.Title, shown.Status)
	}
}

// frame returns what surrounds a page for its reader.
func (k *Kit) frame(r *Request) (ui.Frame, error) {
	frame := ui.Frame{RequestID: r.ID, Version: k.Version, Path: r.URL.Path, Flashes: k.flashes(r.Request)}
	if r.access < SetUp {
		return frame, nil
	}
	ctx := r.Context()
	var err error
	frame.Viewer = &ui.Viewer{Name: r.User.Name, Email: r.User.Email, Admin: r.User.Role == store.RoleAdmin}
	if frame.Announcements, err = k.announcements(ctx); err != nil {
		return frame, err
	}
	expiring, err := k.Store.Expiring(ctx, r.User.ID, expiringWithin)
	if err != nil {
		return frame, err
	}
	frame.ExpiringKeys = len(expiring)
	if frame.Viewer.Admin {
		frame.PendingRequests, err = k.Store.CountPending(ctx)
	}
	return frame, err
}

func (k *Kit) announcements(ctx context.Context) ([]ui.Announcement, error) {
	current, err := k.Store.CurrentAnnouncements(ctx)
	if err != nil {
		return nil, err
	}
	told := make([]ui.Announcement, len(current))
	for i, a := range current {
		told[i] = ui.Announcement{Title: a.Title, Text: a.Text, Level: a.Level}
	}
	return told, nil
}

// record writes the access log: the route and not the address, which may hold
// tokens.
func (k *Kit) record(r *Request, route Route, status int, took time.Duration, err error) {
	attrs := []slog.Attr{
		slog.String("request_id", r.ID), slog.String("method", r.Method), slog.String("route", route.Path),
		slog.String("user", r.User.ID), slog.Int("status", status), slog.Float64("ms", float64(took.Microseconds())/1000),
	}
	level := slog.LevelInfo
	if err != nil {
		attrs = append(attrs, slog.String("problem", err.Error()))
		if asError(err).Status >= http.StatusInternalServerError {
			level = slog.LevelError
		}
	}
	k.Log.LogAttrs(r.Context(), level, "page", attrs...)
}

// statusWriter remembers the status of the answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap gives http.ResponseController the writer below.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
