package facade

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"fhirgate/fhir"
	"fhirgate/policies/smart"
	"fhirgate/transforms/links"
)

// maxGuarded is the largest resource, in bytes, that is looked at before it is
// handed out or changed.
const maxGuarded = 8 << 20

// guarded puts the look that scopes and deny rules want at resources behind what
// the vendor's rules do to them, in the same pass. Entries that the caller may
// not see are left out; any other resource refuses the answer.
func (c *call) guarded(rules *links.Edit) *links.Edit {
	looks := c.looksAtAnswer()
	lines := c.touched != nil && c.lines                          // in which nothing but its id tells whose a Patient is
	if !looks && !lines && (c.batch == nil || c.touched == nil) { // the audit trail has a record for each entry
		return rules
	}
	edit := &links.Edit{}
	if rules != nil {
		*edit = *rules
	}
	if looks {
		edit.Signed = fhir.NewError(http.StatusForbidden, fhir.IssueForbidden, "the answer is signed, so that nothing can be left out of it, and the caller's scopes or a deny rule of the hospital might want that").Because(errHidden)
		// It would count what is left out. Included resources it does not count.
		edit.DropTotal = edit.DropTotal || !c.counts()
	}
	edit.Every = true
	edit.Holds = func(typ string) bool {
		return rules != nil && rules.Holds(typ) || typ == "Bundle" || c.looksAt(typ) || lines && typ == "Patient"
	}
	edit.Resource = func(text []byte, entry int, typ string) ([]byte, error) {
		if rules != nil && rules.Holds(typ) {
			var err error
			if text, err = rules.Resource(text, entry, typ); err != nil || text == nil {
				return nil, err
			}
		}
		shown, err := c.withhold(text, entry)
		if lines && shown != nil && typ == "Patient" {
			c.touched.patient([]byte(gjson.GetBytes(shown, "id").Str))
		}
		return shown, err
	}
	return edit
}

// looksAtAnswer reports whether any resource of the answer has to be looked at.
func (c *call) looksAtAnswer() bool {
	if c.batch == nil {
		return !c.permission.Free()
	}
	return slices.ContainsFunc(c.batch.places, func(place int) bool {
		entry := &c.batch.entries[place]
		return !entry.permission.Free() || entry.hides()
	})
}

// hides reports whether the answer to the entry must not hold the resource that
// it wrote: the caller may write it, and not read it.
func (e *batchEntry) hides() bool {
	return e.req.Interaction.Writes() && e.req.Type != "" && !e.permission.MayReturn(e.req.Type)
}

// counts reports whether the caller may know of every resource that the answer is
// about.
func (c *call) counts() bool {
	return c.permission.Free() || c.req.Type != "" && !c.permission.Looks(c.req.Type)
}

func (c *call) looksAt(typ string) bool { return c.batch != nil || c.permission.Looks(typ) }

// withhold returns text if the caller may see the resource in it, and else nil
// for an entry, or an error.
func (c *call) withhold(text []byte, entry int) ([]byte, error) {
	resource, sees := text, c.permission.Sees
	switch {
	case c.batch != nil && entry >= 0:
		return c.withholdAnswer(text, entry)
	case c.batch != nil && c.looksAtAnswer():
		return nil, notFHIR("the hospital did not answer the batch with a Bundle")
	case c.batch != nil:
		return text, nil
	case entry >= 0:
		var once bool
		if resource, once = resourceIn(text); !once {
			return nil, nil
		}
		sees = c.permission.SeesEntry
	}
	switch {
	case len(resource) == 0 && !c.counts(): // of a history: that there was one is hidden with it
		return nil, nil
	case len(resource) == 0, c.permission.Free(), sees(resource):
		return text, nil
	case entry < 0 && !c.lines:
		return nil, errWithheld()
	default:
		return nil, nil // the entry goes; of NDJSON an empty line stays
	}
}

