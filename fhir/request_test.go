package fhir

import (
	"net/http"
	"strings"
	"testing"
)

const patient = "Patient"

// TestParse holds every form of the RESTful API
// (https://hl7.org/fhir/R4/http.html#summary) and what is near to one.
func TestParse(t *testing.T) {
	type want struct {
		req    Request
		status int // 0 = the request
		allow  string
	}
	refused := func(status int) want { return want{status: status} }
	only := func(methods string) want { return want{status: http.StatusMethodNotAllowed, allow: methods} }
	is := func(req Request) want { return want{req: req} }
	instance := Request{Type: patient, ID: "1"}
	with := func(req Request, i Interaction) Request { req.Interaction = i; return req }
	for call, tc := range map[string]want{
		"GET ":           is(Request{Interaction: SearchSystem}),
		"HEAD ":          is(Request{Interaction: SearchSystem}),
		"POST ":          is(Request{Interaction: Batch}),
		"PUT ":           only("GET, POST"),
		"GET metadata":   is(Request{Interaction: Capabilities}),
		"POST metadata":  only("GET"),
		"GET metadata/x": refused(404),
		"GET _history":   is(Request{Interaction: HistorySystem}),
		"POST _history":  only("GET"),
		"POST _search":   is(Request{Interaction: SearchSystem, FormSearch: true}),
		"GET _search":    only("POST"),
		"POST $convert":  is(Request{Interaction: Operation, Operation: "$convert"}),
		"PUT $convert":   only("GET, POST"),
		"GET $a/b":       refused(404),

		"GET Patient":           is(Request{Interaction: SearchType, Type: patient}),
		"HEAD Patient":          is(Request{Interaction: SearchType, Type: patient}),
		"GET Patient?name=x":    is(Request{Interaction: SearchType, Type: patient}),
		"POST Patient":          is(Request{Interaction: Create, Type: patient}),
		"PUT Patient?_id=1":     is(Request{Interaction: Update, Type: patient, Conditional: true}),
		"PATCH Patient?_id=1":   is(Request{Interaction: Patch, Type: patient, Conditional: true}),
		"DELETE Patient?_id=1":  is(Request{Interaction: Delete, Type: patient, Conditional: true}),
		"DELETE Patient":        refused(400),
		"DELETE Patient?_id=":   refused(400),
		"TRACE Patient":         only("GET, POST, PUT, PATCH, DELETE"),
		"POST Patient/_search":  is(Request{Interaction: SearchType, Type: patient, FormSearch: true}),
		"GET Patient/_search":   only("POST"),
		"GET Patient/_history":  is(Request{Interaction: HistoryType, Type: patient}),
		"POST Patient/$match":   is(Request{Interaction: Operation, Type: patient, Operation: "$match"}),
		"DELETE Patient/$match": only("GET, POST"),
		"GET Patient/$":         refused(404),
		"GET Patient/$a b":      refused(404),
		"GET patient":           refused(404),
		"GET Resource":          refused(404),
		"GET DomainResource/1":  refused(404),
		"GET Patient ":          refused(404),
		"GET /Patient":          refused(404),

		"GET Patient/1":               is(with(instance, Read)),
		"HEAD Patient/1":              is(with(instance, Read)),
		"PUT Patient/1":               is(with(instance, Update)),
		"PATCH Patient/1":             is(with(instance, Patch)),
		"DELETE Patient/1":            is(with(instance, Delete)),
		"POST Patient/1":              only("GET, PUT, PATCH, DELETE"),
		"GET Patient/a_b-c.D9":        is(Request{Interaction: Read, Type: patient, ID: "a_b-c.D9"}),
		"GET Patient/..":              refused(400),
		"GET Patient/.":               refused(400),
		"GET Patient/":                refused(400),
		"GET Patient/a b":             refused(400),
		"GET Patient/é":               refused(400),
		"GET Patient/1/_history":      is(with(instance, HistoryInstance)),
		"PUT Patient/1/_history":      only("GET"),
		"GET Patient/1/_history/2":    is(Request{Interaction: VRead, Type: patient, ID: "1", Version: "2"}),
		"PUT Patient/1/_history/2":    only("GET"),
		"GET Patient/1/_history/..":   refused(404),
		"GET Patient/1/_history/2/3":  refused(404),
		"GET Patient/1/$everything":   is(Request{Interaction: Operation, Type: patient, ID: "1", Operation: "$everything"}),
		"GET Patient/1/$a/b":          refused(404),
		"GET Patient/1/Observation":   is(Request{Interaction: SearchType, Type: "Observation", ID: "1", Compartment: patient}),
		"POST Patient/1/Observation":  only("GET"),
		"GET Patient/1/observation":   refused(404),
		"GET Patient/1/Observation/2": refused(404),
	} {
		t.Run(call, func(t *testing.T) {
			method, target, _ := strings.Cut(call, " ")
			path, query, _ := strings.Cut(target, "?")
			req, err := Parse(method, path, http.Header{}, query)
			if tc.status == 0 {
				if err != nil || req != tc.req {
					t.Fatalf("got %+v, %v", req, err)
				}
				return
			}
			refusal, ok := err.(*Error) //nolint:errorlint // Parse promises this type
			if !ok || refusal.Status != tc.status || refusal.Header.Get("Allow") != tc.allow {
				t.Fatalf("got %+v, %v", req, err)
			}
			for _, segment := range strings.Split(path, "/")[1:] {
				if len(segment) > 4 && strings.Contains(refusal.Text, segment) && !strings.HasPrefix(segment, "_") {
					t.Fatalf("the text holds what was asked: %s", refusal.Text)
				}
			}
		})
	}
}

