package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// hapiControl are the parameters that shape a searchset without selecting from it.
var hapiControl = []string{
	"_count", "_sort", "_include", "_format", "_pretty", "_total", "_summary", "_elements", "_offset", "_getpages", "_getpagesoffset", "_bundletype",
}

func (h hapi) read(t *tx, a interaction, typ, id string) reply {
	found, ok := t.get(typ, id)
	if refused, bad := hapiGone(found, ok); bad {
		return refused
	}
	since, err := http.ParseTime(a.header.Get("If-Modified-Since"))
	if a.header.Get("If-None-Match") == etag(found) || err == nil && !found.at.Truncate(time.Second).After(since) {
		return reply{status: http.StatusNotModified, header: versionHeaders(found)}
	}
	return show(a, found, http.StatusOK)
}

func (h hapi) vread(t *tx, a interaction, typ, id, number string) reply {
	for _, v := range t.versions(typ, id) {
		if strconv.Itoa(v.number) != number {
			continue
		}
		if refused, bad := hapiGone(v, true); bad {
			return refused
		}
		return show(a, v, http.StatusOK)
	}
	return refusal(http.StatusNotFound, "not-found", "HAPI-0979: Version is not known")
}

// hapiGone refuses what never was (404) and what was deleted (410).
func hapiGone(v version, ok bool) (reply, bool) {
	switch {
	case !ok:
		return refusal(http.StatusNotFound, "not-found", "HAPI-2001: Resource is not known"), true
	case v.deleted():
		gone := refusal(http.StatusGone, "deleted", "HAPI-1998: Resource was deleted at "+v.at.UTC().Format(time.RFC3339))
		gone.header = http.Header{"Location": {v.typ + "/" + v.id + "/_history/" + strconv.Itoa(v.number)}}
		return gone, true
	}
	return reply{}, false
}

// show replies with a version; a Binary as it is unless the client asks for FHIR.
func show(a interaction, v version, status int) reply {
	header := versionHeaders(v)
	header.Set("Content-Location", versionURL(a.at, v))
	return reply{status: status, header: header, body: v.raw, blob: v.blob, asJSON: strings.Contains(a.header.Get("Accept"), "json")}
}

func versionHeaders(v version) http.Header {
	return http.Header{"Etag": {etag(v)}, "Last-Modified": {v.at.UTC().Format(http.TimeFormat)}}
}

func versionURL(at address, v version) string {
	return at.base + "/" + v.typ + "/" + v.id + "/_history/" + strconv.Itoa(v.number)
}

func (h hapi) search(t *tx, a interaction, typ string) reply {
	wanted, refused := h.wanted(typ, a.form)
	if refused != nil {
		return *refused
	}
	found := wanted.run(t)
	h.sort(found, a.form.Get("_sort"), typ)
	set := &pageSet{typ: typ, found: found, size: countOf(a.form, hapiPage, hapiMost), self: a.at.base + "/" + typ + "?" + a.query, includes: a.form["_include"]}
	if a.form.Get("_count") == "0" || a.form.Get("_summary") == "count" {
		set.size = 0
	}
	return reply{status: http.StatusOK, body: hapiSearchset(t, a.at, h.pages.first(set))}
}

// wanted reads search parameters; a reply in their place refuses them.
func (h hapi) wanted(typ string, form url.Values) (search, *reply) {
	wanted, err := parseSearch(typ, form, hapiControl, h.options.TimeZone)
	var bad badValue
	switch {
	case errors.As(err, &bad):
		answer := refusal(http.StatusBadRequest, "processing", "HAPI-1882: Invalid date/time format in parameter "+bad.name)
		return wanted, &answer
	case len(wanted.unknown) > 0:
		answer := refusal(http.StatusBadRequest, "processing", `HAPI-0524: Unknown search parameter "`+wanted.unknown[0]+`" for resource type "`+typ+
			`". Valid search parameters for this search are: [`+strings.Join(paramNames(typ), ", ")+"]")
		return wanted, &answer
	}
	return wanted, nil
}

// sort orders found by one parameter, descending with a minus before its name; an unknown one leaves the order.
func (h hapi) sort(found []version, by, typ string) {
	name, descending := strings.CutPrefix(by, "-")
	p, ok := lookupParam(typ, name)
	if !ok {
		return
	}
	keys := make(map[int]string, len(found))
	for _, v := range found {
		elements := elementsOf(v.raw, p.paths)
		if len(elements) == 0 {
			continue
		}
		keys[v.seq] = strings.ToLower(elements[0].String())
		if at, isDate := spanOf(elements[0], h.options.TimeZone); p.kind == kindDate && isDate {
			keys[v.seq] = at.low.UTC().Format(time.RFC3339Nano)
		}
	}
	slices.SortStableFunc(found, func(a, b version) int {
		if descending {
			a, b = b, a
		}
		return strings.Compare(keys[a.seq], keys[b.seq])
	})
}

// included adds to related what matches refer to by `Type:parameter`, each resource once.
func included(t *tx, related, matches []version, include string) []version {
	parts := strings.SplitN(include, ":", 3)
	if len(parts) < 2 {
		return related
	}
	p, ok := lookupParam(parts[0], parts[1])
	if !ok || p.kind != kindReference {
		return related
	}
	for _, match := range matches {
		for _, element := range elementsOf(match.raw, p.paths) {
			typ, id := lastTwo(element.Get("reference").Str)
			v, ok := t.get(typ, id)
			same := func(other version) bool { return other.seq == v.seq }
			if !ok || v.deleted() || p.target != "" && p.target != typ || slices.ContainsFunc(related, same) || slices.ContainsFunc(matches, same) {
				continue
			}
			related = append(related, v)
		}
	}
	return related
}

