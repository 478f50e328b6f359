package transforms

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"fhirgate/fhir"
	"fhirgate/transforms/links"
	"fhirgate/transforms/resource"
	"fhirgate/transforms/tree"
)

// Answer is what the rules of a vendor do to the answer to one call. It serves
// that one answer, from one goroutine. A nil Answer changes nothing.
type Answer struct {
	// Entries are the calls that the entries of a batch-response answer, in their
	// order. Nil for other answers, of which every resource answers the call.
	Entries []Call

	// Trace, if set, is told what each rule changed: the resource or the entry
	// before and after.
	Trace func(rule string, before, after []byte)

	vendor *Vendor
	call   Call
	base   string // the gateway's address of the hospital
	env    resource.Call
	params params        // of the call, if a rule asks for them
	status int           // of the answer, or of the entry that is at hand
	rules  []*answerRule // those that may apply
	work   *workspace
	typ    string // of the last resource
}

// workspace is the memory of an Answer.
type workspace struct {
	doc   tree.Doc
	out   []byte
	rules []*answerRule

	resource resource.Resource // the one that rules are applied to
	entry    entry             // likewise
}

var workspaces = sync.Pool{New: func() any { return new(workspace) }}

// maxKept is the largest buffer that is kept for another Answer.
const maxKept = 1 << 20

// Answer returns what the rules do to an answer with the given status to call,
// of which query has the parameters as the caller sent them; nil when no rule
// concerns it. base is the gateway's address of the hospital. Callers release
// it.
func (v *Vendor) Answer(call Call, query string, status int, base string, now time.Time) *Answer {
	if v == nil || len(v.answers) == 0 {
		return nil
	}
	w := workspaces.Get().(*workspace)
	w.rules = w.rules[:0]
	batch := call.Interaction == fhir.Batch || call.Interaction == fhir.Transaction
	var ps params
	if v.answersAskParams {
		ps = parseParams(query)
	}
	for _, r := range v.answers {
		if len(r.resources)+len(r.entries) == 0 && !r.dropTotal || call.Raw && r.effect != 0 {
			continue
		}
		if batch && r.when.reaches(call.Hospital) || r.when.holds(&call, ps, status) && !(r.unless != nil && r.unless.certain() && r.unless.holds(&call, ps, status)) {
			w.rules = append(w.rules, r)
		}
	}
	if len(w.rules) == 0 {
		workspaces.Put(w)
		return nil
	}
	if call.Zone == nil {
		call.Zone = time.UTC
	}
	a := &Answer{vendor: v, call: call, base: base, params: ps, status: status, rules: w.rules, work: w}
	a.env = resource.Call{Answer: true, Vars: call.Vars, Zone: call.Zone, Now: now}
	return a
}

// Release gives the Answer's memory back.
func (a *Answer) Release() {
	if a == nil || a.work == nil {
		return
	}
	if cap(a.work.out) > maxKept {
		a.work.out = nil
	}
	clear(a.work.rules)
	a.work.resource, a.work.entry = resource.Resource{}, entry{}
	workspaces.Put(a.work)
	a.work = nil
}

// Edit returns the Answer for the pass that moves locators, or nil.
func (a *Answer) Edit() *links.Edit {
	if a == nil {
		return nil
	}
	edit := &links.Edit{Holds: a.holds, Resource: a.edit}
	for _, r := range a.rules {
		edit.DropTotal = edit.DropTotal || r.dropTotal && !a.call.stored()
		edit.Places = edit.Places || slices.ContainsFunc(r.resources, resource.Places)
	}
	return edit
}

// stored reports whether the answer to a call is a Bundle that the hospital
// keeps as a resource, not one that it made of what it found.
func (c *Call) stored() bool {
	switch c.Interaction {
	case fhir.Read, fhir.VRead, fhir.Create, fhir.Update, fhir.Patch, fhir.ConditionalCreate, fhir.ConditionalUpdate, fhir.ConditionalPatch:
		return c.Type == bundle
	default:
		return false
	}
}

// holds reports whether a rule may change resources of a type. A Bundle in an
// entry is held for what it holds.
func (a *Answer) holds(typ string) bool {
	if typ == bundle {
		return true
	}
	for _, r := range a.rules {
		if r.when.wants(typ) && (len(r.resources) > 0 || r.looksAtEntriesOf(typ)) {
			return true
		}
	}
	return false
}

// edit changes one resource, or one entry (links.Edit.Resource).
func (a *Answer) edit(text []byte, entry int, _ string) ([]byte, error) {
	d := &a.work.doc
	d.Reset(text)
	call := &a.call
	if entry >= 0 && entry < len(a.Entries) {
		call = &a.Entries[entry]
	}
	var err *fhir.Error
	keep := true
	if entry < 0 {
		err = a.resource(d.Root(), call)
	} else {
		keep, err = a.entry(d.Root(), call)
	}
	switch {
	case err != nil:
		return nil, err
	case !keep:
		return nil, nil
	case !d.Edited():
		return text, nil
	}
	a.work.out = d.AppendTo(a.work.out[:0])
	return a.work.out, nil
}

