package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

func (h hapi) create(t *tx, a interaction, typ string) reply {
	body, content, refused := a.resource(typ)
	if refused != nil {
		return *refused
	}
	if condition := a.header.Get("If-None-Exist"); condition != "" {
		found, refused := h.conditional(t, typ, condition)
		if refused != nil {
			return *refused
		}
		if len(found) == 1 {
			return a.written(found[0], http.StatusOK)
		}
	}
	return h.put(t, a, typ, t.freeID(typ), body, content)
}

// freeID is the next number that no resource has for its id.
func (t *tx) freeID(typ string) string {
	for n := 1_000 + t.seq; ; n++ {
		if id := strconv.Itoa(n); len(t.versions(typ, id)) == 0 {
			return id
		}
	}
}

// update replaces a resource or, under an id of the client's with a letter in it, creates it. Without an id the query selects it.
func (h hapi) update(t *tx, a interaction, typ, id string) reply {
	body, content, refused := a.resource(typ)
	if refused != nil {
		return *refused
	}
	if id == "" {
		found, refused := h.conditional(t, typ, a.query)
		switch {
		case refused != nil:
			return *refused
		case len(found) == 0:
			return h.put(t, a, typ, t.freeID(typ), body, content)
		}
		id = found[0].id
	} else if gjson.GetBytes(body, "id").Str != id && a.content == nil {
		return refusal(http.StatusBadRequest, "processing", "HAPI-0420: The id in the body must be that of the URL")
	}
	old, exists := t.get(typ, id)
	if _, err := strconv.Atoi(id); !exists && err == nil {
		return refusal(http.StatusBadRequest, "processing", "HAPI-0960: Clients may only assign ids which contain at least one non-numeric character")
	}
	if refused, bad := a.stale(old, exists); bad {
		return refused
	}
	if exists && !old.deleted() && content == nil {
		if same, err := setVersion(body, id, old.number, old.at); err == nil && bytes.Equal(same, old.raw) {
			return a.written(old, http.StatusOK) // nothing changed, so no new version
		}
	}
	return h.put(t, a, typ, id, body, content)
}

func (h hapi) patch(t *tx, a interaction, typ, id string) reply {
	if !strings.HasPrefix(a.header.Get("Content-Type"), "application/json-patch+json") {
		return refusal(http.StatusUnsupportedMediaType, "processing", "HAPI-0309: Patch needs application/json-patch+json")
	}
	if id == "" {
		found, refused := h.conditional(t, typ, a.query)
		switch {
		case refused != nil:
			return *refused
		case len(found) == 0:
			return refusal(http.StatusNotFound, "not-found", "HAPI-2001: Resource is not known")
		}
		id = found[0].id
	}
	old, exists := t.get(typ, id)
	if refused, bad := hapiGone(old, exists); bad {
		return refused
	}
	if refused, bad := a.stale(old, exists); bad {
		return refused
	}
	changed, err := applyPatch(old.raw, a.body)
	var bad complaint
	if errors.As(err, &bad) {
		return refusal(bad.status, bad.issue.code, bad.issue.diagnostics)
	}
	return h.put(t, a, typ, id, changed, old.blob)
}

func (h hapi) remove(t *tx, a interaction, typ, id string) reply {
	var targets []version
	if id == "" {
		found, refused := h.conditional(t, typ, a.query)
		if refused != nil {
			return *refused
		}
		targets = found
	} else {
		old, exists := t.get(typ, id)
		if !exists {
			return refusal(http.StatusNotFound, "not-found", "HAPI-2001: Resource is not known")
		}
		if refused, bad := a.stale(old, exists); bad {
			return refused
		}
		if !old.deleted() {
			targets = []version{old}
		}
	}
	said := "Successfully deleted " + strconv.Itoa(len(targets)) + " resource(s)"
	answer := reply{status: http.StatusOK, header: http.Header{}, body: outcome(issue{severity: "information", code: "informational", diagnostics: said})}
	for _, target := range targets {
		answer.header.Set("ETag", etag(t.remove(typ, target.id)))
	}
	return answer
}

