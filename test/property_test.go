package test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// TestIdentitiesAndLocators plants the hospital's own address wherever a
// resource may hold one: what a client would follow leads to the gateway, what
// names something keeps every byte.
func TestIdentitiesAndLocators(t *testing.T) {
	g := startGateway(t, options{})
	c := g.newClient(t, "e2e")
	own, public := g.Harbor.BaseURL(), g.url+"/fhir/harbor"
	patient := "/Patient/" + g.Harbor.IDs("Patient")[0]
	encoded := base64.StdEncoding.EncodeToString([]byte(own + patient))
	type object = map[string]any
	type list = []any
	created := c.call(http.MethodPost, "/fhir/harbor/DocumentReference", encode(t, object{
		"resourceType": "DocumentReference",
		"meta":         object{"profile": list{own + "/StructureDefinition/report"}},
		"text":         object{"status": "generated", "div": `<div xmlns="http://www.w3.org/1999/xhtml"><a href="` + own + patient + `">who</a></div>`},
		"contained": list{object{
			"resourceType": "Patient", "id": "inside",
			"identifier":           list{object{"system": own + "/mrn", "value": "1"}},
			"managingOrganization": object{"reference": own + "/Organization/1"},
		}},
		"extension": list{
			object{"url": own + "/StructureDefinition/uri", "valueUri": own + "/uri"},
			object{"url": own + "/StructureDefinition/url", "valueUrl": own + patient},
			object{"url": own + "/StructureDefinition/canonical", "valueCanonical": own + "/Questionnaire/1"},
			object{"url": own + "/StructureDefinition/reference", "valueReference": object{"reference": own + patient}},
			object{"url": own + "/StructureDefinition/attachment", "valueAttachment": object{"url": own + "/Binary/1"}},
		},
		"identifier": list{object{"system": own + "/report", "value": "2"}},
		"status":     "current",
		"subject":    object{"reference": own + patient},
		"author":     list{object{"reference": "#inside"}, object{"reference": "Practitioner/1"}},
		"content": list{
			object{"attachment": object{"contentType": "application/pdf", "url": own + "/Binary/1"}},
			object{"attachment": object{"contentType": "application/pdf", "url": "Binary/1"}},
			object{"attachment": object{"contentType": "text/plain", "data": encoded}},
		},
	}))
	created.ok(http.StatusCreated)
	read := c.get(created.Header.Get("Location")).ok(http.StatusOK)
	stored, found := g.Harbor.Resource("DocumentReference", read.Get("id").Str)
	require.True(t, found)
	for path, want := range map[string]string{
		"meta.profile.0":                  own + "/StructureDefinition/report",
		"text.div":                        `<div xmlns="http://www.w3.org/1999/xhtml"><a href="` + public + patient + `">who</a></div>`,
		"contained.0.identifier.0.system": own + "/mrn",
		"contained.0.managingOrganization.reference": public + "/Organization/1",
		"extension.0.url":                      own + "/StructureDefinition/uri",
		"extension.0.valueUri":                 own + "/uri",
		"extension.1.url":                      own + "/StructureDefinition/url",
		"extension.1.valueUrl":                 public + patient,
		"extension.2.valueCanonical":           own + "/Questionnaire/1",
		"extension.3.valueReference.reference": public + patient,
		"extension.4.valueAttachment.url":      public + "/Binary/1",
		"identifier.0.system":                  own + "/report",
		"subject.reference":                    public + patient,
		"author.0.reference":                   "#inside",
		"author.1.reference":                   "Practitioner/1",
		"content.0.attachment.url":             public + "/Binary/1",
		"content.1.attachment.url":             public + "/Binary/1#relative",
		"content.2.attachment.data":            encoded,
	} {
		require.Equal(t, want, read.Get(path).Str, path)
		asStored := strings.ReplaceAll(want, public, own)
		if strings.HasSuffix(want, "#relative") {
			asStored = "Binary/1"
		}
		require.Equal(t, asStored, gjson.GetBytes(stored, path).Str, "as the hospital has it: %s", path)
	}
}