func TestConditionsOfACreate(t *testing.T) {
	for name, tc := range map[string]struct {
		values      []string
		conditional bool
		refused     bool
	}{
		"none":           {nil, false, false},
		"empty":          {[]string{""}, false, false},
		"one":            {[]string{"identifier=x"}, true, false},
		"question mark":  {[]string{"?identifier=x"}, true, false},
		"nothing":        {[]string{"?"}, true, true},
		"a form":         {[]string{"_format=json"}, true, true},
		"two":            {[]string{"identifier=x", "identifier=y"}, true, true},
		"one that hides": {[]string{"", "identifier=x"}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := Parse("POST", patient, http.Header{"If-None-Exist": tc.values}, "")
			if req.Conditional != tc.conditional || (err != nil) != tc.refused {
				t.Fatalf("got %+v, %v", req, err)
			}
		})
	}
}

func TestSelects(t *testing.T) {
	for query, want := range map[string]bool{
		"": false, "&": false, "=": false, "name": false, "name=": false, "name=%20": false, "name=,": false, "=x": false, "_format=json": false,
		"_include:iterate=Patient:link": false, "_count=1&_sort=name": false, "%5Fformat=json": false, "na%zz=x": false, "name=%zz": false,
		"name=x": true, "_format=json&name=x": true, "name:exact=x": true, "_id=1": true, "_lastUpdated=gt2020": true, "a:missing=true": true,
	} {
		if Selects(query) != want {
			t.Errorf("Selects(%q) = %v", query, !want)
		}
	}
}

// FuzzParse looks for panics, and for requests whose path would be read in
// another way than the one that they were made of.
func FuzzParse(f *testing.F) {
	for _, path := range []string{"", "metadata", "_history", "_search", "$x", "Patient", "Patient/1", "Patient/_search", "Patient/1/_history/2", "Patient/1/$everything", "Patient/1/Observation", "Patient/..", "a/b/c/d/e"} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "get"} {
			f.Add(method, path, "name=x")
		}
	}
	f.Fuzz(func(t *testing.T, method, path, query string) {
		req, err := Parse(method, path, http.Header{}, query)
		if err != nil {
			if refusal, ok := err.(*Error); !ok || refusal.Status < 400 || refusal.Status > 499 { //nolint:errorlint // Parse promises this type
				t.Fatalf("error %v", err)
			}
			return
		}
		if req.Path() != path {
			t.Fatalf("%q became %q", path, req.Path())
		}
		again, err := Parse(method, req.Path(), http.Header{}, query)
		if err != nil || again != req {
			t.Fatalf("%+v became %+v, %v", req, again, err)
		}
	})
}
