package smart

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"fhirgate/fhir"
)

// The contexts of a scope.
const (
	System  = "system"  // what the client itself may do
	User    = "user"    // what the person who uses the client may do
	Patient = "patient" // what concerns one patient
)

// AllTypes as a type stands for every resource type.
const AllTypes = "*"

// Scope is one clinical scope.
type Scope struct {
	Context     string // System, User or Patient
	Type        string // a resource type or AllTypes
	Actions     Actions
	Constraints []Constraint // all of them hold for a resource in scope; usually none
}

// maxScope bounds the text of a scope, in bytes.
const maxScope = 2048

var (
	errSpace   = errors.New("a scope holds no space: each one is an item of its own")
	errForm    = errors.New(`a scope has the form context/Type.actions, as in "system/Patient.rs"`)
	errContext = errors.New("the context of a scope is system, user or patient")
	errType    = errors.New(`the type of a scope is a resource type of R4 (names are case-sensitive) or "*"`)
	errActions = errors.New(`the actions of a scope are letters of "cruds" in this order, or read, write or * as in version 1`)
	errV1      = errors.New("scopes of version 1 have no constraints: write the actions as letters")
	errLong    = fmt.Errorf("a scope has at most %d bytes", maxScope)
)

// ParseScope reads a scope of version 1 (system/Patient.read) or 2
// (system/Observation.rs?category=laboratory). The error says what is wrong
// and holds no value.
func ParseScope(text string) (Scope, error) {
	if len(text) > maxScope {
		return Scope{}, errLong
	}
	if strings.ContainsRune(text, ' ') {
		return Scope{}, errSpace
	}
	head, query, constrained := strings.Cut(text, "?")
	context, rest, slash := strings.Cut(head, "/")
	typ, actions, dot := strings.Cut(rest, ".")
	if !slash || !dot {
		return Scope{}, errForm
	}
	s := Scope{Context: context, Type: typ}
	if context != System && context != User && context != Patient {
		return Scope{}, errContext
	}
	if typ != AllTypes && !fhir.IsResourceType(typ) {
		return Scope{}, errType
	}
	var v1, ok bool
	if s.Actions, v1, ok = parseActions(actions); !ok {
		return Scope{}, errActions
	}
	if !constrained {
		return s, nil
	}
	if v1 {
		return Scope{}, errV1
	}
	var err error
	s.Constraints, err = parseConstraints(typ, query)
	if err != nil {
		return Scope{}, err
	}
	return s, nil
}

// String returns the scope in the form of version 2.
func (s Scope) String() string {
	return s.key(s.Actions.String())
}

// key returns the scope with these letters: two scopes that differ in their
// actions alone have the same key for the same letters.
func (s Scope) key(actions string) string {
	var b strings.Builder
	b.WriteString(s.Context + "/" + s.Type + "." + actions)
	for i, c := range s.Constraints {
		if i == 0 {
			b.WriteByte('?')
		} else {
			b.WriteByte('&')
		}
		b.WriteString(c.key())
	}
	return b.String()
}

// escapeValue escapes what would end a scope or a value. It leaves the
// characters of a system and the bar, so that people can read a scope.
func escapeValue(value string) string {
	return unescaped.Replace(url.QueryEscape(value))
}

var unescaped = strings.NewReplacer("%3A", ":", "%2F", "/", "%7C", "|")
