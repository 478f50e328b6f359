package page

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"fhirgate/portal/store"
	"fhirgate/portal/web/ui"
)

// Request is one request to a page, by somebody whose access was checked.
type Request struct {
	*http.Request
	W    http.ResponseWriter
	ID   string     // request id, as the log has it
	User store.User // who asks; zero on public pages without a session

	kit    *Kit
	access Access // of who asks, with the session as it is now
}

// By returns who does what the request asks for, for the trail of acts.
func (r *Request) By() store.By {
	return store.By{UserID: r.User.ID, Name: r.User.Email, Address: r.Address()}
}

// Address returns the address that the request comes from.
func (r *Request) Address() netip.Addr { return r.kit.address(r.Request) }

// HTMX reports whether htmx asks for a part of a page.
func (r *Request) HTMX() bool {
	return r.Header.Get("HX-Request") == "true" && r.Header.Get("HX-Boosted") != "true"
}

// maxBody bounds forms, in bytes: the largest field is a JWK set.
const maxBody = 128 << 10

// ReadForm reads the form in the request's body; what is in the address does not
// count.
func (r *Request) ReadForm() (*Form, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == "multipart/form-data" {
		err = r.ParseMultipartForm(maxBody)
	} else if err == nil {
		err = r.ParseForm()
	}
	if err != nil {
		return nil, &Error{Status: http.StatusBadRequest, Title: "Not a form", Text: "What was sent cannot be read as a form.", Err: err}
	}
	return &Form{Values: r.PostForm}, nil
}

// File returns the content of a file that was uploaded with a form, or "".
func (r *Request) File(name string) (string, error) {
	file, _, err := r.FormFile(name)
	if err != nil {
		return "", nil //nolint:nilerr // no file was sent
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxBody))
	return string(content), err
}

// maxPage is the last page that is looked for.
const maxPage = 1_000_000

// Page returns which page of a list the address asks for (page=2), with size
// items a page.
func (r *Request) Page(size int) store.Page {
	number, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil {
		number = 1
	}
	return store.Page{Number: min(max(number, 1), maxPage), Size: size}
}

// Render answers with a page: the template of this name, filled with data.
func (r *Request) Render(status int, name string, data any) error {
	frame, err := r.kit.frame(r)
	if err != nil {
		return err
	}
	return r.render(status, name, frame, data)
}

// Part answers with one block of a page's template, for htmx.
func (r *Request) Part(status int, name, block string, data any) error {
	r.W.Header().Set("Content-Type", "text/html; charset=utf-8")
	return r.write(status, func(w io.Writer) error { return r.kit.Templates.RenderPart(w, name, block, data) })
}

func (r *Request) render(status int, name string, frame ui.Frame, data any) error {
	r.W.Header().Set("Content-Type", "text/html; charset=utf-8")
	return r.write(status, func(w io.Writer) error { return r.kit.Templates.Render(w, name, frame, data) })
}

// write answers with what fill writes, unless that fails.
func (r *Request) write(status int, fill func(io.Writer) error) error {
	return fill(&lateWriter{w: r.W, status: status})
}

// lateWriter sends the status with the first byte: a template that fails before
// has sent nothing.
type lateWriter struct {
	w      http.ResponseWriter
	status int
	begun  bool
}

func (l *lateWriter) Write(p []byte) (int, error) {
	if !l.begun {
		l.begun = true
		l.w.WriteHeader(l.status)
	}
	return l.w.Write(p)
}

// Redirect sends the reader on to a path of the portal: after a form was taken,
// so that reloading does not send it again.
func (r *Request) Redirect(format string, parts ...string) error {
	escaped := make([]any, len(parts))
	for i, part := range parts {
		escaped[i] = url.PathEscape(part)
	}
	return r.GoTo(fmt.Sprintf(format, escaped...))
}

// GoTo sends the reader on to what Next has returned; to "/" where that is no
// path of the portal.
func (r *Request) GoTo(target string) error {
	if !isLocal(target) {
		target = "/"
	}
	if r.HTMX() {
		r.W.Header().Set("HX-Redirect", target)
		r.W.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(r.W, r.Request, target, http.StatusSeeOther) //nolint:gosec // isLocal has seen it
	return nil
}

// isLocal reports whether a target is a path of the portal, and no address of
// another host in disguise.
func isLocal(target string) bool {
	return strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") && !strings.ContainsAny(target, "\\\r\n\t")
}

// Next returns the path to go to after signing in, as the address or the form
// has it (next=/apps), or "/".
func (r *Request) Next() string {
	next := r.FormValue("next")
	if next == "" || !isLocal(next) {
		return "/"
	}
	return next
}

// Flash has the next page tell something: tone ok, warn or bad.
func (r *Request) Flash(tone, text string) {
	r.kit.Sessions.Put(r.Context(), keyFlash, tone+" "+text)
}
