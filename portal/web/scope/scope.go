// Package scope reads SMART scopes, for pages that say them in words.
package scope

import "strings"

// Scope is a clinical scope of version 1 or 2 (SMART App Launch 2.2, section
// "Scopes for requesting FHIR resources").
type Scope struct {
	Context string   // system, user or patient
	Type    string   // of resource; "*" = all
	Actions []string // create, read, update, delete, search, in this order
	Where   string   // a query that narrows it; "" = none
}

// actions are the letters of scopes, in their order.
const actions = "cruds"

var words = []string{"create", "read", "update", "delete", "search"}

// Read reads a scope. It is false for what is none, or permits nothing.
func Read(text string) (Scope, bool) {
	context, rest, clinical := strings.Cut(text, "/")
	kind, letters, dotted := strings.Cut(rest, ".")
	if !clinical || !dotted {
		return Scope{}, false
	}
	letters, where, _ := strings.Cut(letters, "?")
	switch letters {
	case "read":
		letters = "rs"
	case "write":
		letters = "cud"
	case "*":
		letters = actions
	}
	s := Scope{Context: context, Type: kind, Where: where}
	for i, letter := range actions {
		if strings.ContainsRune(letters, letter) {
			s.Actions = append(s.Actions, words[i])
		}
	}
	return s, len(s.Actions) > 0 && len(s.Actions) == len(letters)
}
