// Package ui is the portal's design system: the layouts, the components that
// page templates are made of, and the assets they load.
//
// A page is one file, templates/NAME.html, in the package that serves it. It
// defines blocks; the layout puts them where they belong:
//
//	{{define "title"}}{{.App.Name}}{{end}}
//	{{define "lead"}}One sentence under the heading.{{end}}                 optional
//	{{define "crumbs"}}<a href="/apps">Apps</a>{{end}}                       optional: the way up, links only
//	{{define "actions"}}<a class="button primary" href="…">New key</a>{{end}} optional: beside the heading
//	{{define "head"}}<script src="{{asset "swagger-ui.js"}}" defer></script>{{end}} optional
//	{{define "layout"}}bare{{end}}                                           optional: app (default), wide or bare
//	{{define "content"}}
//	<form class="form" method="post">
//	  {{template "problem" .Form}}
//	  {{template "field" (field .Form "name" "Name" "required" "maxlength=80" "help=Your colleagues see it.")}}
//	  {{template "select" (choice .Form "plan" "Plan" .Plans "blank=Choose a plan")}}
//	  <div class="buttons"><button class="button primary">Create app</button><a class="button" href="/apps">Cancel</a></div>
//	</form>
//	{{end}}
//
// The dot of every block is the data that the handler gave to Render. The
// heading is the title: a page writes h2 and below. A file whose name begins
// with an underscore holds blocks for all pages of its folder. Any block can
// be rendered alone for htmx with [Templates.RenderPart].
//
// # Components
//
//	{{template "field" (field .Form NAME LABEL OPTION…)}}      input; also "textarea" and "check" (one box; value=yes)
//	   options: type= value= help= placeholder= autocomplete= inputmode= maxlength= minlength= min= max= step=
//	   pattern= rows= id= accept= required optional autofocus readonly disabled mono
//	{{template "select" (choice .Form NAME LABEL .Options OPTION…)}}  also "checks" and "radios"; .Options are [Option]s
//	   options: blank= value= help= id= required optional
//	{{template "problem" .Form}}                               the error of the form as a whole: .Form.Error ""
//	{{template "badge" (badge "Active" "ok")}}                 tones: ok warn bad info quiet
//	{{template "badge" (state .State)}}                        the same for the states that the portal knows
//	{{template "time" .At}} {{template "date" .At}} {{template "ago" .At}} {{template "day" .Day}}
//	{{template "empty" (empty TITLE TEXT [HREF LABEL [ART]])}} art: apps keys chart inbox search team hospital shield
//	{{template "pager" (pager .List .Query)}}                  .List has Total, Page.Number, Page.Size; .Query is url.Values, may be left out
//	{{template "secret" (secret "API key" .Secret)}}           shown once, with a button that copies
//	{{template "code" (code "bash" .Text)}}                    with a button that copies; a third argument names it;
//	   bash, go, javascript, json and python have colours
//	{{template "copy" .ID}}                                    a short value in line, with a button that copies
//	{{template "stat" (stat "Calls today" .N "since midnight, UTC")}}  inside <div class="stats">; also "href=…" "tone=bad"
//	{{template "callout" (callout TONE TITLE TEXT [HREF LABEL])}}
//	{{template "confirm" (confirm BUTTON QUESTION TEXT ACTION OPTION…)}}
//	   options: danger small quiet; reason=LABEL asks for a text (required), reason?=LABEL may be left empty; hidden:NAME=VALUE
//	{{template "chart" (chart ID TITLE .Chart)}}               a [Chart]: stacked bars, and a table of the same numbers
//	{{template "bars" (bars TITLE .Counts)}}                   items with Name and Calls, most first
//	{{template "level" (level LABEL USED LIMIT)}}              how much of a limit is used
//	{{icon "key"}}                                             an icon beside a text
//
// Functions: number (12,345), plural N ONE MANY, percent PART WHOLE, duration,
// join LIST SEP, dict KEY VALUE…, list VALUE…, asset NAME, icon NAME, query .Query NAME VALUE.
// Assets that a page may name itself: swagger-ui.js and swagger-ui.css.
//
// # Markup with classes of its own
//
//	<div class="table" role="region" aria-label="Keys" tabindex="0"><table>…</table></div>   scrolls when narrow; numbers: <td class="number">
//	<div class="table cards" …> with <td data-label="Plan">                                  becomes cards when narrow
//	<section class="card"><h2>…</h2>…</section>; <div class="grid">cards</div>; <div class="columns">two</div>
//	<dl class="facts"><div><dt>Plan</dt><dd>…</dd></div></dl>
//	<nav class="tabs" aria-label="App"><a href="…" aria-current="page">Overview</a>…</nav>
//	<form class="filter" role="search">fields and a button in a row</form>
//	<ol class="steps"><li class="done">…</li></ol>; <ul class="plain">; <p class="muted">; <div class="prose">long text</div>
//	class="button" with primary, danger, quiet, small; <div class="buttons">; class="mono"; class="visually-hidden"
//
// There is no inline script and no style attribute anywhere: the policy of the
// pages forbids both. htmx is version 4: hx-target and others are inherited
// only as hx-target:inherited.
package ui