// turn answers a paging link, which hangs at the base whatever the type.
func (h hapi) turn(t *tx, a interaction) reply {
	offset, err := strconv.Atoi(a.form.Get("_getpagesoffset"))
	next, ok := h.pages.at(a.form.Get("_getpages"), offset)
	if err != nil || !ok {
		return refusal(http.StatusGone, "processing", "HAPI-0418: Search ID does not exist and may have expired")
	}
	if a.form.Get("_bundletype") == "history" {
		return reply{status: http.StatusOK, body: hapiHistory(a.at, next)}
	}
	return reply{status: http.StatusOK, body: hapiSearchset(t, a.at, next)}
}

func hapiLinks(at address, p page, kind string) json.RawMessage {
	link := func(relation string, offset int) json.RawMessage {
		return obj("relation", relation, "url", at.links+"?_getpages="+p.id+"&_getpagesoffset="+strconv.Itoa(offset)+"&_count="+strconv.Itoa(p.size)+"&_bundletype="+kind)
	}
	links := []any{obj("relation", "self", "url", p.self)}
	if p.more() {
		links = append(links, link("next", p.end()))
	}
	if p.offset > 0 {
		links = append(links, link("previous", max(p.offset-p.size, 0)))
	}
	return arr(links...)
}

func hapiSearchset(t *tx, at address, p page) json.RawMessage {
	var entries []any
	add := func(v version, mode string) {
		entries = append(entries, obj("fullUrl", at.base+"/"+v.typ+"/"+v.id, "resource", v.raw, "search", obj("mode", mode)))
	}
	for _, v := range p.entries() {
		add(v, "match")
	}
	var related []version
	for _, include := range p.includes {
		related = included(t, related, p.entries(), include)
	}
	for _, v := range related {
		add(v, "include")
	}
	return obj("resourceType", "Bundle", "id", newUUID(), "type", "searchset", "total", len(p.found), "link", hapiLinks(at, p, "searchset"), "entry", entryList(entries))
}

// entryList is nil when there are no entries: FHIR forbids empty arrays.
func entryList(entries []any) json.RawMessage {
	if len(entries) == 0 {
		return nil
	}
	return arr(entries...)
}

// history replies with versions, newest first: of one resource, of a type, or of all.
func (h hapi) history(t *tx, a interaction, typ, id string) reply {
	found := t.everything(typ)
	if id != "" {
		found = slices.DeleteFunc(found, func(v version) bool { return v.id != id })
		if len(found) == 0 {
			return refusal(http.StatusNotFound, "not-found", "HAPI-2001: Resource is not known")
		}
	}
	if since := a.form.Get("_since"); since != "" {
		from, err := parseSpan(since, h.options.TimeZone)
		if err != nil {
			return refusal(http.StatusBadRequest, "processing", "HAPI-1882: Invalid date/time format in parameter _since")
		}
		found = slices.DeleteFunc(found, func(v version) bool { return v.at.Before(from.low) })
	}
	self := strings.TrimSuffix(a.at.base+"/"+strings.Join(a.segments, "/")+"?"+a.query, "?")
	first := h.pages.first(&pageSet{typ: typ, found: found, size: countOf(a.form, hapiPage, hapiMost), self: self})
	return reply{status: http.StatusOK, body: hapiHistory(a.at, first)}
}

func hapiHistory(at address, p page) json.RawMessage {
	var entries []any
	for _, v := range p.entries() {
		status, target := "200 OK", v.typ+"/"+v.id
		switch {
		case v.number == 1 && v.method == http.MethodPost:
			status, target = "201 Created", v.typ
		case v.number == 1:
			status = "201 Created"
		case v.deleted():
			status = "204 No Content"
		}
		entries = append(entries, obj("fullUrl", at.base+"/"+v.typ+"/"+v.id, "resource", v.raw,
			"request", obj("method", v.method, "url", target),
			"response", obj("status", status, "etag", etag(v), "lastModified", v.at.UTC().Format("2006-01-02T15:04:05.000-07:00"))))
	}
	return obj("resourceType", "Bundle", "id", newUUID(), "type", "history", "total", len(p.found), "link", hapiLinks(at, p, "history"), "entry", entryList(entries))
}

// everything replies with a patient and all that refers to it (https://hl7.org/fhir/R4/patient-operation-everything.html).
func (h hapi) everything(t *tx, a interaction, id string) reply {
	patient, ok := t.get("Patient", id)
	if refused, bad := hapiGone(patient, ok); bad {
		return refused
	}
	found := []version{patient}
	for _, typ := range []string{"Appointment", "DocumentReference", "Encounter", "Observation"} {
		wanted, _ := parseSearch(typ, url.Values{"patient": {id}}, nil, h.options.TimeZone)
		found = append(found, wanted.run(t)...)
	}
	self := a.at.base + "/Patient/" + id + "/$everything"
	first := h.pages.first(&pageSet{typ: "Patient", found: found, size: countOf(a.form, hapiMost, hapiMost), self: self})
	return reply{status: http.StatusOK, body: hapiSearchset(t, a.at, first)}
}

// validate accepts any JSON resource of the type (https://hl7.org/fhir/R4/resource-operation-validate.html).
func (h hapi) validate(a interaction, typ string) reply {
	resource := gjson.ParseBytes(a.body)
	if resource.Get("resourceType").Str == "Parameters" {
		resource = resource.Get(`parameter.#(name=="resource").resource`)
	}
	if !gjson.ValidBytes(a.body) || resource.Get("resourceType").Str != typ {
		return refusal(http.StatusBadRequest, "structure", "HAPI-0450: Failed to parse the resource")
	}
	return reply{status: http.StatusOK, body: outcome(issue{severity: "information", code: "informational", diagnostics: "No issues detected during validation"})}
}
