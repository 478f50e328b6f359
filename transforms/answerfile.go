package transforms

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fhirgate/transforms/resource"
)

// fileAnswer is the form of a rule for answers.
type fileAnswer struct {
	Name   string       `yaml:"name"`   // for people, unique in the file: errors show it
	Effect string       `yaml:"effect"` // reversible or lossy; for rules that change resources
	When   answerWhen   `yaml:"when"`   // default: every answer
	Unless *answerWhen  `yaml:"unless"` // answers that the rule leaves alone, all of it holding; default: none
	Do     []answerStep `yaml:"do"`     // operations, applied in this order
}

// answerWhen is the form of a condition on an answer. All that is given must
// hold. The type is that of a resource in the answer, not of the call.
type answerWhen struct {
	fileWhen
	Status words  `yaml:"status"` // such as 404 or 4xx; default: any
	Body   string `yaml:"body"`   // a text that the body of an error holds; default: any
}

// answerStep is one item of such a rule's do: exactly one of its fields, or of
// those that change a resource.
type answerStep struct {
	resource.Step
	TotalDrop     *totalDrop     `yaml:"total.drop"`
	EntryComplete *entryComplete `yaml:"entry.complete"`
	OutcomeDrop   *outcomeDrop   `yaml:"outcome.drop"`
	OutcomeWarn   *outcomeWarn   `yaml:"outcome.warn"`
	StatusSet     *statusSet     `yaml:"status.set"`
	Issue         *issue         `yaml:"issue"`
	RetryAfter    *retryAfter    `yaml:"retryAfter"`
	SuccessIf     *successIf     `yaml:"success.if"`
}

// answerRule is a compiled rule for answers.
type answerRule struct {
	name      string
	when      answerCondition
	unless    *answerCondition // nil = no exception
	effect    resource.Effect  // 0 = changes no resource
	resources []resource.Operation
	entries   []entryOperation
	dropTotal bool
	errors    []errorOperation
	success   []*successIf
}

// answerCondition is a compiled answerWhen.
type answerCondition struct {
	condition
	statuses []string // empty = any
	body     string
}

var statusPattern = regexp.MustCompile(`^[1-5](xx|[0-9]{2})$`)

func (c *compiler) answerCondition(place string, f *answerWhen) answerCondition {
	out := answerCondition{condition: c.condition(place, &f.fileWhen), statuses: f.Status, body: f.Body}
	c.given(place+".status", f.Status)
	for _, word := range f.Status {
		if !statusPattern.MatchString(word) {
			c.doc.Fail(place+".status", "must be statuses such as 404 or 4xx")
		}
	}
	if c.decoded && c.doc.Has(place+".body") && f.Body == "" {
		c.doc.Fail(place+".body", "is empty: leave it out to mean any")
	}
	return out
}

// answerRule checks the rule at place and compiles it.
func (c *compiler) answerRule(f *fileAnswer, place string) {
	c.ruleName(f.Name, place)
	r := &answerRule{name: f.Name, when: c.answerCondition(place+".when", &f.When)}
	if c.doc.Has(place + ".unless") {
		if f.Unless == nil || reflect.ValueOf(*f.Unless).IsZero() {
			c.doc.Fail(place+".unless", "holds no condition: the rule would never apply")
		} else {
			unless := c.answerCondition(place+".unless", f.Unless)
			r.unless = &unless
		}
	}
	if c.decoded && len(f.Do) == 0 {
		c.doc.Fail(place+".do", "holds no operation")
	}
	for i := range f.Do {
		c.answerStep(r, &f.Do[i], place+".do."+strconv.Itoa(i))
	}
	if r.when.body != "" && len(r.errors)+len(r.success) == 0 {
		c.doc.Fail(place+".when.body", "looks at a whole body: it goes with operations on errors alone")
	}
	c.effect(r, f.Effect, place)
	c.vendor.answers = append(c.vendor.answers, r)
}