// entry changes one entry and its resource; keep is false when it is to go.
func (a *Answer) entry(n tree.Node, call *Call) (keep bool, err *fhir.Error) {
	d := &a.work.doc
	res := d.Get(n, "resource")
	if a.Entries != nil && n == d.Root() {
		a.status = leadingStatus(d.Text(d.Get(d.Get(n, "response"), "status")))
	}
	if d.Kind(res) == tree.Object {
		if err := a.resource(res, call); err != nil {
			return false, err
		}
	}
	if a.Entries != nil && n == d.Root() || call.stored() { // the place of one of a batch-response says what it answers
		return true, nil
	}
	e := &a.work.entry
	*e = entry{doc: d, node: n, resource: res, typ: a.typeOf(res), call: call, base: a.base}
	for _, r := range a.rules {
		if len(r.entries) == 0 || !a.applies(r, call, e.typ, res) {
			continue
		}
		before := a.before(n)
		for _, o := range r.entries {
			if keep := o.applyEntry(e); !keep {
				a.after(r, before, nil)
				return false, nil
			}
		}
		a.after(r, before, d.Raw)
	}
	return true, nil
}

// resource changes one resource, or those of a Bundle in an entry.
func (a *Answer) resource(n tree.Node, call *Call) *fhir.Error {
	d := &a.work.doc
	typ := a.typeOf(n)
	if typ == bundle {
		return a.bundle(n, call)
	}
	r := &a.work.resource
	*r = resource.Resource{Doc: d, Node: n, Call: &a.env}
	for _, rule := range a.rules {
		if len(rule.resources) == 0 || !a.applies(rule, call, typ, n) {
			continue
		}
		before := a.before(n)
		for _, o := range rule.resources {
			if _, err := o.Apply(r); err != nil {
				return a.vendor.named(err, rule.name)
			}
		}
		a.after(rule, before, d.Raw)
	}
	return nil
}

// bundle changes the entries of a Bundle that is no root: a search in a batch.
// A signed one stays as it is.
func (a *Answer) bundle(n tree.Node, call *Call) *fhir.Error {
	d := &a.work.doc
	if d.Get(n, "signature") != tree.None {
		return nil
	}
	for _, r := range a.rules {
		if r.dropTotal && !call.stored() && a.applies(r, call, bundle, n) {
			before := a.before(n)
			d.Remove(d.Get(n, "total"))
			a.after(r, before, d.Raw)
		}
	}
	for child := d.First(d.Get(n, "entry")); child != tree.None; {
		next := d.Next(child)
		keep, err := a.entry(child, call)
		if err != nil {
			return err
		}
		if !keep {
			d.Remove(child)
		}
		child = next
	}
	return nil
}

// applies reports whether a rule is for the resource n of the given type.
func (a *Answer) applies(r *answerRule, call *Call, typ string, n tree.Node) bool {
	d := &a.work.doc
	ps := a.params
	if call != &a.call {
		if ps = nil; a.vendor.answersAskParams {
			ps = parseParams(call.Query)
		}
		if !r.when.holds(call, ps, a.status) {
			return false
		}
	}
	if !r.when.wants(typ) || !hold(r.when.where, d, n) {
		return false
	}
	u := r.unless
	return u == nil || !(u.wants(typ) && u.holds(call, ps, a.status) && hold(u.where, d, n))
}

// leadingStatus returns the status that an entry's begins with, as "404 Not
// Found" does (https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.response.status);
// 200 if it says none.
func leadingStatus(text string) int {
	if len(text) >= 3 {
		if status, err := strconv.Atoi(text[:3]); err == nil && status >= 100 {
			return status
		}
	}
	return http.StatusOK
}

// typeOf returns the type of the resource n.
func (a *Answer) typeOf(n tree.Node) string {
	d := &a.work.doc
	if member := d.Get(n, "resourceType"); !d.Is(member, a.typ) {
		a.typ = d.Text(member)
	}
	return a.typ
}

// before and after tell Trace of a change.
func (a *Answer) before(n tree.Node) traced {
	if a.Trace == nil {
		return traced{}
	}
	return traced{n, append([]byte{}, a.work.doc.Raw(n)...)}
}

type traced struct {
	node tree.Node
	text []byte
}

func (a *Answer) after(r *answerRule, before traced, raw func(tree.Node) []byte) {
	if a.Trace == nil {
		return
	}
	var text []byte
	if raw != nil {
		text = append(text, raw(before.node)...)
	}
	if string(text) != string(before.text) {
		a.Trace(r.name, before.text, text)
	}
}

// certain reports whether the condition can be told without a resource.
func (a *answerCondition) certain() bool { return len(a.types) == 0 && len(a.where) == 0 }