// withholdAnswer is withhold for the answer to an entry of a batch. An outcome
// stands where the resource must not. It notes what became of the entry.
func (c *call) withholdAnswer(text []byte, at int) ([]byte, error) {
	if at >= len(c.batch.places) {
		return nil, notFHIR("the hospital answered more entries than it was asked")
	}
	entry := &c.batch.entries[c.batch.places[at]]
	response := gjson.GetBytes(text, "response")
	entry.status = statusIn(response.Get("status").Str)
	if entry.req.Interaction == fhir.Create {
		entry.created = createdAt(response.Get("location").Str)
	}
	resource, once := resourceIn(text)
	switch {
	case (!once || entry.status == http.StatusNotModified) && !entry.permission.Free(): // there is not the one to look at
		return entry.withheld(c.id), nil
	case hidesAbsence(entry.req, &entry.permission, entry.status):
		return entry.withheld(c.id), nil
	case resource == nil:
		return text, nil
	case entry.hides():
		return sjson.DeleteBytes(text, "resource")
	case entry.permission.Free(), entry.permission.Sees(resource):
		return text, nil
	case changesOne(entry.req): // it is written all the same
		return sjson.DeleteBytes(text, "resource")
	default:
		return entry.withheld(c.id), nil
	}
}

// resourceIn returns the resource of an entry, and whether there is one at most:
// a caller could read another than was looked at.
func resourceIn(entry []byte) (resource []byte, once bool) {
	found := 0
	gjson.ParseBytes(entry).ForEach(func(key, value gjson.Result) bool {
		if strings.EqualFold(key.Str, "resource") {
			resource = []byte(value.Raw)
			found++
		}
		return true
	})
	return resource, found <= 1
}

// withheld returns the answer to an entry whose resource the caller may not see,
// and notes it.
func (e *batchEntry) withheld(requestID string) []byte {
	refusal := errWithheld()
	e.status, e.issue = refusal.Status, refusal.Code
	return []byte(entryOutcome(refusal, requestID))
}

// changesOne reports whether a request writes one resource, which an answer may
// hold.
func changesOne(req fhir.Request) bool {
	switch req.Interaction {
	case fhir.Create, fhir.Update, fhir.Patch:
		return true
	default:
		return false
	}
}

// errWithheld refuses a resource that the caller may not see, and one that is not
// there as well where some must not be seen: whether there is one is not the
// caller's to know.
func errWithheld() *fhir.Error {
	return fhir.NewError(http.StatusNotFound, fhir.IssueNotFound, "there is no such resource, or the caller's scopes or a deny rule of the hospital do not cover it").Because(errHidden)
}

// errHidden is the cause of what errWithheld refuses, for the log.
var errHidden = errors.New("not there, or hidden from the caller")

// isWithheld reports whether an answer fails because the caller may not see it.
func isWithheld(err error) bool { return errors.Is(err, errHidden) }

// hidesAbsence reports whether a hospital's answer that a resource is not there, or
// was deleted, must look like that of one which the caller may not see.
func hidesAbsence(req fhir.Request, permission *smart.Permission, status int) bool {
	if status != http.StatusNotFound && status != http.StatusGone || permission.Free() {
		return false
	}
	switch req.Interaction {
	case fhir.Read, fhir.VRead, fhir.HistoryInstance, fhir.Patch, fhir.Delete:
		return permission.Looks(req.Type)
	default:
		return false
	}
}

// holdGuarded reads an answer whole that must be looked at before its first byte
// is sent: a single resource, or a Bundle that is stored as one.
func (c *call) holdGuarded(h head) (head, error) {
	if h.whole || c.lines || c.batch != nil || c.pages() || !c.looksAtAnswer() {
		return h, nil
	}
	var err error
	if h.bytes, h.whole, err = readOn(h.bytes, c.answer.Body, maxGuarded); err != nil {
		return h, brokenOff(err)
	}
	if !h.whole {
		return h, fhir.NewError(http.StatusForbidden, fhir.IssueTooLong, "the answer is larger than 8 MiB, which is more than can be checked against the caller's scopes").Because(errHidden)
	}
	return h, nil
}

// pages reports whether the answer is a Bundle of what was found. The history of
// one resource is not: whether there is any is told before its first byte.
func (c *call) pages() bool {
	return c.req.Interaction.AnswersBundle() && c.req.Interaction != fhir.HistoryInstance
}

// checkStored refuses a Bundle that is one resource, of which the pass that
// moves locators only looks at the entries, and not at all when it is signed.
func (c *call) checkStored(body []byte) error {
	if c.batch != nil || c.lines || c.pages() || !c.looksAtAnswer() {
		return nil
	}
	if c.req.Interaction == fhir.HistoryInstance && c.sealed == nil && !gjson.GetBytes(body, "entry.0").Exists() {
		return errWithheld()
	}
	if gjson.GetBytes(body, "resourceType").Str == "Bundle" && !c.permission.Sees(body) {
		return errWithheld()
	}
	return nil
}
