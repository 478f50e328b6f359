package smart

import "strings"

// Actions is a set of the permissions of a scope, the letters "cruds".
type Actions uint8

// The actions, in the order of their letters. Read stands for read, vread and
// the history of an instance; Search for search and the history of a type and
// of the system; Update for update and patch.
const (
	Create Actions = 1 << iota
	Read
	Update
	Delete
	Search
)

// Every action together: "cruds".
const allActions = Create | Read | Update | Delete | Search

const letters = "cruds"

// String returns the letters of a in the order of "cruds".
func (a Actions) String() string {
	var b strings.Builder
	for i := range letters {
		if a&(1<<i) != 0 {
			b.WriteByte(letters[i])
		}
	}
	return b.String()
}

// parseActions reads the part of a scope behind its dot: a word of version 1,
// or letters in order.
func parseActions(text string) (a Actions, v1, ok bool) {
	switch text {
	case "read":
		return Read | Search, true, true
	case "write":
		return Create | Update | Delete, true, true
	case "*":
		return allActions, true, true
	}
	rest := letters
	for i := range len(text) {
		at := strings.IndexByte(rest, text[i])
		if at < 0 {
			return 0, false, false
		}
		a |= 1 << (len(letters) - len(rest) + at)
		rest = rest[at+1:]
	}
	return a, false, a != 0
}
