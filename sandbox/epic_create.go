package sandbox

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// create stores a clinical note: 201, no body, a relative Location. The same note sent twice is stored twice.
func (e *epic) create(w http.ResponseWriter, r *http.Request, typ string) {
	if typ != "DocumentReference" {
		epicRefuseMethod(w)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	if !gjson.ValidBytes(body) || gjson.GetBytes(body, "resourceType").Str != typ {
		epicRefuse(w, http.StatusBadRequest, issue{code: "structure", detail: "59100", display: "Content invalid against the specification or a profile."})
		return
	}
	var created version
	err = e.store.update(func(t *tx) error {
		if rule, element := e.noteRule(t, body); rule != "" {
			return complaint{http.StatusBadRequest, issue{
				code: "business-rule", detail: "59159", display: "The content/operation failed to pass a business rule, and so could not proceed.",
				diagnostics: rule, expression: element,
			}}
		}
		id := epicID(e.options.Seed, "created", len(t.everything(typ)))
		created, err = t.put(http.MethodPost, typ, id, body, nil)
		return err
	})
	if err != nil {
		refused := complaint{http.StatusBadRequest, issue{code: "structure", detail: "59100", display: "Content invalid against the specification or a profile."}}
		errors.As(err, &refused)
		epicRefuse(w, refused.status, refused.issue)
		return
	}
	w.Header().Set("Location", typ+"/"+created.id)
	write(w, http.StatusCreated, "", nil)
}

// noteRule names the first rule for a new DocumentReference that body breaks, and the element; empty when it keeps all.
func (e *epic) noteRule(t *tx, body []byte) (rule, element string) {
	note := gjson.ParseBytes(body)
	attachment := note.Get("content.0.attachment") // further contents are ignored
	contentType, _, _ := strings.Cut(attachment.Get("contentType").Str, ";")
	isLOINC := func(coding gjson.Result) bool {
		return coding.Get("system").Str == "http://loinc.org" && coding.Get("code").Str != ""
	}
	switch {
	case note.Get("status").Str != "current":
		return "status must be current", "status"
	case !slices.Contains([]string{"final", "preliminary"}, note.Get("docStatus").Str):
		return "docStatus must be final or preliminary", "docStatus"
	case !slices.ContainsFunc(note.Get("type.coding").Array(), isLOINC):
		return "type must have a LOINC coding", "type"
	case !t.known("Patient", note.Get("subject.reference").Str):
		return "subject must be a known Patient", "subject"
	case !t.known("Encounter", note.Get("context.encounter.0.reference").Str):
		return "context.encounter must be a known Encounter", "context.encounter"
	case contentType != "text/plain" && !(e.options.AcceptPDF && contentType == "application/pdf"):
		return "the content type is not supported", "content.attachment.contentType"
	case !isBase64(attachment.Get("data").Str):
		return "data must be base64", "content.attachment.data"
	}
	return "", ""
}

// known tells whether a literal reference names an existing resource of a type.
func (t *tx) known(typ, literal string) bool {
	refType, id := lastTwo(literal)
	v, ok := t.get(typ, id)
	return refType == typ && ok && !v.deleted()
}

// isBase64 tells whether data is base64 and not empty, without keeping the decoded bytes.
func isBase64(data string) bool {
	n, err := io.Copy(io.Discard, base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
	return err == nil && n > 0
}