// conditional finds the at most one resource that a condition selects; more are a 412.
func (h hapi) conditional(t *tx, typ, condition string) ([]version, *reply) {
	_, query, isURL := strings.Cut(condition, "?")
	if !isURL {
		query = condition
	}
	form, err := url.ParseQuery(query)
	if err != nil || len(form) == 0 {
		answer := refusal(http.StatusBadRequest, "processing", "HAPI-0962: A condition needs search parameters")
		return nil, &answer
	}
	wanted, refused := h.wanted(typ, form)
	if refused != nil {
		return nil, refused
	}
	found := wanted.run(t)
	if len(found) > 1 {
		answer := refusal(http.StatusPreconditionFailed, "multiple-matches", "HAPI-0958: The condition matches "+strconv.Itoa(len(found))+" resources")
		return nil, &answer
	}
	return found, nil
}

// resource returns the resource that a write carries; the content of a Binary apart from it. A reply in its place refuses it.
func (a interaction) resource(typ string) (json.RawMessage, *blob, *reply) {
	refuse := func(diagnostics string) (json.RawMessage, *blob, *reply) {
		answer := refusal(http.StatusBadRequest, "structure", diagnostics)
		return nil, nil, &answer
	}
	if !gjson.ValidBytes(a.body) {
		return refuse("HAPI-0450: Failed to parse request body as JSON resource")
	}
	if got := gjson.GetBytes(a.body, "resourceType").Str; got != typ {
		return refuse(`HAPI-0436: Incorrect resource type found, expected "` + typ + `"`)
	}
	if typ != "Binary" || a.content != nil {
		return a.body, a.content, nil
	}
	data := base64.NewDecoder(base64.StdEncoding, strings.NewReader(gjson.GetBytes(a.body, "data").Str))
	content, err := newBlob(gjson.GetBytes(a.body, "contentType").Str, data)
	if err != nil {
		return refuse("HAPI-1821: Invalid attribute value: data")
	}
	body, err := sjson.DeleteBytes(a.body, "data")
	if err != nil {
		return refuse("HAPI-0450: Failed to parse request body as JSON resource")
	}
	return body, content, nil
}

// stale refuses a write whose If-Match is not the newest version, with the 409 of HAPI's.
func (a interaction) stale(newest version, exists bool) (reply, bool) {
	match := a.header.Get("If-Match")
	if match == "" || exists && strings.Trim(strings.TrimPrefix(match, "W/"), `"`) == strconv.Itoa(newest.number) {
		return reply{}, false
	}
	return refusal(http.StatusConflict, "conflict", "HAPI-0974: The resource version of If-Match is not the newest"), true
}

// put stores the next version and replies with 201 for the first, else 200.
func (h hapi) put(t *tx, a interaction, typ, id string, body json.RawMessage, content *blob) reply {
	_, existed := t.get(typ, id)
	stored, err := t.put(a.method, typ, id, body, content)
	if err != nil {
		return refusal(http.StatusBadRequest, "structure", "HAPI-0450: Failed to parse request body as JSON resource")
	}
	if existed {
		return a.written(stored, http.StatusOK)
	}
	return a.written(stored, http.StatusCreated)
}

// written replies to a write as Prefer asks; with the stored resource if it does not ask.
func (a interaction) written(stored version, status int) reply {
	header := versionHeaders(stored)
	header.Set("Content-Location", versionURL(a.at, stored))
	if status == http.StatusCreated {
		header.Set("Location", versionURL(a.at, stored))
	}
	answer := reply{status: status, header: header}
	switch prefer := a.header.Get("Prefer"); {
	case strings.Contains(prefer, "return=minimal"):
	case strings.Contains(prefer, "return=OperationOutcome"):
		answer.body = outcome(issue{severity: "information", code: "informational", diagnostics: "Successfully stored resource"})
	default:
		answer.body = stored.raw
	}
	return answer
}
