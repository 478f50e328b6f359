package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/tidwall/gjson"
)

const codeSet72 = "https://fhir.cerner.com/" // + tenant + /codeSet/72

// complaint is the error of a write that a vendor refuses, with the status of the answer.
type complaint struct {
	status int
	issue  issue
}

func (c complaint) Error() string { return "sandbox: " + c.issue.diagnostics }

// create stores a document: 201 with no body as text/html, an absolute Location and an ETag.
func (o *oracle) create(w http.ResponseWriter, r *http.Request, at address) {
	body, ok := oracleBody(w, r)
	if !ok {
		return
	}
	var created version
	err := o.store.update(func(t *tx) (err error) {
		if rule := o.documentRule(t, body, []string{"final", "amended"}, true); rule != "" {
			return complaint{http.StatusUnprocessableEntity, issue{code: "business-rule", diagnostics: rule}}
		}
		id := oracleID("DocumentReference", 5_000+len(t.everything("DocumentReference")))
		created, err = t.put(http.MethodPost, "DocumentReference", id, body, nil)
		return err
	})
	if err != nil {
		oracleRefuseChange(w, err)
		return
	}
	w.Header().Set("Location", at.base+"/DocumentReference/"+created.id)
	oracleVersionHeaders(w, created)
	write(w, http.StatusCreated, "text/html", nil)
}

// replace corrects a document. Patient and encounter must stay; its content may be the stored one.
func (o *oracle) replace(w http.ResponseWriter, r *http.Request, id string) {
	body, ok := oracleBody(w, r)
	if !ok {
		return
	}
	o.change(w, r, "DocumentReference", id, func(t *tx, old json.RawMessage) (json.RawMessage, error) {
		was, is := gjson.ParseBytes(old), gjson.ParseBytes(body)
		kept := was.Get("content").Raw == is.Get("content").Raw
		if rule := o.documentRule(t, body, []string{"amended", "entered-in-error"}, !kept); rule != "" {
			return nil, complaint{http.StatusUnprocessableEntity, issue{code: "business-rule", diagnostics: rule}}
		}
		for _, element := range []string{"id", "subject.reference", "context.encounter.0.reference"} {
			if was.Get(element).Str != is.Get(element).Str {
				return nil, complaint{http.StatusUnprocessableEntity, issue{code: "business-rule", diagnostics: element + " must not change"}}
			}
		}
		return body, nil
	})
}

