package ui

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template/parse"
)

//go:embed layout components
var ownTemplates embed.FS

// Templates are all pages of the portal, parsed and checked.
type Templates struct {
	pages map[string]*pageTemplate
}

type pageTemplate struct {
	set    *template.Template
	layout string
	// crumbs, actions and lead tell which optional blocks the page has.
	crumbs, actions, lead bool
}

// view is the dot of a layout.
type view struct {
	Frame
	Data                  any
	Layout                string
	Crumbs, Actions, Lead bool
}

// NewTemplates parses the pages of sets: the files templates/NAME.html of
// each, where NAME is the page's name. Files whose names begin with "_" hold
// blocks for all pages of their set. It is an error if a name is given twice,
// if a page lacks its title or content, or if a template cannot be escaped.
func NewTemplates(sets ...fs.FS) (*Templates, error) {
	base, err := template.New("").Funcs(functions()).Option("missingkey=error").
		ParseFS(ownTemplates, "layout/*.html", "components/*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	templates := &Templates{pages: map[string]*pageTemplate{}}
	for _, set := range sets {
		if err := templates.add(base, set); err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
	}
	return templates, nil
}

func (t *Templates) add(base *template.Template, set fs.FS) error {
	files, err := fs.Glob(set, "templates/*.html")
	if err != nil {
		return err
	}
	shared := func(file string) bool { return strings.HasPrefix(path.Base(file), "_") }
	partials := slices.Collect(func(yield func(string) bool) {
		for _, file := range files {
			if shared(file) && !yield(file) {
				return
			}
		}
	})
	for _, file := range files {
		if shared(file) {
			continue
		}
		name := strings.TrimSuffix(path.Base(file), ".html")
		if t.pages[name] != nil {
			return fmt.Errorf("two pages are named %q", name)
		}
		if t.pages[name], err = parsePage(base, set, append(slices.Clone(partials), file)); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// parsePage adds a page's files to a copy of the layouts and components, and
// makes html/template escape all of it now: a template that it refuses must
// keep the server from starting, not fail at its first reader.
func parsePage(base *template.Template, set fs.FS, files []string) (*pageTemplate, error) {
	own, err := base.Clone()
	if err != nil {
		return nil, err
	}
	if own, err = own.ParseFS(set, files...); err != nil {
		return nil, err
	}
	has := func(block string) bool {
		found := own.Lookup(block)
		return found != nil && found.Tree != nil && !parse.IsEmptyTree(found.Tree.Root)
	}
	for _, block := range []string{"title", "content"} {
		if !has(block) {
			return nil, fmt.Errorf("the page does not define %q", block)
		}
	}
	page := &pageTemplate{set: own, crumbs: has("crumbs"), actions: has("actions"), lead: has("lead")}
	var layout strings.Builder
	if err := own.ExecuteTemplate(&layout, "layout", nil); err != nil {
		return nil, err
	}
	page.layout = strings.TrimSpace(layout.String())
	if !slices.Contains([]string{"app", "wide", "bare"}, page.layout) {
		return nil, fmt.Errorf("layout %q: allowed are app, wide and bare", page.layout)
	}
	var refused *template.Error
	if err := page.render(io.Discard, Frame{}, nil); errors.As(err, &refused) {
		return nil, err
	}
	return page, nil
}

func (p *pageTemplate) render(w io.Writer, frame Frame, data any) error {
	root := "layout-app"
	if p.layout == "bare" {
		root = "layout-bare"
	}
	return p.set.ExecuteTemplate(w, root, view{
		Frame: frame, Data: data, Layout: p.layout,
		Crumbs: p.crumbs, Actions: p.actions, Lead: p.lead,
	})
}

// Render writes the page called name, in its layout. Nothing is written if the
// template fails.
func (t *Templates) Render(w io.Writer, name string, frame Frame, data any) error {
	page := t.pages[name]
	if page == nil {
		return fmt.Errorf("no page is named %q", name)
	}
	return buffered(w, func(w io.Writer) error { return page.render(w, frame, data) })
}

// RenderPart writes one block of a page without a layout, for htmx. Nothing is
// written if the template fails.
func (t *Templates) RenderPart(w io.Writer, name, block string, data any) error {
	page := t.pages[name]
	if page == nil {
		return fmt.Errorf("no page is named %q", name)
	}
	return buffered(w, func(w io.Writer) error { return page.set.ExecuteTemplate(w, block, data) })
}

func buffered(w io.Writer, render func(io.Writer) error) error {
	var buffer bytes.Buffer
	if err := render(&buffer); err != nil {
		return err
	}
	_, err := w.Write(buffer.Bytes())
	return err
}
