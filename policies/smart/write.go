package smart

import (
	"bytes"

	"github.com/tidwall/gjson"

	"fhirgate/fhir"
)

// NeedsPresent reports whether the present resource must be read, and pass
// Changes, before this update, patch or delete goes to the hospital.
func (p Permission) NeedsPresent() bool {
	switch p.interaction {
	case fhir.Update, fhir.Patch, fhir.Delete: // of conditional forms nothing is hidden
		return p.ok && !p.free && p.access.hides(p.typ, p.needs)
	default:
		return false
	}
}

// Changes reports whether the call may change or delete a resource that the
// hospital holds: nil, or a 403 that says the same whether the scopes or a
// deny rule forbid it.
func (p Permission) Changes(present []byte) error { return p.write(present, p.needs) }

// Sends reports whether the content of a create, update or patch may go to the
// hospital: nil or a 403. It must be in scope as what it replaces must be, and
// a JSON patch must leave alone what decides about that.
func (p Permission) Sends(body []byte) error {
	switch {
	case p.SendsUnseen():
		return nil
	case p.ok && p.interaction == fhir.Patch:
		return p.sendsPatch(body)
	}
	return p.write(body, p.content())
}

// SendsUnseen reports whether any content of the type may go to the hospital, so
// that it need not be looked at.
func (p Permission) SendsUnseen() bool {
	return p.free || p.ok && !p.access.hides(p.typ, p.content()) && !p.access.mayDeny(p.typ)
}

// content returns the actions that a content needs. A conditional form, which
// searches as well, has no conditions on what it searches.
func (p *Permission) content() Actions { return p.needs &^ Search }

func (p *Permission) write(body []byte, actions Actions) error {
	if p.free {
		return nil
	}
	if !p.ok || !wellFormed(body) {
		return errOutOfScope()
	}
	resource := gjson.ParseBytes(body)
	if typeOf(resource) != p.typ || !p.access.holds(resource, p.typ, actions, true) || p.access.deniedBy(resource, p.typ) {
		return errOutOfScope()
	}
	return nil
}

func errOutOfScope() error {
	return forbidden("the resource is outside of what the scopes and the rules of the hospital let this call change")
}

// MayReturn reports whether the answer to a write may hold the resource, which
// needs r. Sees still decides about it unless Free.
func (p Permission) MayReturn(typ string) bool {
	return p.access.level(typ, Read) != nothing
}

// sendsPatch refuses a JSON patch (RFC 6902) that touches an element on which
// a condition or deny rule depends, and one that cannot be read. Which of
// several scopes holds for the present resource is not known here, so it must
// leave alone the elements of all.
func (p *Permission) sendsPatch(body []byte) error {
	body = bytes.TrimSpace(body)
	if !wellFormed(body) || !bytes.HasPrefix(body, []byte("[")) {
		return forbidden("the patch is not a JSON patch, and others cannot be checked against the constraints of the scopes")
	}
	guarded := p.access.guarded(p.typ, p.needs)
	touches := false
	gjson.ParseBytes(body).ForEach(func(_, op gjson.Result) bool {
		path, readable := text(op, "path")
		from, readableFrom := text(op, "from")
		touches = !readable || !readableFrom || guarded.touchedBy(path) || from != "" && guarded.touchedBy(from)
		return !touches
	})
	if touches {
		return forbidden("the patch touches an element on which the scopes or the rules of the hospital depend")
	}
	return nil
}
