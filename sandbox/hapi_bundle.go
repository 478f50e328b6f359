package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// entry is one entry of a batch or transaction, and the reply to it.
type entry struct {
	fullURL string
	asked   interaction
	answer  reply
	id      string // given in advance to a resource that a transaction creates
}

// bundle carries out a batch or transaction (https://hl7.org/fhir/R4/http.html#transaction).
func (h hapi) bundle(t *tx, a interaction) reply {
	sent := gjson.ParseBytes(a.body)
	kind := sent.Get("type").Str
	if !gjson.ValidBytes(a.body) || sent.Get("resourceType").Str != "Bundle" || kind != "batch" && kind != "transaction" {
		return refusal(http.StatusBadRequest, "structure", "HAPI-0527: The body must be a Bundle of type batch or transaction")
	}
	var entries []*entry
	for _, e := range sent.Get("entry").Array() {
		read, ok := h.entry(a, e)
		if !ok {
			return refusal(http.StatusBadRequest, "processing", "HAPI-0543: An entry has an unusable request")
		}
		entries = append(entries, read)
	}
	if kind == "batch" {
		for _, e := range entries {
			h.performEntry(t, e)
		}
		return bundleReply(kind, entries)
	}
	return h.transaction(t, entries)
}

// entry reads one entry's request into an interaction.
func (h hapi) entry(a interaction, e gjson.Result) (*entry, bool) {
	request := e.Get("request")
	u, err := url.Parse(strings.TrimPrefix(strings.TrimPrefix(request.Get("url").Str, a.at.base), "/"))
	if err != nil || u.Path == "" {
		return nil, false
	}
	form, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, false
	}
	header := http.Header{"Accept": {"application/fhir+json"}, "Prefer": {"return=minimal"}}
	for field, name := range map[string]string{"ifMatch": "If-Match", "ifNoneExist": "If-None-Exist", "ifNoneMatch": "If-None-Match"} {
		if value := request.Get(field).Str; value != "" {
			header.Set(name, value)
		}
	}
	asked := interaction{
		method: request.Get("method").Str, segments: strings.Split(strings.Trim(u.Path, "/"), "/"), form: form, query: u.RawQuery,
		header: header, body: []byte(e.Get("resource").Raw), at: a.at,
	}
	if asked.method == http.MethodPatch {
		header.Set("Content-Type", "application/json-patch+json")
		patch := patchBody(e.Get("resource"))
		if asked.body = patch; patch == nil {
			return nil, false
		}
	}
	return &entry{fullURL: e.Get("fullUrl").Str, asked: asked}, isResourceType(asked.segments[0])
}

// patchBody reads the JSON Patch that a Binary carries in an entry.
func patchBody(binary gjson.Result) []byte {
	var read struct{ Data []byte }
	if binary.Get("resourceType").Str != "Binary" || json.Unmarshal([]byte(binary.Raw), &read) != nil {
		return nil
	}
	return read.Data
}

// performEntry carries out one entry; one that is refused leaves nothing behind.
func (h hapi) performEntry(t *tx, e *entry) {
	inner := &tx{store: t.store}
	if e.id != "" {
		body, content, refused := e.asked.resource(e.asked.segments[0])
		if refused != nil {
			e.answer = *refused
			return
		}
		e.answer = h.put(inner, e.asked, e.asked.segments[0], e.id, body, content)
	} else {
		e.answer = h.perform(inner, e.asked)
	}
	if e.answer.status < http.StatusBadRequest {
		t.undo = append(t.undo, inner.undo...)
		return
	}
	for _, undo := range slices.Backward(inner.undo) {
		undo()
	}
}

// transactionOrder is the order in which the methods of a transaction are carried out.
var transactionOrder = []string{http.MethodDelete, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodGet}

// transaction carries out all entries or none. References to the urn:uuid of an entry become those of the resource it creates.
func (h hapi) transaction(t *tx, entries []*entry) reply {
	ids := map[string]string{}
	next := 0
	for _, e := range entries {
		typ := e.asked.segments[0]
		switch {
		case e.asked.method == http.MethodPost && len(e.asked.segments) == 1 && e.asked.header.Get("If-None-Exist") == "":
			base, _ := strconv.Atoi(t.freeID(typ))
			e.id = strconv.Itoa(base + next)
			next++
			ids[e.fullURL] = typ + "/" + e.id
		case e.asked.method == http.MethodPost:
			found, _ := h.conditional(t, typ, e.asked.header.Get("If-None-Exist"))
			if len(found) == 1 {
				ids[e.fullURL] = typ + "/" + found[0].id
			}
		case e.asked.method == http.MethodPut && len(e.asked.segments) == 2:
			ids[e.fullURL] = typ + "/" + e.asked.segments[1]
		}
	}
	for _, method := range transactionOrder {
		for _, e := range entries {
			if e.asked.method != method {
				continue
			}
			e.asked.body = resolve(e.asked.body, ids)
			h.performEntry(t, e)
			if e.answer.status >= http.StatusBadRequest {
				return e.answer // the caller takes everything back
			}
		}
	}
	return bundleReply("transaction", entries)
}

var urnReference = regexp.MustCompile(`("reference"\s*:\s*")(urn:(?:uuid|oid):[^"]*)"`)

// resolve replaces references to entries by those to what the entries created.
func resolve(body []byte, ids map[string]string) []byte {
	return urnReference.ReplaceAllFunc(body, func(match []byte) []byte {
		parts := urnReference.FindSubmatch(match)
		target, ok := ids[string(parts[2])]
		if !ok {
			return match
		}
		return []byte(string(parts[1]) + target + `"`)
	})
}

func bundleReply(kind string, entries []*entry) reply {
	var list []any
	for _, e := range entries {
		status := strconv.Itoa(e.answer.status) + " " + http.StatusText(e.answer.status)
		response := []any{
			"status", status, "location", text(strings.TrimPrefix(e.answer.header.Get("Location"), e.asked.at.base+"/")), "etag", text(e.answer.header.Get("ETag")),
		}
		var resource json.RawMessage
		switch {
		case e.answer.status >= http.StatusBadRequest:
			response = append(response, "outcome", json.RawMessage(e.answer.body))
		case e.asked.method == http.MethodGet:
			resource = e.answer.body
		}
		list = append(list, obj("resource", resource, "response", obj(response...)))
	}
	return reply{status: http.StatusOK, body: obj("resourceType", "Bundle", "id", newUUID(), "type", kind+"-response", "entry", entryList(list))}
}
