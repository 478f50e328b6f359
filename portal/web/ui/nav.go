package ui

import "strings"

// navGroup is a group of links in the side navigation. The first group has no
// title.
type navGroup struct {
	Title string
	Links []navLink
}

type navLink struct {
	Href, Text, Icon string
	// Count is a number worth a look, and CountText what it counts.
	Count     int
	CountText string
	Current   bool
}

// Console tells whether the page belongs to the administrators' console.
func (f Frame) Console() bool {
	return f.Path == "/console" || strings.HasPrefix(f.Path, "/console/")
}

// Navigation is the side navigation with the current link marked.
func (f Frame) Navigation() []navGroup {
	groups := f.developerNavigation()
	if f.Console() {
		groups = f.consoleNavigation()
	}
	var current *navLink
	for g := range groups {
		for l := range groups[g].Links {
			link := &groups[g].Links[l]
			if covers(link.Href, f.Path) && (current == nil || len(link.Href) > len(current.Href)) {
				current = link
			}
		}
	}
	if current != nil {
		current.Current = true
	}
	return groups
}

// covers tells whether a page lies at or below a link of the navigation. The
// two overviews stand for themselves only, and a credential's page belongs to
// the apps.
func covers(href, path string) bool {
	if href == "/apps" && strings.HasPrefix(path, "/credentials/") {
		return true
	}
	if href == "/" || href == "/console" || href == "/docs" {
		return path == href
	}
	return path == href || strings.HasPrefix(path, href+"/")
}

func (f Frame) developerNavigation() []navGroup {
	return []navGroup{
		{Links: []navLink{
			{Href: "/", Text: "Overview", Icon: "home"},
			{Href: "/apps", Text: "Apps", Icon: "apps", Count: f.ExpiringKeys, CountText: "keys end soon"},
			{Href: "/usage", Text: "Usage", Icon: "chart"},
			{Href: "/teams", Text: "Teams", Icon: "team"},
		}},
		{Title: "Build", Links: []navLink{
			{Href: "/docs", Text: "Documentation", Icon: "book"},
			{Href: "/docs/quick-start", Text: "Quick start", Icon: "rocket"},
			{Href: "/docs/reference", Text: "API reference", Icon: "code"},
			{Href: "/docs/errors", Text: "Errors", Icon: "warning"},
			{Href: "/try", Text: "Try it", Icon: "play"},
		}},
	}
}

func (f Frame) consoleNavigation() []navGroup {
	return []navGroup{
		{Links: []navLink{
			{Href: "/console", Text: "Overview", Icon: "home"},
			{Href: "/console/requests", Text: "Requests", Icon: "inbox", Count: f.PendingRequests, CountText: "wait for a decision"},
			{Href: "/console/consumers", Text: "Consumers", Icon: "key"},
			{Href: "/console/usage", Text: "Usage", Icon: "chart"},
		}},
		{Title: "Gateway", Links: []navLink{
			{Href: "/console/hospitals", Text: "Hospitals", Icon: "hospital"},
			{Href: "/console/plans", Text: "Plans", Icon: "layers"},
			{Href: "/console/reload", Text: "Reload", Icon: "reload"},
		}},
		{Title: "People", Links: []navLink{
			{Href: "/console/users", Text: "Users", Icon: "user"},
			{Href: "/console/teams", Text: "Teams", Icon: "team"},
		}},
		{Title: "Oversight", Links: []navLink{
			{Href: "/console/announcements", Text: "Announcements", Icon: "megaphone"},
			{Href: "/console/audit", Text: "Audit trail", Icon: "shield"},
		}},
	}
}
