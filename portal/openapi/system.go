package openapi

import (
	"net/http"
	"slices"
)

// systemTag groups what concerns no type.
const systemTag = "System"

// addSystem adds the calls at the base of a hospital.
func (b *builder) addSystem(hospitals []*Hospital) {
	b.doc.Tags = append(b.doc.Tags, Tag{Name: systemTag, Description: "What concerns a hospital as a whole."})
	with := func(interactions ...string) []string {
		return idsOf(hospitals, func(h *Hospital) bool {
			return slices.ContainsFunc(interactions, func(i string) bool { return slices.Contains(h.system, i) })
		})
	}
	b.add(call{
		path: "/metadata", method: http.MethodGet, tag: systemTag, id: "capabilities", summary: "CapabilityStatement of a hospital",
		text:      "Narrowed to what the caller may do. Without a credential, one of the gateway as a whole.",
		hospitals: idsOf(hospitals, func(*Hospital) bool { return true }), public: true, success: okay(resourceAnswer),
	})
	b.add(call{
		path: "", method: http.MethodPost, tag: systemTag, id: "batch", summary: "Batch or transaction",
		text:      "Each entry passes the same checks as a call of its own and costs as much. A refused entry of a transaction refuses all of it.",
		hospitals: with("batch", "transaction"), body: bundleBody(), success: okay(bundleAnswer),
		params: []*Parameter{parameterRef("Prefer")},
	})
	search := with("search-system")
	b.add(call{
		path: "", method: http.MethodGet, tag: systemTag, id: "searchSystem", summary: "Search over types",
		hospitals: search, scope: "system/*.s", params: append([]*Parameter{typesParameter()}, controls()...), success: okay(bundleAnswer),
	})
	b.add(call{
		path: "/_search", method: http.MethodPost, tag: systemTag, id: "searchSystemByPost", summary: "Search over types, by a form",
		text: formText, hospitals: search, scope: "system/*.s", body: formBody(), success: okay(bundleAnswer),
	})
	b.add(call{
		path: "/_history", method: http.MethodGet, tag: systemTag, id: "historySystem", summary: "History of everything",
		hospitals: with("history-system"), scope: "system/*.s", params: historyParameters(), success: okay(bundleAnswer),
	})
	for name, ids := range byName(hospitals, func(h *Hospital) []string { return h.operations }) {
		b.addOperation(operationAt{tag: systemTag, name: name, id: "operation" + camel(name), hospitals: ids})
	}
}