func (c *compiler) answerStep(r *answerRule, f *answerStep, place string) {
	found, at := c.only(reflect.ValueOf(f).Elem(), place)
	switch o := found.(type) {
	case nil:
		return
	case resource.Operation:
		if o.Effect() == resource.OneWay {
			c.doc.Fail(at, "has a place in requests only")
		}
		r.resources = append(r.resources, o)
		if reader, ok := o.(resource.Reader); ok {
			c.reads(reader.Reads(), r.when.condition)
		}
	case entryOperation:
		r.entries = append(r.entries, o)
	case *totalDrop:
		r.dropTotal = true
	case errorOperation:
		r.errors = append(r.errors, o)
		switch {
		case len(r.when.statuses) == 0:
			c.doc.Fail(at, "needs a status in when: it changes what an error means")
		case !slices.ContainsFunc(r.when.statuses, func(status string) bool { return status >= "4" }):
			c.doc.Fail(ruleOf(place)+".when.status", "must be errors, such as 409 or 4xx, for this operation")
		}
	case *successIf:
		r.success = append(r.success, o)
	}
}

// ruleOf returns the place of the rule whose step stands at place.
func ruleOf(place string) string { return place[:strings.LastIndex(place, ".do.")] }

// effect checks that the rule's word for what it does to the way back is that
// of its operations: nobody should learn from a refused update that a rule
// loses something.
func (c *compiler) effect(r *answerRule, word, place string) {
	for _, o := range r.resources {
		r.effect = max(r.effect, o.Effect())
	}
	want := r.effect.String()
	outcomes := len(r.when.types) == 1 && r.when.types[0] == "OperationOutcome"
	switch {
	case outcomes: // nobody updates one
		r.effect = 0
		if word != "" {
			c.doc.Fail(place+".effect", "has no place here: nobody updates an OperationOutcome")
		}
	case r.effect == 0 && word != "" && c.decoded:
		c.doc.Fail(place+".effect", "has no place here: the rule changes no resource")
	case want == "" || word == want || !c.decoded:
	case word == "":
		c.doc.Fail(place+".effect", "is missing: the rule is %s", want)
	case word == "lossy":
		r.effect = resource.Lossy // the author knows better
	case word != "reversible":
		c.doc.Fail(place+".effect", "must be reversible or lossy")
	default:
		c.doc.Fail(place+".effect", "must be %s: an operation of the rule cannot be undone", want)
	}
	if r.effect == resource.Reversible {
		c.reversible(r, place)
	}
}

// reversible checks that the inverse of a rule runs on exactly what the rule
// ran on: its condition must not look at what the caller cannot send back.
func (c *compiler) reversible(r *answerRule, place string) {
	for _, when := range []*answerCondition{&r.when, r.unless} {
		if when == nil {
			continue
		}
		if len(when.interactions)+len(when.params)+len(when.headers)+len(when.statuses) > 0 || when.body != "" {
			c.doc.Fail(place, "a reversible rule must hold for every call on its types: interaction, param, header, status and body have no place in it")
		}
		for _, value := range when.where {
			for _, o := range r.resources {
				for _, path := range o.Paths() {
					if path.Top() == strings.TrimPrefix(value.path.Top(), "_") { // marks stand beside a primitive
						c.doc.Fail(place, "a reversible rule must not change %s, which its own condition looks at", path.Top())
					}
				}
			}
		}
	}
}

// holds reports whether the condition holds for an answer with the given
// status, all but what it says of a resource.
func (a *answerCondition) holds(call *Call, ps params, status int) bool {
	return a.means(status) && a.calls(call) && (len(a.params) == 0 || a.asked(ps))
}

// means reports whether the condition is for a status.
func (a *answerCondition) means(status int) bool {
	if len(a.statuses) == 0 {
		return true
	}
	word := strconv.Itoa(status)
	return slices.Contains(a.statuses, word) || slices.Contains(a.statuses, word[:1]+"xx")
}

// calls is condition.concerns without the type, which in an answer is the
// resource's.
func (a *answerCondition) calls(call *Call) bool {
	anyType := a.condition
	anyType.types = nil
	return anyType.concerns(call)
}

// wants reports whether the condition may hold for resources of a type.
func (a *answerCondition) wants(typ string) bool {
	return len(a.types) == 0 || slices.Contains(a.types, typ)
}