// patch changes an Appointment or Encounter by JSON Patch (RFC 6902).
func (o *oracle) patch(w http.ResponseWriter, r *http.Request, typ, id string) {
	if r.Header.Get("Content-Type") != "application/json-patch+json" {
		oraclePlain(w, http.StatusUnsupportedMediaType, "Content-Type must be application/json-patch+json")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	o.change(w, r, typ, id, func(_ *tx, old json.RawMessage) (json.RawMessage, error) { return applyPatch(old, body) })
}

// applyPatch applies a JSON Patch to a resource; its errors are complaints.
func applyPatch(old json.RawMessage, body []byte) (json.RawMessage, error) {
	patch, err := jsonpatch.DecodePatch(body)
	if err != nil {
		return nil, complaint{http.StatusBadRequest, issue{code: "structure", diagnostics: "Invalid JSON Patch"}}
	}
	options := jsonpatch.NewApplyOptions()
	options.EscapeHTML = false
	changed, err := patch.ApplyWithOptions(old, options)
	if err != nil {
		return nil, complaint{http.StatusUnprocessableEntity, issue{code: "processing", diagnostics: "The patch does not apply"}}
	}
	was, is := gjson.GetManyBytes(old, "resourceType", "id"), gjson.GetManyBytes(changed, "resourceType", "id")
	if was[0].Str != is[0].Str || was[1].Str != is[1].Str {
		return nil, complaint{http.StatusUnprocessableEntity, issue{code: "business-rule", diagnostics: "resourceType and id must not change"}}
	}
	return changed, nil
}

// change stores what edit makes of a resource, if If-Match names its version: 412 without it, 409 when stale.
func (o *oracle) change(w http.ResponseWriter, r *http.Request, typ, id string,
	edit func(t *tx, old json.RawMessage) (json.RawMessage, error),
) {
	var changed version
	err := o.store.update(func(t *tx) error {
		old, ok := t.get(typ, id)
		match := r.Header.Get("If-Match")
		switch {
		case !ok || old.deleted():
			return complaint{http.StatusNotFound, issue{code: "not-found", diagnostics: "Resource not found"}}
		case match == "":
			return complaint{http.StatusPreconditionFailed, issue{code: "required", diagnostics: "If-Match is required"}}
		case match != etag(old):
			return complaint{http.StatusConflict, issue{code: "conflict", diagnostics: "The version is not the newest"}}
		}
		next, err := edit(t, old.raw)
		if err != nil {
			return err
		}
		changed, err = t.put(r.Method, typ, id, next, nil)
		return err
	})
	if err != nil {
		oracleRefuseChange(w, err)
		return
	}
	oracleVersionHeaders(w, changed)
	write(w, http.StatusOK, "text/html", nil)
}

// oracleRefuseChange answers a write that failed.
func oracleRefuseChange(w http.ResponseWriter, err error) {
	refused := complaint{http.StatusBadRequest, issue{code: "structure", diagnostics: "Invalid resource"}}
	errors.As(err, &refused)
	oracleRefuse(w, refused.status, refused.issue)
}

// oracleBody reads a DocumentReference; it answers itself and returns false when the body is none.
func oracleBody(w http.ResponseWriter, r *http.Request) (json.RawMessage, bool) {
	if contentType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); contentType != oracleType && contentType != "application/json" {
		oraclePlain(w, http.StatusUnsupportedMediaType, "Unsupported Media Type")
		return nil, false
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, false // the client is gone
	}
	if !gjson.ValidBytes(body) || gjson.GetBytes(body, "resourceType").Str != "DocumentReference" {
		oraclePlain(w, http.StatusBadRequest, "Bad Request: the body is not a DocumentReference")
		return nil, false
	}
	return body, true
}

// documentRule names the first rule for a DocumentReference that body breaks; empty when it keeps all. Unless the content is new, it is
// not looked at.
func (o *oracle) documentRule(t *tx, body []byte, docStatuses []string, newContent bool) string {
	document := gjson.ParseBytes(body)
	contents := document.Get("content").Array()
	loinc, own := 0, 0
	for _, coding := range document.Get("type.coding").Array() {
		switch system := coding.Get("system").Str; {
		case system == "http://loinc.org":
			loinc++
		case system == codeSet72+o.options.Tenant+"/codeSet/72":
			own++
		}
	}
	switch {
	case document.Get("status").Str != "current":
		return "status must be current"
	case !slices.Contains(docStatuses, document.Get("docStatus").Str):
		return "docStatus must be " + strings.Join(docStatuses, " or ")
	case loinc+own != 1:
		return "type must have one coding of LOINC or of codeSet/72, not both"
	case !t.known("Patient", document.Get("subject.reference").Str):
		return "subject must be a known Patient"
	case document.Get("context.encounter.0").Exists() && !t.known("Encounter", document.Get("context.encounter.0.reference").Str):
		return "context.encounter must be a known Encounter"
	case !document.Get("context.period.end").Exists():
		return "context.period.end is required"
	case len(contents) != 1:
		return "exactly one content is required"
	case newContent && contents[0].Get("attachment.contentType").Str != "application/pdf":
		return "content.attachment.contentType must be application/pdf"
	case newContent && !isBase64(contents[0].Get("attachment.data").Str):
		return "content.attachment.data must be base64"
	}
	for _, element := range []string{"date", "context.period.start", "context.period.end", "content.0.attachment.creation"} {
		if at := document.Get(element); at.Exists() && !hasTime(at.Str) {
			return element + " must have a time"
		}
	}
	return ""
}

// oracleID is the id of the nth resource of a type: a number, for some types behind a letter.
func oracleID(typ string, n int) string {
	start := map[string]int{
		"Patient": 12724065, "Appointment": 4817500, "Encounter": 97953470, "DocumentReference": 197198600, "Observation": 197392500,
		"Practitioner": 4464000, "Location": 21304870, "Organization": 675840, "Binary": 197198600,
	}[typ]
	prefix := map[string]string{"Observation": "VS-", "Binary": "XR-"}[typ]
	return prefix + strconv.Itoa(start+n)
}
