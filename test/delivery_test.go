package test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// delivery is a report on its way to a hospital.
type delivery struct {
	subject, encounter string // references
	at                 string // an instant
	pdf                []byte
}

// document is a DocumentReference that any of the hospitals takes.
func document(d delivery) map[string]any {
	return map[string]any{
		"resourceType": "DocumentReference",
		"status":       "current",
		"docStatus":    "final",
		"type":         map[string]any{"coding": []any{map[string]any{"system": "http://loinc.org", "code": "18748-4"}}},
		"subject":      map[string]any{"reference": d.subject},
		"date":         d.at,
		"content": []any{map[string]any{"attachment": map[string]any{
			"contentType": "application/pdf", "data": base64.StdEncoding.EncodeToString(d.pdf), "title": "CT Chest", "creation": d.at,
		}}},
		"context": map[string]any{"encounter": []any{map[string]any{"reference": d.encounter}}},
	}
}

// deliverAndCorrect sends a report about a visit to a hospital, reads it back
// from the Location that came, and takes it back where the hospital can.
func deliverAndCorrect(t *testing.T, c *client, day hospitalDay) {
	base := c.url + "/fhir/" + day.id
	visit, ok := day.simulated(c.gateway).Resource("Encounter", day.simulated(c.gateway).IDs("Encounter")[2])
	require.True(t, ok)
	report := delivery{
		// As a client knows it: at the gateway.
		subject:   base + "/" + gjson.GetBytes(visit, "subject.reference").Str,
		encounter: base + "/Encounter/" + gjson.GetBytes(visit, "id").Str,
		at:        time.Now().UTC().Format(time.RFC3339),
		pdf:       []byte("%PDF-1.7 a report of the tests"),
	}
	created := c.call(http.MethodPost, "/fhir/"+day.id+"/DocumentReference", encode(t, day.deliver(report)))
	created.ok(http.StatusCreated)
	location := created.Header.Get("Location")
	require.True(t, strings.HasPrefix(location, base+"/DocumentReference/"), "Location: %q", location)
	id, _, _ := strings.Cut(strings.TrimPrefix(location, base+"/DocumentReference/"), "/")

	stored, ok := day.simulated(c.gateway).Resource("DocumentReference", id)
	require.True(t, ok, "the hospital has the report")
	require.NotContains(t, string(stored), c.url, "the hospital never sees the gateway's address")
	require.Contains(t, []string{ // as the vendor's rules write references
		day.simulated(c.gateway).BaseURL() + "/" + gjson.GetBytes(visit, "subject.reference").Str,
		gjson.GetBytes(visit, "subject.reference").Str,
	}, gjson.GetBytes(stored, "subject.reference").Str)

	read := c.get(location)
	resource := read.ok(http.StatusOK)
	data, err := base64.StdEncoding.DecodeString(resource.Get("content.0.attachment.data").Str)
	require.NoError(t, err)
	require.Equal(t, report.pdf, data)
	require.Contains(t, report.subject, resource.Get("subject.reference").Str)

	switch day.id {
	case "lakeside":
		c.call(http.MethodPut, "/fhir/lakeside/DocumentReference/"+id, string(read.body)).refused(http.StatusForbidden, "not-supported")
	case "harbor":
		correct(t, c, base+"/DocumentReference/"+id, read, "amended", false)
	case "st-mary":
		corrected := correct(t, c, base+"/DocumentReference/"+id, read, "amended", true)
		correct(t, c, base+"/DocumentReference/"+id, corrected, "entered-in-error", true)
	}
}

// correct updates a report to a status, once with the version it was read with
// and once more with the same, stale one. A hospital that is strict changes
// nothing without a version.
func correct(t *testing.T, c *client, target string, read answer, status string, strict bool) answer {
	t.Helper()
	var resource map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(read.body, &resource))
	resource["docStatus"] = json.RawMessage(`"` + status + `"`)
	body, version := encode(t, resource), read.Header.Get("ETag")
	require.NotEmpty(t, version)
	if strict {
		meta := resource["meta"]
		delete(resource, "meta") // by which the vendor's rules know the version
		c.call(http.MethodPut, target, encode(t, resource)).refused(http.StatusPreconditionRequired, "required")
		resource["meta"] = meta
	}
	c.call(http.MethodPut, target, body, "If-Match", version).ok(http.StatusOK)
	c.call(http.MethodPut, target, body, "If-Match", version).refused(http.StatusPreconditionFailed, "conflict")
	again := c.get(target)
	require.Equal(t, status, again.ok(http.StatusOK).Get("docStatus").Str)
	require.NotEqual(t, version, again.Header.Get("ETag"))
	return again
}
