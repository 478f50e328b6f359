package transforms

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"fhirgate/fhir"
	"fhirgate/transforms/resource"
	"fhirgate/transforms/tree"
)

// Lossy refuses an update of a resource from which rules leave something out on
// its way to the caller: sent back it would destroy what the hospital has. The
// error is a *fhir.Error that names the rules.
func (v *Vendor) Lossy(call Call) error {
	var names []string
	for r := range v.onResources(&call) {
		if r.effect == resource.Lossy || call.Type == bundle {
			names = append(names, strconv.Quote(r.name)+" of "+v.Owner(r.name))
		}
	}
	if names == nil {
		return nil
	}
	how := "leave out or reorder"
	if call.Type == bundle {
		how = "change in what the Bundle holds"
	}
	return fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueBusinessRule,
		"an update would destroy what these rules "+how+" on the way to you: "+strings.Join(names, ", ")+
			". Read the resource with X-Fhirgate-Raw: true, change that, and send it with the same header")
}

// onResources yields the rules that change resources of the call's type for its
// hospital, whatever else their conditions say.
func (v *Vendor) onResources(call *Call) func(yield func(*answerRule) bool) {
	return func(yield func(*answerRule) bool) {
		if v == nil || call.Raw {
			return
		}
		for _, r := range v.answers {
			if r.translates(call) && !yield(r) {
				return
			}
		}
	}
}

// bundle is the type of resources that hold others, which rules change on the
// way to the caller. Nothing takes that back: such a body passes as it is.
const bundle = "Bundle"

// translates reports whether the rule may change resources of the call's type
// for its hospital.
func (r *answerRule) translates(call *Call) bool {
	if call.Type == bundle {
		return r.effect != 0 && r.when.reaches(call.Hospital)
	}
	if r.effect == 0 || !r.when.wants(call.Type) || !r.when.reaches(call.Hospital) {
		return false
	}
	return r.unless == nil || !r.unless.exempts(call)
}

// exempts reports whether the condition holds for every resource of the call's
// type at its hospital, in whatever call the caller has read it.
func (a *answerCondition) exempts(call *Call) bool {
	return a.wants(call.Type) && a.reaches(call.Hospital) && a.body == "" &&
		len(a.where)+len(a.interactions)+len(a.params)+len(a.headers)+len(a.statuses) == 0
}

// undoBody takes back what the rules for answers changed in a resource that the
// caller sends, the last one first.
func (v *Vendor) undoBody(call *Call, r *resource.Resource) (applied []string, err *fhir.Error) {
	if !v.undoes(call) {
		return nil, nil
	}
	for _, rule := range slices.Backward(slices.Collect(v.onResources(call))) {
		if rule.effect != resource.Reversible || !hold(rule.when.where, r.Doc, r.Node) ||
			rule.unless != nil && rule.unless.wants(call.Type) && rule.unless.reaches(call.Hospital) && hold(rule.unless.where, r.Doc, r.Node) {
			continue
		}
		undone := false
		for _, o := range slices.Backward(rule.resources) {
			did, err := o.(resource.Inverse).Undo(r)
			if err != nil {
				return applied, v.named(err, rule.name)
			}
			undone = undone || did
		}
		if undone {
			applied = append(applied, rule.name)
		}
	}
	v.dropMarks(call, r)
	return applied, nil
}

// dropMarks leaves no mark of a reversible rule in a body for the hospital.
func (v *Vendor) dropMarks(call *Call, r *resource.Resource) {
	for rule := range v.onResources(call) {
		for _, o := range rule.resources {
			if marker, ok := o.(resource.Marker); ok && rule.effect == resource.Reversible {
				marker.DropMarks(r)
			}
		}
	}
}

// Condition returns a raw query of search parameters that is not the call's own,
// that of If-None-Exist, in the hospital's words.
func (v *Vendor) Condition(call Call, query string) string {
	query, _ = v.undoQuery(&call, query)
	return query
}

// undoQuery is undoParams for a raw query.
func (v *Vendor) undoQuery(call *Call, query string) (undone string, applied []string) {
	if query == "" || !v.undoes(call) {
		return query, nil
	}
	ps := parseParams(query)
	env := resource.Call{Vars: call.Vars, Zone: call.zone(), Now: time.Now()}
	if applied = v.undoParams(call, &env, ps); applied == nil {
		return query, nil
	}
	return ps.String(), applied
}

// Translates reports whether rules change resources of the call's type on their
// way to the caller.
func (v *Vendor) Translates(call Call) bool {
	for range v.onResources(&call) {
		return true
	}
	return false
}

// undoes reports whether a rule for resources of the call's type has an inverse.
func (v *Vendor) undoes(call *Call) bool {
	if v == nil || call.Raw || call.Type == bundle {
		return false
	}
	for _, r := range v.answers {
		if r.effect == resource.Reversible && r.translates(call) {
			return true
		}
	}
	return false
}

