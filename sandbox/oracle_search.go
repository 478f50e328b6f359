package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// oracleAnchors are the parameters of which a search must have at least one.
var oracleAnchors = map[string][]string{
	"Patient":           {"_id", "identifier", "name", "family", "given", "phone", "email", "birthdate", "address-postalcode"},
	"Appointment":       {"_id", "patient", "practitioner", "location"},
	"Encounter":         {"_id", "patient", "subject", "account", "identifier"},
	"DocumentReference": {"_id", "patient", "subject", "encounter"},
	"Observation":       {"_id", "patient", "subject"},
	"ServiceRequest":    {"_id", "patient", "subject"},
	"Practitioner":      {"_id", "identifier", "name", "family", "given"},
	"Location":          {"_id", "identifier", "name", "organization", "status"},
	"Organization":      {"_id", "identifier", "name"},
}

func (o *oracle) search(w http.ResponseWriter, r *http.Request, at address, typ string) {
	form, err := formOf(r)
	if err != nil {
		oraclePlain(w, http.StatusBadRequest, "Bad Request")
		return
	}
	if context := form.Get("-pageContext"); context != "" {
		o.turn(w, at, typ, context, form.Get("-pageDirection"))
		return
	}
	if complaint := oracleComplaint(typ, form); complaint != "" {
		oraclePlain(w, http.StatusBadRequest, complaint)
		return
	}
	wanted, err := parseSearch(typ, form, []string{"_count", "_format", "_revinclude"}, o.options.TimeZone)
	if err != nil {
		oracleRefuse(w, http.StatusBadRequest, issue{code: "value", diagnostics: err.Error()})
		return
	}
	if len(wanted.unknown) > 0 {
		oracleRefuse(w, http.StatusBadRequest, issue{code: "invalid", diagnostics: "Unsupported parameter: " + wanted.unknown[0]})
		return
	}
	var found []version
	o.store.view(func(t *tx) { found = wanted.run(t) })
	if typ == "Patient" && len(found) > oracleMost {
		oracleRefuse(w, http.StatusUnprocessableEntity, issue{code: "too-costly", diagnostics: "The search found more than 1000 patients"})
		return
	}
	preset := 20
	if typ == "DocumentReference" {
		preset = 10
	}
	first := o.pages.first(&pageSet{typ: typ, found: found, size: countOf(form, preset, 100), self: at.base + "/" + typ + "?" + r.URL.RawQuery})
	write(w, http.StatusOK, oracleType, oracleBundle(at, first))
}

// oracleComplaint says which rule for the parameters of a search is broken; empty when none is.
func oracleComplaint(typ string, form url.Values) string {
	anchors := oracleAnchors[typ]
	if !slices.ContainsFunc(anchors, func(name string) bool { return form.Get(name) != "" }) {
		return "At least one of these parameters is required: " + strings.Join(anchors, ", ")
	}
	for _, name := range sortedKeys(form) {
		if len(form[name]) > 1 && !(name == "date" && isRange(form[name])) {
			return "Parameter must not repeat: " + name
		}
	}
	switch typ {
	case "Appointment":
		if !form.Has("_id") && !form.Has("date") {
			return "Parameter date is required"
		}
		for _, value := range form["date"] {
			if prefix, date := cutPrefix(value); prefix == "" || !hasTime(date) {
				return "Parameter date needs a prefix and a time"
			}
		}
	case "DocumentReference":
		times := slices.DeleteFunc([]string{"date", "period", "_lastUpdated"}, func(name string) bool { return !form.Has(name) })
		if len(times) > 1 {
			return "These parameters exclude each other: " + strings.Join(times, ", ")
		}
	}
	return ""
}

// isRange tells whether two dates bound a range: one from below, the other from above.
func isRange(dates []string) bool {
	if len(dates) != 2 {
		return false
	}
	first, _ := cutPrefix(dates[0])
	second, _ := cutPrefix(dates[1])
	lower, upper := []string{"ge", "gt"}, []string{"le", "lt"}
	return slices.Contains(lower, first) && slices.Contains(upper, second) || slices.Contains(upper, first) && slices.Contains(lower, second)
}

// hasTime tells whether a date has a time and a zone.
func hasTime(date string) bool {
	_, clock, ok := strings.Cut(date, "T")
	return ok && strings.ContainsAny(clock, "Z+-")
}

// turn answers a paging link; its context is `<id>_<offset of the page>`.
func (o *oracle) turn(w http.ResponseWriter, at address, typ, context, direction string) {
	id, offset, _ := strings.Cut(context, "_")
	start, err := strconv.Atoi(offset)
	next, ok := o.pages.at(id, start)
	if err != nil || !ok || next.typ != typ || direction != "NEXT" && direction != "PREVIOUS" {
		oraclePlain(w, http.StatusBadRequest, "Invalid page context")
		return
	}
	write(w, http.StatusOK, oracleType, oracleBundle(at, next))
}

// oracleBundle writes a page of a searchset, without a total.
func oracleBundle(at address, p page) json.RawMessage {
	link := func(relation, direction string, offset int) json.RawMessage {
		query := "-pageContext=" + p.id + "_" + strconv.Itoa(offset) + "&-pageDirection=" + direction
		return obj("relation", relation, "url", at.links+"/"+p.typ+"?"+query)
	}
	links := []any{obj("relation", "self", "url", p.self)}
	if p.more() {
		links = append(links, link("next", "NEXT", p.end()))
	}
	if p.offset > 0 {
		links = append(links, link("previous", "PREVIOUS", max(p.offset-p.size, 0)))
	}
	var entries json.RawMessage
	if matches := p.entries(); len(matches) > 0 {
		list := make([]any, len(matches))
		for i, v := range matches {
			list[i] = obj("fullUrl", at.base+"/"+v.typ+"/"+v.id, "resource", v.raw, "search", obj("mode", "match"))
		}
		entries = arr(list...)
	}
	return obj("resourceType", "Bundle", "id", newUUID(), "type", "searchset", "link", arr(links...), "entry", entries)
}
