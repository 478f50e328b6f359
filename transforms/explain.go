package transforms

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"fhirgate/fhir"
	"fhirgate/transforms/links"
	"fhirgate/transforms/resource"
	"fhirgate/transforms/tree"
)

// Trial is an answer that goes through the rules without the gateway: its
// locators are not moved.
type Trial struct {
	Call    Call
	Query   string    // of the call, as the caller sent it
	Entries []Call    // as Answer.Entries
	Status  int       // of the answer
	Base    string    // the gateway's address of the hospital
	Now     time.Time // of the call
	Lines   bool      // the answer is NDJSON
}

// RuleReport is what a rule did to an answer.
type RuleReport struct {
	Name    string
	Effect  string // reversible or lossy; empty for a rule that changes no resource
	Changed int    // resources, or entries for a rule about these; 0 = it did nothing

	// Before and After are the first of them; After is nil for an entry that was
	// left out.
	Before, After []byte
}

// Explain returns what the rules make of an answer with a status of success,
// and what each rule for answers did to it, in the order of the file. The error
// is a *links.Error, which may wrap a *fhir.Error that names the rule.
func (v *Vendor) Explain(t *Trial, answer []byte) (changed []byte, reports []RuleReport, err error) {
	rules := v.Answer(t.Call, t.Query, t.Status, t.Base, t.Now)
	defer rules.Release()
	told := make(map[string]*RuleReport)
	tell := func(rule string, before, after []byte) {
		if told[rule] == nil {
			told[rule] = &RuleReport{Before: before, After: after}
		}
		told[rule].Changed++
	}
	if rules != nil {
		rules.Entries, rules.Trace = t.Entries, tell
	}
	changed, err = links.Rewrite(nil, answer, &links.Map{Edit: rules.Edit(), Lines: t.Lines, Frozen: signed(answer)})
	if err == nil && rules != nil && !t.Lines {
		// The pass itself leaves the total of the root out.
		if before, after := totalOf(answer), totalOf(changed); before != nil && after == nil {
			for _, r := range rules.rules {
				if r.dropTotal {
					tell(r.name, slices.Concat([]byte(`{"total":`), before, []byte("}")), []byte("{}"))
				}
			}
		}
	}
	return changed, v.reports(told), err
}

// signed returns where the signed Bundles of an answer, or of its lines, begin.
// Told so beforehand, the pass does not try rules on what it then leaves alone.
func signed(answer []byte) (offsets []int64) {
	texts := slices.Values([][]byte{answer})
	if !json.Valid(answer) {
		texts = bytes.Lines(answer)
	}
	begin := 0
	for text := range texts {
		if json.Valid(text) {
			var d tree.Doc
			d.Reset(text)
			if d.Is(d.Get(d.Root(), "resourceType"), "Bundle") && d.Get(d.Root(), "signature") != tree.None {
				offsets = append(offsets, int64(begin+bytes.IndexByte(text, '{')))
			}
		}
		begin += len(text)
	}
	return offsets
}

func totalOf(answer []byte) []byte {
	var d tree.Doc
	d.Reset(answer)
	if total := d.Get(d.Root(), "total"); total != tree.None {
		return slices.Clone(d.Raw(total))
	}
	return nil
}

// reports returns the rules for answers with what is told of them.
func (v *Vendor) reports(told map[string]*RuleReport) []RuleReport {
	if v == nil {
		return nil
	}
	reports := make([]RuleReport, len(v.answers))
	for i, r := range v.answers {
		if report := told[r.name]; report != nil {
			reports[i] = *report
		}
		reports[i].Name = r.name
		reports[i].Effect = r.effect.String()
	}
	return reports
}

// Inward takes what the caller sends as the gateway does: a resource, or with
// the interaction patch a JSON Patch. An update that would destroy something is
// refused (Lossy), what the rules for answers had changed is taken back, and
// the rules for requests are applied (Body, Patch). Other bodies pass unchanged.
//
// applied are the names of the rules that changed something; in case of an
// error, a *fhir.Error, it ends with those that refused.
func (v *Vendor) Inward(call Call, env resource.Call, body []byte) (changed []byte, applied []string, err error) {
	switch call.Interaction {
	case fhir.Patch, fhir.ConditionalPatch:
		changed, applied, err = v.Patch(call, env, body)
	case fhir.Update, fhir.ConditionalUpdate:
		if err = v.Lossy(call); err == nil {
			changed, applied, err = v.Body(call, env, body)
		}
	case fhir.Create, fhir.ConditionalCreate:
		changed, applied, err = v.Body(call, env, body)
	default:
		return body, nil, nil
	}
	for _, name := range v.namedIn(err) {
		if !slices.Contains(applied, name) {
			applied = append(applied, name)
		}
	}
	return changed, applied, err
}

// namedIn returns the rules that an error of the vendor's names.
func (v *Vendor) namedIn(err error) (names []string) {
	var refusal *fhir.Error
	if !errors.As(err, &refusal) {
		return nil
	}
	for _, name := range v.Rules() {
		if strings.Contains(refusal.Text, strconv.Quote(name)) {
			names = append(names, name)
		}
	}
	return names
}

// takenBack returns what the inverses of the rules for answers alone make of a
// resource that the caller sends as an update.
func (v *Vendor) takenBack(call Call, now time.Time, body []byte) ([]byte, error) {
	var d tree.Doc
	d.Reset(body)
	env := resource.Call{Vars: call.Vars, Zone: call.zone(), Now: now}
	if _, err := v.undoBody(&call, &resource.Resource{Doc: &d, Node: d.Root(), Call: &env}); err != nil {
		return nil, err
	}
	return d.AppendTo(nil), nil
}
