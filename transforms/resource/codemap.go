package resource

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fhirgate/fhir"
	"fhirgate/internal/strict"
	"fhirgate/transforms/tree"
)

// codeMap gives codes of the hospital our names for them. With from and to the
// path leads to Codings, whose system changes along; else it leads to codes.
type codeMap struct {
	Path     path              `yaml:"path"`
	From     *codeSystem       `yaml:"from"` // of the Codings to change
	To       *codeSystem       `yaml:"to"`   // that they get
	Map      map[string]string `yaml:"map"`  // code of the hospital: ours
	Params   []string          `yaml:"params"`
	Unmapped string            `yaml:"unmapped"` // keep (the default) or fail
	Lossy    bool              `yaml:"lossy"`    // give up the way back; default: false

	back map[string]string // our code: the hospital's
}

// codeSystem is the form of a code system's name.
type codeSystem struct {
	System string `yaml:"system"`
}

var paramPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Check implements Operation.
func (o *codeMap) Check(doc *strict.Document, place string) {
	o.Path.check(doc, place+".path")
	if !o.Lossy {
		o.Path.checkPlain(doc, place+".path", "or set lossy: true")
	}
	if (o.From == nil) != (o.To == nil) {
		doc.Fail(place, "needs both from and to, for Codings, or neither, for codes")
	}
	for name, s := range map[string]*codeSystem{".from": o.From, ".to": o.To} {
		if s != nil && s.System == "" {
			doc.Fail(place+name+".system", "must be the URI of a code system")
		}
	}
	for i, name := range o.Params {
		if !paramPattern.MatchString(name) {
			doc.Fail(place+".params."+strconv.Itoa(i), "must be the name of a parameter without its modifier: letters, digits, '-' and '_'")
		}
	}
	if o.Unmapped != "" && o.Unmapped != "keep" && o.Unmapped != "fail" {
		doc.Fail(place+".unmapped", "must be keep or fail")
	}
	o.checkMap(doc, place+".map")
}

func (o *codeMap) checkMap(doc *strict.Document, place string) {
	if len(o.Map) == 0 {
		doc.Fail(place, "must give at least one code of the hospital ours")
	}
	o.back = make(map[string]string, len(o.Map))
	for _, theirs := range slices.Sorted(maps.Keys(o.Map)) {
		ours := o.Map[theirs]
		if theirs == "" || ours == "" {
			doc.Fail(place+"."+theirs, "must give a code a code: neither may be empty")
			continue
		}
		if other, taken := o.back[ours]; taken && !o.Lossy {
			doc.Fail(place+"."+theirs, "gives %q the code of %q, so that nothing tells them apart on the way back: set lossy: true", theirs, other)
			continue
		}
		o.back[ours] = theirs
	}
}

// Effect implements Operation.
func (o *codeMap) Effect() Effect {
	if o.Lossy {
		return Lossy
	}
	return Reversible
}

// Paths implements Operation.
func (o *codeMap) Paths() []tree.Path { return []tree.Path{o.Path.Path} }

// Apply implements Operation.
func (o *codeMap) Apply(r *Resource) (changed bool, err *fhir.Error) {
	if o.From != nil {
		o.Path.EachObject(r.Doc, r.Node, func(n tree.Node) bool {
			var did bool
			did, err = o.applyCoding(r, n)
			changed = changed || did
			return err == nil
		})
		return changed, err
	}
	o.Path.Each(r.Doc, r.Node, func(n tree.Node) bool {
		var did bool
		did, err = o.applyCode(r, n)
		changed = changed || did
		return err == nil
	})
	return changed, err
}

func (o *codeMap) applyCode(r *Resource, n tree.Node) (changed bool, _ *fhir.Error) {
	if r.Doc.Kind(n) != tree.String {
		return false, nil
	}
	ours, mapped, taken := o.lookUp(r.Doc, n)
	switch {
	case mapped:
		if err := o.refuseMarked(r, n); err != nil {
			return false, err
		}
		r.Doc.SetString(n, ours)
		return true, nil
	case o.Unmapped == "fail":
		return false, o.refuseUnmapped(r, n)
	case taken && o.marks(r):
		return true, r.markOwn(n)
	}
	return false, nil
}