// undoParams takes the words of the rules back in the values of search
// parameters, which may be lists joined by commas. applied names the rules that
// had some.
func (v *Vendor) undoParams(call *Call, env *resource.Call, ps params) (applied []string) {
	for _, rule := range slices.Backward(slices.Collect(v.onResources(call))) {
		if rule.effect != resource.Reversible {
			continue
		}
		for _, o := range slices.Backward(rule.resources) {
			for i, p := range ps {
				name, modifier, _ := strings.Cut(p.name, ":")
				if modifier != "" && modifier != "not" { // whose values are no tokens of the element
					continue
				}
				if value, did := undoList(o.(resource.Inverse), env, name, p.value()); did {
					ps[i] = newParam(p.name, value)
					if !slices.Contains(applied, rule.name) {
						applied = append(applied, rule.name)
					}
				}
			}
		}
	}
	return applied
}

// undoList changes the items of a list (https://hl7.org/fhir/R4/search.html#combining);
// a comma behind a backslash joins nothing.
func undoList(o resource.Inverse, env *resource.Call, name, list string) (out string, changed bool) {
	items := splitList(list)
	for i, item := range items {
		if to, ok := o.UndoParam(env, name, item); ok && to != item {
			items[i], changed = to, true
		}
	}
	return strings.Join(items, ","), changed
}

func splitList(list string) (items []string) {
	start := 0
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '\\':
			i++
		case ',':
			items = append(items, list[start:i])
			start = i + 1
		}
	}
	return append(items, list[start:])
}

// Patch takes a JSON Patch (RFC 6902) that the caller wrote for what the rules
// had made of a resource to the one that the hospital has. An operation that
// meets what a lossy rule changes is refused. The error is a *fhir.Error.
func (v *Vendor) Patch(call Call, env resource.Call, patch []byte) ([]byte, []string, error) {
	env.Vars, env.Zone = call.Vars, call.zone()
	rules := slices.Collect(v.onResources(&call))
	if len(rules) == 0 {
		return patch, nil, nil
	}
	if call.Type == bundle {
		return nil, nil, v.Lossy(call)
	}
	if err := readable(patch); err != nil {
		return nil, nil, err
	}
	var (
		d       tree.Doc
		applied []string
	)
	d.Reset(patch)
	for op := d.First(d.Root()); op != tree.None; op = d.Next(op) {
		if !plainOperation(&d, op) {
			return nil, nil, fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueStructure, "an operation of the JSON Patch is none of RFC 6902").At("[" + strconv.Itoa(d.Index(op)) + "]")
		}
		for _, rule := range slices.Backward(rules) {
			for _, o := range slices.Backward(rule.resources) {
				did, err := v.undoPatch(rule, o, &resource.Resource{Doc: &d, Node: op, Call: &env})
				if err != nil {
					err.Expression = strings.TrimSuffix("["+strconv.Itoa(d.Index(op))+"]."+err.Expression, ".")
					return nil, nil, v.named(err, rule.name)
				}
				if did && !slices.Contains(applied, rule.name) {
					applied = append(applied, rule.name)
				}
			}
		}
	}
	if !d.Edited() {
		return patch, applied, nil
	}
	return d.AppendTo(nil), applied, nil
}

// plainOperation reports whether op is written as RFC 6902 writes it: a hospital
// to which letter case makes no difference would read more in it than the rules.
func plainOperation(d *tree.Doc, op tree.Node) bool {
	for member := d.First(op); member != tree.None; member = d.Next(member) {
		switch name := d.Name(member); strings.ToLower(name) {
		case "op", "path", "from", "value":
			if name != strings.ToLower(name) {
				return false
			}
		}
	}
	return slices.Contains([]string{"add", "remove", "replace", "move", "copy", "test"}, d.Text(d.Get(op, "op"))) &&
		d.Kind(d.Get(op, "path")) == tree.String
}

// undoPatch takes what one operation of a rule did back in one operation of a
// patch. Whether a condition on the resource holds, a patch does not tell.
func (*Vendor) undoPatch(rule *answerRule, o resource.Operation, op *resource.Resource) (bool, *fhir.Error) {
	conditional := len(rule.when.where) > 0 || rule.unless != nil && len(rule.unless.where) > 0
	if rule.effect == resource.Reversible && !conditional {
		return o.(resource.Inverse).UndoPatch(op)
	}
	for _, name := range []string{"path", "from"} {
		member := op.Doc.Get(op.Node, name)
		if member == tree.None {
			continue
		}
		pointer, ok := tree.ParsePointer(op.Doc.Text(member))
		if ok && !slices.ContainsFunc(o.Paths(), func(p tree.Path) bool { return p.MayShift(pointer) }) {
			continue
		}
		return false, fhir.NewError(http.StatusUnprocessableEntity, fhir.IssueBusinessRule,
			"the patch meets an element that a rule changes on the way to you, in a way that a patch cannot be taken back: read the resource with X-Fhirgate-Raw: true and send the patch with the same header").At(name)
	}
	return false, nil
}
