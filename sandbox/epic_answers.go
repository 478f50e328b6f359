package sandbox

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

const epicCodes = "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369"

const epicLostPage = `<!DOCTYPE html>
<html>
<head><title>404 - File or directory not found.</title></head>
<body>
<div id="header"><h1>Server Error</h1></div>
<h2>404 - File or directory not found.</h2>
<h3>What you are looking for might have been removed, had its name changed, or is temporarily unavailable.</h3>
</body>
</html>
`

// stampID sets the id alone: Epic sends neither meta nor versions.
func stampID(raw json.RawMessage, id string, _ int, _ time.Time) (json.RawMessage, error) {
	return setID(raw, id)
}

func epicLost(w http.ResponseWriter) {
	write(w, http.StatusNotFound, "text/html", []byte(epicLostPage))
}

func epicRefuseMethod(w http.ResponseWriter) {
	w.Header().Set("Allow", "GET, POST")
	write(w, http.StatusMethodNotAllowed, "text/html", []byte("<html><body><h2>405 - HTTP verb used to access this page is not allowed.</h2></body></html>\n"))
}

// epicRefuse sends an OperationOutcome with a coding of Epic's.
func epicRefuse(w http.ResponseWriter, status int, why issue) {
	why.severity, why.system = "fatal", epicCodes
	write(w, status, epicType, outcome(why))
}

// epicBundle writes a page of a searchset: next before self, total counting the page, and what the server has to say as a last entry.
func epicBundle(at address, p page, unknown []string) json.RawMessage {
	var links []any
	if p.more() {
		links = append(links, obj("relation", "next", "url", at.links+"/"+p.typ+"?sessionID="+strconv.Itoa(p.end())+"-"+p.id))
	}
	links = append(links, obj("relation", "self", "url", p.self))
	var entries []any
	for _, v := range p.entries() {
		full := at.base + "/" + v.typ + "/" + v.id
		entries = append(entries, obj("link", arr(obj("relation", "self", "url", full)), "fullUrl", full, "resource", v.raw, "search", obj("mode", "match")))
	}
	matches := len(entries)
	entries = append(entries, obj("fullUrl", "urn:uuid:"+newUUID(), "resource", epicRemarks(p, unknown), "search", obj("mode", "outcome")))
	return obj("resourceType", "Bundle", "type", "searchset", "total", matches, "link", arr(links...), "entry", arr(entries...))
}

// epicRemarks is the OperationOutcome at the end of each searchset.
func epicRemarks(p page, unknown []string) json.RawMessage {
	var issues []issue
	if len(p.found) == 0 {
		issues = append(issues, issue{detail: "4101", display: "Resource request returns no results."})
	}
	for _, name := range unknown {
		issues = append(issues, issue{detail: "59103", display: "An unknown parameter was ignored.", diagnostics: "Unknown parameter: " + name})
	}
	if p.typ == "Observation" || p.typ == "DocumentReference" {
		issues = append(issues, issue{
			code: "suppressed", detail: "59204",
			display:     "The authenticated client's search request applies to a sub-resource that the client is not authorized for. Results of this sub-type will not be returned.",
			diagnostics: "Client not authorized for a sub-type of " + p.typ + ". Search results of this type have not been included.",
		})
	}
	issues = append(issues, issue{
		detail:  "4119",
		display: "This response includes information available to the authorized user at the time of the request. It may not contain the entire record available in the system.",
	})
	for i := range issues {
		issues[i].severity, issues[i].system = "warning", epicCodes
		if issues[i].code == "" {
			issues[i].code = "processing"
		}
	}
	return outcome(issues...)
}
