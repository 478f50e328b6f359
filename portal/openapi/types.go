package openapi

import (
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// shape is an interaction of types as a call
// (https://hl7.org/fhir/R4/http.html#summary).
type shape struct {
	code    string
	method  string
	path    string // below the type
	id      string // operationId; %s stands for the type
	summary string // likewise
	actions string // of SMART scopes
	params  []string
	body    string
	success map[string]string
}

// shapes are the interactions that stand for themselves; searches are made apart.
var shapes = []shape{
	{code: "read", method: http.MethodGet, path: "/{id}", id: "read%s", summary: "Read a %s", actions: "r", params: []string{"If-None-Match", "If-Modified-Since"}, success: map[string]string{"200": resourceAnswer, "304": notModified}},
	{code: "vread", method: http.MethodGet, path: "/{id}/_history/{version}", id: "readVersionOf%s", summary: "Read a version of a %s", actions: "r", success: okay(resourceAnswer)},
	{code: "update", method: http.MethodPut, path: "/{id}", id: "update%s", summary: "Update a %s", actions: "u", params: []string{"If-Match", "Prefer"}, body: "resource", success: map[string]string{"200": resourceAnswer, "201": createdAnswer}},
	{code: "patch", method: http.MethodPatch, path: "/{id}", id: "patch%s", summary: "Patch a %s", actions: "u", params: []string{"If-Match", "Prefer"}, body: "patch", success: okay(resourceAnswer)},
	{code: "delete", method: http.MethodDelete, path: "/{id}", id: "delete%s", summary: "Delete a %s", actions: "d", params: []string{"If-Match"}, success: deleted()},
	{code: "history-instance", method: http.MethodGet, path: "/{id}/_history", id: "historyOf%s", summary: "History of a %s", actions: "r", params: []string{"_count", "_since"}, success: okay(bundleAnswer)},
	{code: "history-type", method: http.MethodGet, path: "/_history", id: "historyOfAll%s", summary: "History of the type %s", actions: "s", params: []string{"_count", "_since"}, success: okay(bundleAnswer)},
	{code: "create", method: http.MethodPost, path: "", id: "create%s", summary: "Create a %s", actions: "c", params: []string{"Prefer"}, body: "resource", success: map[string]string{"200": resourceAnswer, "201": createdAnswer}},
	{code: "conditional-update", method: http.MethodPut, path: "", id: "updateMatching%s", summary: "Update the %s that a search finds, or create it", actions: "cus", params: []string{"If-Match", "Prefer"}, body: "resource", success: map[string]string{"200": resourceAnswer, "201": createdAnswer}},
	{code: "conditional-patch", method: http.MethodPatch, path: "", id: "patchMatching%s", summary: "Patch the %s that a search finds", actions: "us", params: []string{"If-Match", "Prefer"}, body: "patch", success: okay(resourceAnswer)},
	{code: "conditional-delete", method: http.MethodDelete, path: "", id: "deleteMatching%s", summary: "Delete the %s that a search finds", actions: "ds", success: deleted()},
}

// addType adds the calls on a resource type.
func (b *builder) addType(typ string, hospitals []*Hospital) {
	b.doc.Tags = append(b.doc.Tags, Tag{Name: typ, ExternalDocs: &ExternalDocs{URL: "https://hl7.org/fhir/R4/" + strings.ToLower(typ) + ".html"}})
	offers := make(map[string]*offer)
	for _, h := range hospitals {
		if o := h.types[typ]; o != nil {
			offers[h.ID] = o
		}
	}
	with := func(code string) []string {
		return idsOf(hospitals, func(h *Hospital) bool { return offers[h.ID] != nil && slices.Contains(offers[h.ID].interactions, code) })
	}
	parameters := merge(offers)
	b.addSearch(typ, with("search-type"), parameters, offers)
	for _, s := range shapes {
		c := call{
			tag: typ, path: "/" + typ + s.path, method: s.method, id: fmt.Sprintf(s.id, typ), summary: fmt.Sprintf(s.summary, typ),
			hospitals: with(s.code), scope: "system/" + typ + "." + s.actions, body: body(s.body, typ), success: s.success,
		}
		for _, name := range s.params {
			c.params = append(c.params, parameterRef(name))
		}
		if taken := with("conditional-create"); s.code == "create" && len(taken) > 0 {
			c.params = append(c.params, parameterRef("If-None-Exist"))
			c.text = "`If-None-Exist` is taken by " + list(taken) + "; it needs the scope `system/" + typ + ".cs`."
		}
		if strings.HasPrefix(s.code, "conditional-") {
			c.text = "At least one search parameter must select the resource."
			c.params = append(c.params, parameters.of(c.hospitals)...)
		}
		if typ == "Binary" {
			c.text = joinSentences(c.text, binaryText(s.code))
			c.success = rawAnswer(s.code, c.success)
		}
		b.add(c)
	}
	for name, ids := range byName(hospitals, func(h *Hospital) []string {
		if o := offers[h.ID]; o != nil {
			return o.operations
		}
		return nil
	}) {
		b.addOperation(operationAt{tag: typ, typ: typ, name: name, id: "operation" + typ + camel(name), hospitals: ids})
	}
}

// addSearch adds the search of a type, by GET and by POST.
func (b *builder) addSearch(typ string, ids []string, parameters parameterSet, offers map[string]*offer) {
	params := parameters.of(ids)
	params = append(params, includes(ids, offers)...)
	for _, control := range controls() {
		if !parameters.has(strings.TrimPrefix(control.Ref, parameterPrefix)) {
			params = append(params, control)
		}
	}
	c := call{
		tag: typ, path: "/" + typ, method: http.MethodGet, id: "search" + typ, summary: "Search for " + typ,
		hospitals: ids, scope: "system/" + typ + ".s", params: params, success: okay(bundleAnswer),
	}
	b.add(c)
	c.path, c.method, c.id = c.path+"/_search", http.MethodPost, "search"+typ+"ByPost"
	c.summary, c.text, c.params, c.body = "Search for "+typ+", by a form", formText, nil, formBody()
	b.add(c)
}

const formText = "The parameters of the search, in a form: they show in no URL then."

// idsOf returns the ids of the hospitals for which has holds, in their order.
func idsOf(hospitals []*Hospital, has func(*Hospital) bool) []string {
	var ids []string
	for _, h := range hospitals {
		if has(h) {
			ids = append(ids, h.ID)
		}
	}
	return ids
}

// byName goes through the names that hospitals list, in alphabetical order, with
// the ids of those that list each.
func byName(hospitals []*Hospital, listed func(*Hospital) []string) iter.Seq2[string, []string] {
	found := map[string][]string{}
	for _, h := range hospitals {
		for _, name := range slices.Compact(slices.Sorted(slices.Values(listed(h)))) {
			found[name] = append(found[name], h.ID)
		}
	}
	return func(yield func(string, []string) bool) {
		for _, name := range slices.Sorted(maps.Keys(found)) {
			if !yield(name, found[name]) {
				return
			}
		}
	}
}

// list writes ids as people read them.
func list(ids []string) string {
	return "`" + strings.Join(ids, "`, `") + "`"
}

func joinSentences(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), " ")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
