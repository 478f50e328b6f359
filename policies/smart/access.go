package smart

import (
	"net/http"

	"fhirgate/fhir"
)

// Holder is what the context of a credential allows its scopes to mean.
type Holder struct {
	User    bool   // a person uses the client: user/ scopes count
	Patient string // logical id of the patient in context: patient/ scopes count; "" = none
	Base    string // absolute base of the hospital as it stands in its references, without a slash at its end; "" = only relative references name its resources
}

// maxSets is how many sets of scopes an Access can hold.
const maxSets = 4

// Access is what one caller may do at one hospital. Every set of scopes must
// permit, and no deny rule may match. The zero value permits nothing.
type Access struct {
	holder Holder
	denied []Filter
	sets   [maxSets]*Scopes
	count  int
}

// NewAccess returns the access of a holder under deny rules and sets of scopes,
// such as those of a plan and of a token. It permits nothing without a set,
// with one that is nil, or with more than four. denied must not change as long
// as the Access is used.
func NewAccess(h Holder, denied []Filter, sets ...*Scopes) Access {
	if !fhir.IsID(h.Patient) {
		h.Patient = ""
	}
	a := Access{holder: h, denied: denied}
	if len(sets) <= maxSets {
		a.count = copy(a.sets[:], sets)
	}
	return a
}

// level is how far scopes reach.
type level uint8

const (
	nothing level = iota
	some          // resources that meet a condition
	full          // every resource
)

// level returns how far all sets reach for all the actions on typ.
func (a *Access) level(typ string, actions Actions) level {
	if a.count == 0 {
		return nothing
	}
	lowest := full
	for _, s := range a.sets[:a.count] {
		lowest = min(lowest, s.level(&a.holder, typ, actions))
	}
	return lowest
}

// open reports whether every set permits the actions on every type without a
// condition, and there are no deny rules.
func (a *Access) open(actions Actions) bool {
	if a.count == 0 || len(a.denied) > 0 {
		return false
	}
	for _, s := range a.sets[:a.count] {
		if s == nil {
			return false
		}
		have := s.system.all
		if a.holder.User {
			have |= s.user.all
		}
		if actions&^have != 0 {
			return false
		}
	}
	return true
}

// unconditional returns the actions that a set permits on every resource of
// typ. patient/ scopes are so for reading what says nothing of patients.
func (s *Scopes) unconditional(h *Holder, typ string) Actions {
	have := s.system.of(typ)
	if h.User {
		have |= s.user.of(typ)
	}
	if h.Patient == "" || !openTypes[typ] {
		return have
	}
	for i := range s.narrow {
		if g := &s.narrow[i]; g.context == Patient && g.covers(typ) && len(g.tests) == 0 {
			have |= g.actions & (Read | Search)
		}
	}
	return have
}

func (s *Scopes) level(h *Holder, typ string, actions Actions) level {
	if s == nil {
		return nothing
	}
	missing := actions &^ s.unconditional(h, typ)
	if missing == 0 {
		return full
	}
	for i := range s.narrow {
		missing &^= s.narrow[i].usable(h, typ)
	}
	if missing == 0 {
		return some
	}
	return nothing
}

func (g *grant) covers(typ string) bool { return g.typ == AllTypes || g.typ == typ }

// usable returns the actions for which the grant can hold on resources of typ.
func (g *grant) usable(h *Holder, typ string) Actions {
	if !g.covers(typ) {
		return 0
	}
	switch g.context {
	case User:
		if !h.User {
			return 0
		}
	case Patient:
		if h.Patient == "" {
			return 0
		}
		if openTypes[typ] {
			return g.actions & (Read | Search)
		}
		if typ == "Patient" {
			return g.actions &^ Create // another than the one in context would come of it
		}
		if _, member := compartment[typ]; !member && typ != AllTypes {
			return 0
		}
	}
	return g.actions
}

// denies reports whether a deny rule is about resources of typ.
func (a *Access) denies(typ string) bool {
	for i := range a.denied {
		if a.denied[i].applies(typ) {
			return true
		}
	}
	return false
}

// mayDeny reports whether a deny rule may match a resource of typ or one that it
// contains. A Binary contains none.
func (a *Access) mayDeny(typ string) bool {
	if typ == "Binary" {
		return a.denies(typ)
	}
	return len(a.denied) > 0
}

// deniesAll reports whether a deny rule takes the whole type.
func (a *Access) deniesAll(typ string) bool {
	for i := range a.denied {
		if f := &a.denied[i]; len(f.tests) == 0 && (f.typ == AllTypes || f.typ == typ) {
			return true
		}
	}
	return false
}

// hides reports whether there may be resources of typ that the caller may not
// have for these actions.
func (a *Access) hides(typ string, actions Actions) bool {
	return a.denies(typ) || a.level(typ, actions) != full
}

// permit refuses actions that the scopes do not permit on any resource of typ.
func (a *Access) permit(typ string, actions Actions, reason string) error {
	if err := a.refuseDenied(typ, reason); err != nil {
		return err
	}
	if a.level(typ, actions) != nothing {
		return nil
	}
	return missing(a.scope(typ, a.short(typ, actions, some)), ", "+reason)
}

// refuseDenied refuses a type that a deny rule takes as a whole.
func (a *Access) refuseDenied(typ, reason string) error {
	if !a.deniesAll(typ) {
		return nil
	}
	return forbidden("a rule of the hospital denies every resource of this type, " + reason)
}

// permitFully refuses actions that the scopes do not permit on every resource
// of typ: where what is hidden could be guessed from the answer.
func (a *Access) permitFully(typ string, actions Actions, reason string) error {
	if err := a.permit(typ, actions, reason); err != nil {
		return err
	}
	if a.denies(typ) {
		return forbidden("a rule of the hospital denies resources of the type " + typ + ", so that it cannot be asked for " + reason[len(forWord):])
	}
	if a.level(typ, actions) == full {
		return nil
	}
	return a.needsFull(typ, actions, reason)
}

func (a *Access) needsFull(typ string, actions Actions, reason string) error {
	return missing(a.scope(typ, a.short(typ, actions, full)), " without a condition, "+reason)
}

// forWord begins every reason.
const forWord = "for "

// short returns those of the actions that do not reach the wanted level.
func (a *Access) short(typ string, actions Actions, wanted level) Actions {
	var missing Actions
	for one := Create; one <= Search; one <<= 1 {
		if actions&one != 0 && a.level(typ, one) < wanted {
			missing |= one
		}
	}
	return missing
}

// scope names a scope in the context in which the holder could use it.
func (a *Access) scope(typ string, actions Actions) string {
	context := System
	inPatient := grant{context: Patient, typ: typ, actions: actions}
	switch {
	case inPatient.usable(&a.holder, typ) == actions:
		context = Patient
	case a.holder.User:
		context = User
	}
	return Scope{Context: context, Type: typ, Actions: actions}.String()
}

// missing refuses a call for want of a scope, and names it as OAuth does as well
// (RFC 6750 section 3.1).
func missing(scope, reason string) error {
	return fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "the call needs the scope "+scope+reason).
		With("WWW-Authenticate", `Bearer realm="fhirgate", error="insufficient_scope", scope="`+scope+`"`)
}

func forbidden(text string) error {
	return fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, text)
}
