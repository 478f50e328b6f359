package ui

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// page is a set with one page.
func page(name, text string) fstest.MapFS {
	return fstest.MapFS{"templates/" + name + ".html": {Data: []byte(text)}}
}

const plainPage = `{{define "title"}}{{.Name}}{{end}}{{define "content"}}<p id="x">{{.Name}}</p>{{end}}`

// values is what a page is given.
type values struct{ Name string }

func TestAPageIsRenderedInItsLayout(t *testing.T) {
	templates, err := NewTemplates(page("apps", plainPage), page("login", `{{define "layout"}}bare{{end}}`+plainPage))
	require.NoError(t, err)

	var app, bare strings.Builder
	require.NoError(t, templates.Render(&app, "apps", Frame{Path: "/apps", Viewer: &Viewer{Name: "Ada Kowalski"}, RequestID: "req1"}, values{"Worklist"}))
	require.NoError(t, templates.Render(&bare, "login", Frame{Path: "/login"}, values{"Sign in"}))

	require.Contains(t, app.String(), "<title>Worklist · fhirgate</title>")
	require.Contains(t, app.String(), "<h1>Worklist</h1>")
	require.Contains(t, app.String(), `<a href="/apps" aria-current="page">`)
	require.Contains(t, app.String(), "Request <code>req1</code>")
	require.Contains(t, app.String(), `<html lang="en">`)
	require.NotContains(t, app.String(), `aria-label="Area"`, "only administrators have two areas")
	require.Contains(t, bare.String(), `<body class="bare">`)
	require.NotContains(t, bare.String(), `aria-label="Main"`)
}

func TestValuesAreEscaped(t *testing.T) {
	templates, err := NewTemplates(page("apps", plainPage))
	require.NoError(t, err)
	var made strings.Builder
	script := `<script>alert(1)</script>`
	require.NoError(t, templates.Render(&made, "apps", Frame{
		Viewer:        &Viewer{Name: script, Email: script},
		Flashes:       []Flash{{Tone: "ok", Text: script}},
		Announcements: []Announcement{{Title: script, Text: script}},
		RequestID:     script, Version: script,
	}, values{script}))
	require.NotContains(t, made.String(), "<script>")
	require.Contains(t, made.String(), "&lt;script&gt;alert(1)&lt;/script&gt;")
}

func TestOneBlockIsRenderedAlone(t *testing.T) {
	templates, err := NewTemplates(page("apps", plainPage))
	require.NoError(t, err)
	var made strings.Builder
	require.NoError(t, templates.RenderPart(&made, "apps", "content", values{"Worklist"}))
	require.Equal(t, `<p id="x">Worklist</p>`, made.String())
}

func TestNothingIsWrittenOfAPageThatFails(t *testing.T) {
	templates, err := NewTemplates(page("apps", plainPage+`{{define "lead"}}{{.Absent}}{{end}}`))
	require.NoError(t, err)
	var made strings.Builder
	require.Error(t, templates.Render(&made, "apps", Frame{}, values{"Worklist"}))
	require.Empty(t, made.String())
	require.EqualError(t, templates.Render(&made, "absent", Frame{}, nil), `no page is named "absent"`)
	require.EqualError(t, templates.RenderPart(&made, "absent", "content", nil), `no page is named "absent"`)
}

func TestFilesWithAnUnderscoreAreShared(t *testing.T) {
	set := page("apps", `{{define "title"}}Apps{{end}}{{define "content"}}{{template "row" .}}{{end}}`)
	set["templates/_rows.html"] = &fstest.MapFile{Data: []byte(`{{define "row"}}<i>{{.Name}}</i>{{end}}`)}
	templates, err := NewTemplates(set)
	require.NoError(t, err)
	var made strings.Builder
	require.NoError(t, templates.RenderPart(&made, "apps", "content", values{"Worklist"}))
	require.Equal(t, "<i>Worklist</i>", made.String())
}

func TestPagesThatCannotWorkKeepTheServerFromStarting(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no content", `{{define "title"}}A{{end}}`, `does not define "content"`},
		{"no title", `{{define "content"}}A{{end}}`, `does not define "title"`},
		{"unknown layout", `{{define "layout"}}grand{{end}}` + plainPage, `layout "grand": allowed are app, wide and bare`},
		{"unknown function", `{{define "title"}}A{{end}}{{define "content"}}{{shout .}}{{end}}`, `function "shout" not defined`},
		{"unknown component", `{{define "title"}}A{{end}}{{define "content"}}{{template "carousel" .}}{{end}}`, `no such template "carousel"`},
		{"a value where none can be escaped", `{{define "title"}}A{{end}}{{define "content"}}<a href="x" {{.}}="y{{end}}`, `in attribute name`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewTemplates(page("apps", test.text))
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "apps.html")
		})
	}
	_, err := NewTemplates(page("apps", plainPage), page("apps", plainPage))
	require.ErrorContains(t, err, `two pages are named "apps"`)
}

func TestTheCurrentLinkIsTheClosestOne(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "/apps": "/apps", "/apps/app_1/keys/new": "/apps", "/credentials/cred_1": "/apps",
		"/usage": "/usage", "/docs": "/docs", "/docs/errors": "/docs/errors", "/account": "", "/appstore": "",
		"/console": "/console", "/console/audit/verify": "/console/audit", "/console/consumers/cred_1": "/console/consumers", "/consoles": "",
	} {
		var current []string
		for _, group := range (Frame{Path: path}).Navigation() {
			for _, link := range group.Links {
				if link.Current {
					current = append(current, link.Href)
				}
			}
		}
		if want == "" {
			require.Empty(t, current, path)
		} else {
			require.Equal(t, []string{want}, current, path)
		}
	}
}

func TestTheConsoleLooksDifferent(t *testing.T) {
	templates, err := NewTemplates(page("requests", plainPage))
	require.NoError(t, err)
	admin := &Viewer{Name: "Ada", Admin: true}
	var console, developer strings.Builder
	require.NoError(t, templates.Render(&console, "requests", Frame{Path: "/console/requests", Viewer: admin, PendingRequests: 3}, values{}))
	require.NoError(t, templates.Render(&developer, "requests", Frame{Path: "/", Viewer: admin, PendingRequests: 3, ExpiringKeys: 2}, values{}))
	require.Contains(t, console.String(), `<body class="app console">`)
	require.Contains(t, console.String(), `<nav class="nav" aria-label="Console">`)
	require.Contains(t, console.String(), `3<span class="visually-hidden"> wait for a decision</span>`)
	require.Contains(t, developer.String(), `<body class="app">`)
	require.Contains(t, developer.String(), `<nav class="switch" aria-label="Area">`)
	require.Contains(t, developer.String(), `2<span class="visually-hidden"> keys end soon</span>`)
}

func TestInitials(t *testing.T) {
	for name, want := range map[string]string{"Ada Kowalski": "AK", "ada": "A", "Ada Maria van Berg": "AB", "Émile Ž": "ÉŽ", " ": "X"} {
		require.Equal(t, want, Viewer{Name: name, Email: "x@pacs.example"}.Initials())
	}
	require.Equal(t, "?", Viewer{}.Initials())
}