func (o *codeMap) applyCoding(r *Resource, coding tree.Node) (changed bool, _ *fhir.Error) {
	system, code := r.Doc.Get(coding, "system"), r.Doc.Get(coding, "code")
	theirs := r.Doc.Is(system, o.From.System)
	if r.Doc.Kind(code) != tree.String || !theirs && !r.Doc.Is(system, o.To.System) {
		return false, nil
	}
	ours, mapped, taken := o.lookUp(r.Doc, code)
	switch {
	case theirs && mapped:
		if err := o.refuseMarked(r, code); err != nil {
			return false, err
		}
		r.Doc.SetString(system, o.To.System)
		r.Doc.SetString(code, ours)
		return true, nil
	case theirs && o.Unmapped == "fail":
		return false, o.refuseUnmapped(r, code)
	case taken && r.Doc.Is(system, o.To.System) && o.marks(r):
		return true, r.markOwn(code)
	}
	return false, nil
}

// lookUp returns our code for that of the hospital, and whether the hospital's
// is one of ours.
func (o *codeMap) lookUp(d *tree.Doc, n tree.Node) (ours string, mapped, taken bool) {
	var space [64]byte // most codes fit
	code := d.AppendText(space[:0], n)
	ours, mapped = o.Map[string(code)]
	_, taken = o.back[string(code)]
	return ours, mapped, taken
}

// marks reports whether what the hospital sends by itself in our form is to be
// marked.
func (o *codeMap) marks(r *Resource) bool { return r.Call.Answer && !o.Lossy }

func (o *codeMap) refuseMarked(r *Resource, n tree.Node) *fhir.Error {
	if !o.marks(r) {
		return nil
	}
	return r.refuseMarked(n)
}

func (o *codeMap) refuseUnmapped(r *Resource, n tree.Node) *fhir.Error {
	return r.refuse(n, fhir.IssueValue, "holds a code that the rule's map lacks")
}

// Undo implements Inverse.
func (o *codeMap) Undo(r *Resource) (changed bool, err *fhir.Error) { return o.undo(r, o.Path.Path) }

func (o *codeMap) undo(r *Resource, p tree.Path) (changed bool, err *fhir.Error) {
	visit := func(code tree.Node) bool {
		var did bool
		did, err = o.undoCode(r, code)
		changed = changed || did
		return err == nil
	}
	if o.From == nil {
		p.Each(r.Doc, r.Node, visit)
		return changed, err
	}
	p.EachObject(r.Doc, r.Node, func(coding tree.Node) bool {
		return !r.Doc.Is(r.Doc.Get(coding, "system"), o.To.System) || visit(r.Doc.Get(coding, "code"))
	})
	return changed, err
}

// DropMarks implements Marker.
func (o *codeMap) DropMarks(r *Resource) (changed bool) {
	if o.From != nil {
		return r.dropMarks(o.Path.Path, "code")
	}
	parent, name, ok := o.Path.Split()
	return ok && r.dropMarks(parent, name)
}

// undoCode changes a code of ours back, and the system beside it if it is that
// of a Coding.
func (o *codeMap) undoCode(r *Resource, n tree.Node) (changed bool, _ *fhir.Error) {
	if r.Doc.Kind(n) != tree.String {
		return false, nil
	}
	theirs, ok := o.back[r.Doc.Text(n)]
	if !ok {
		if o.From == nil && o.Unmapped == "fail" {
			return false, o.refuseUnmapped(r, n)
		}
		return false, nil // a Coding may well be of the hospital's own
	}
	own, changed := r.unmarkOwn(n)
	if own {
		return changed, nil
	}
	if o.From != nil {
		r.Doc.SetString(r.Doc.Get(r.Doc.Parent(n), "system"), o.From.System)
	}
	r.Doc.SetString(n, theirs)
	return true, nil
}

// UndoParam implements Inverse. The value is a token
// (https://hl7.org/fhir/R4/search.html#token): of a code the system is implied,
// so it is left out. A code without a system is looked for under the hospital's
// name of it.
func (o *codeMap) UndoParam(_ *Call, name, value string) (changed string, ok bool) {
	if !slices.Contains(o.Params, name) {
		return value, false
	}
	system, code, split := strings.Cut(value, "|")
	if !split {
		system, code = "", value
	}
	theirs, mapped := o.back[code]
	switch {
	case o.From == nil && mapped:
		return theirs, true
	case o.From == nil || split && system != o.To.System:
		return value, true
	case mapped:
		return o.From.System + "|" + theirs, true
	case split && code == "":
		return o.From.System + "|", true
	}
	return value, true
}

// UndoPatch implements Inverse.
func (o *codeMap) UndoPatch(r *Resource) (changed bool, err *fhir.Error) {
	if o.From == nil {
		return r.undoPatch(o.Path.Path, nil, o.undo)
	}
	return r.undoPatch(o.Path.Path, []string{"system", "code", "_code"}, o.undo)
}
