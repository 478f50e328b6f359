package ui

import "strings"

// Frame is what the layout shows around a page's content.
type Frame struct {
	// Viewer is who is signed in; nil when nobody is.
	Viewer *Viewer
	// Path is the request's path. It tells which navigation is shown (the
	// console's below /console) and which of its links is the current one.
	Path string
	// Announcements are shown above every page, the first one on top.
	Announcements []Announcement
	// Flashes are the outcomes of what was just done.
	Flashes []Flash
	// RequestID is shown in the footer, for questions to support.
	RequestID string
	// PendingRequests is how many access requests wait for an administrator.
	PendingRequests int
	// ExpiringKeys is how many keys of the viewer's teams end soon.
	ExpiringKeys int
	// Version of the program.
	Version string
}

// Viewer is the person a page is made for.
type Viewer struct {
	Name, Email string
	// Admin says whether the console is open to them.
	Admin bool
}

// Initials are at most two letters that stand for the viewer.
func (v Viewer) Initials() string {
	name := v.Name
	if strings.TrimSpace(name) == "" {
		name = v.Email
	}
	words := strings.Fields(name)
	switch len(words) {
	case 0:
		return "?"
	case 1:
		return firstLetter(words[0])
	default:
		return firstLetter(words[0]) + firstLetter(words[len(words)-1])
	}
}

func firstLetter(word string) string {
	for _, letter := range word {
		return strings.ToUpper(string(letter))
	}
	return ""
}

// Announcement is a note of the administrators to everybody.
type Announcement struct {
	Title, Text string
	// Level is "info" or "warn".
	Level string
}

// Flash is a message that is shown once.
type Flash struct {
	// Tone is ok, warn, bad or info.
	Tone, Text string
}
