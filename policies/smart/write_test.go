package smart

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"fhirgate/fhir"
)

func gjsonOf(resource string) gjson.Result { return gjson.Parse(resource) }

func (c caller) write(t testing.TB, i fhir.Interaction, typ string) Permission {
	t.Helper()
	p, err := c.access(t).Check(fhir.Request{Interaction: i, Type: typ, ID: "1"}, "")
	require.NoError(t, err)
	return p
}

// TestWrites holds which content may be sent and which resource be changed.
func TestWrites(t *testing.T) {
	const (
		draft = `{"resourceType":"Task","status":"draft"}`
		ready = `{"resourceType":"Task","status":"ready"}`
		other = `{"resourceType":"Patient","status":"draft"}`
	)
	for _, i := range []fhir.Interaction{fhir.Create, fhir.Update, fhir.Delete} {
		p := caller{scopes: "system/Task.cud?status=draft system/Task.r"}.write(t, i, "Task")
		require.False(t, p.Free(), "%s: its content must be looked at", i)
		require.Equal(t, i != fhir.Create, p.NeedsPresent(), "%s", i)
		require.NoError(t, p.Changes([]byte(draft)))
		require.Equal(t, 403, status(t, p.Changes([]byte(ready))))
		require.Equal(t, 403, status(t, p.Changes([]byte(other))))
		require.Equal(t, 403, status(t, p.Changes(nil)))
		if i == fhir.Delete {
			continue
		}
		require.NoError(t, p.Sends([]byte(draft)))
		require.Equal(t, 403, status(t, p.Sends([]byte(ready))))
		require.Equal(t, 403, status(t, p.Sends([]byte(`{"resourceType":"Task","status":"draft","status":"ready"}`))))
		require.Equal(t, 403, status(t, p.Sends([]byte(`<Task/>`))))
	}
	open := caller{scopes: "system/Task.cud"}.write(t, fhir.Update, "Task")
	require.False(t, open.NeedsPresent())
	require.NoError(t, open.Sends([]byte(`anything`)))
}

func TestWritesForAPatient(t *testing.T) {
	c := caller{scopes: "patient/*.cruds", holder: Holder{Patient: "1"}}
	create := c.write(t, fhir.Create, "Observation")
	require.NoError(t, create.Sends([]byte(`{"resourceType":"Observation","subject":{"reference":"Patient/1"}}`)))
	require.Error(t, create.Sends([]byte(`{"resourceType":"Observation","subject":{"reference":"Patient/2"},"performer":[{"reference":"Patient/1"}]}`)))
	require.Error(t, create.Sends([]byte(`{"resourceType":"Observation","status":"final"}`)))
	book := c.write(t, fhir.Create, "Appointment")
	for with, allowed := range map[string]bool{
		"Practitioner/1": true, "https://elsewhere.example/Practitioner/1": true, "urn:uuid:6f6b2c1e-0d7f-4a53-9a67-6b8d4a3a9d10": true,
		"Patient/2": false, "https://elsewhere.example/Patient/2": false, "/Patient/2": false, "Patient?identifier=2": false,
	} {
		err := book.Sends([]byte(`{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/1"}},{"actor":{"reference":"` + with + `"}}]}`))
		require.Equal(t, allowed, err == nil, with)
	}
	for typ, i := range map[string]fhir.Interaction{"Patient": fhir.Create, "Practitioner": fhir.Update, "Binary": fhir.Create} {
		_, err := c.access(t).Check(fhir.Request{Interaction: i, Type: typ, ID: "1"}, "")
		require.Equal(t, 403, status(t, err), typ)
	}
}

func TestMayReturn(t *testing.T) {
	for scopes, want := range map[string]bool{
		"system/Task.c":  false,
		"system/Task.cs": false,
		"system/Task.cr": true,
		"system/*.cruds": true,
		"system/Task.c system/Task.r?status=draft": true,
	} {
		p := caller{scopes: scopes}.write(t, fhir.Create, "Task")
		require.Equal(t, want, p.MayReturn("Task"), scopes)
	}
	p := caller{scopes: "system/Task.c system/Task.r?status=draft"}.write(t, fhir.Create, "Task")
	require.False(t, p.Free())
	require.True(t, p.Sees([]byte(`{"resourceType":"Task","status":"draft"}`)))
	require.False(t, p.Sees([]byte(`{"resourceType":"Task","status":"ready"}`)))
	require.NoError(t, p.Sends([]byte(`{"resourceType":"Task","status":"ready"}`)), "c has no constraint")
}

// TestPatches holds which JSON patches leave alone what decides.
func TestPatches(t *testing.T) {
	tasks := caller{scopes: "system/Task.u?status=draft&_tag=a"}
	mine := caller{scopes: "patient/*.u", holder: Holder{Patient: "1"}}
	for _, tc := range []struct {
		who   caller
		patch string
		ok    bool
	}{
		{tasks, `[{"op":"replace","path":"/description","value":"x"}]`, true},
		{tasks, ` [{"op":"add","path":"/input/-","value":{"status":"x"}}]`, true},
		{tasks, `[{"op":"replace","path":"/statusReason","value":{}}]`, true},
		{tasks, `[]`, true},
		{tasks, `[{"op":"replace","path":"/status","value":"ready"}]`, false},
		{tasks, `[{"op":"replace","path":"/Status","value":"ready"}]`, false},
		{tasks, `[{"op":"replace","path":"/\u0073tatus","value":"ready"}]`, false},
		{tasks, `[{"op":"add","path":"/meta/tag/-","value":{}}]`, false},
		{tasks, `[{"op":"remove","path":"/meta"}]`, false},
		{tasks, `[{"op":"replace","path":"","value":{}}]`, false},
		{tasks, `[{"op":"replace","path":"status","value":{}}]`, false},
		{tasks, `[{"op":"move","from":"/status","path":"/description"}]`, false},
		{tasks, `[{"op":"move","from":"/description","path":"/status"}]`, false},
		{tasks, `[{"op":"replace","path":"/resourceType","value":"Patient"}]`, false},
		{tasks, `[{"op":"replace","path":"/id","value":"2"}]`, false},
		{tasks, `[{"op":"replace","path":"/description","path":"/status","value":"x"}]`, false},
		{tasks, `[{"op":"replace","path":"/description","Path":"/status","value":"x"}]`, false},
		{tasks, `[{"op":"replace","value":"x"}]`, false},
		{tasks, `[{"op":"replace","path":1}]`, false},
		{tasks, `["x"]`, false},
		{tasks, `{"resourceType":"Parameters"}`, false},
		{tasks, `[{"op":"replace"`, false},
		{tasks, ``, false},
		{mine, `[{"op":"replace","path":"/status","value":"ready"}]`, true},
		{mine, `[{"op":"replace","path":"/subject","value":{"reference":"Patient/2"}}]`, false},
		{mine, `[{"op":"replace","path":"/subject/reference","value":"Patient/2"}]`, false},
	} {
		t.Run(tc.patch, func(t *testing.T) {
			typ := "Task"
			if tc.who.holder.Patient != "" {
				typ = "ServiceRequest"
			}
			p := tc.who.write(t, fhir.Patch, typ)
			require.True(t, p.NeedsPresent())
			require.Equal(t, tc.ok, p.Sends([]byte(tc.patch)) == nil)
		})
	}
}

func TestListsAreGuarded(t *testing.T) {
	access := caller{scopes: "patient/*.u system/Account.u?_tag=a", holder: Holder{Patient: "1"}}.access(t)
	elements := access.guarded("Account", Update)
	require.True(t, elements.touchedBy("/subject/0"))
	require.True(t, elements.touchedBy("/meta/tag/-"))
	require.False(t, elements.touchedBy("/name"))
}

// TestConditionalWrites holds that what a condition finds is never hidden.
func TestConditionalWrites(t *testing.T) {
	for _, tc := range []struct {
		scopes      string
		interaction fhir.Interaction
		status      int
	}{
		{"system/Task.cs", fhir.Create, 0},
		{"system/Task.c", fhir.Create, 403},
		{"system/Task.c?status=draft system/Task.s", fhir.Create, 0},
		{"system/Task.c system/Task.s?status=draft", fhir.Create, 403},
		{"system/Task.cus", fhir.Update, 0},
		{"system/Task.us", fhir.Update, 403},
		{"system/Task.cu", fhir.Update, 403},
		{"system/Task.cus?status=draft", fhir.Update, 403},
		{"system/Task.us", fhir.Patch, 0},
		{"system/Task.u", fhir.Patch, 403},
		{"system/Task.us?status=draft", fhir.Patch, 403},
		{"system/Task.ds", fhir.Delete, 0},
		{"system/Task.d", fhir.Delete, 403},
		{"system/Task.ds?status=draft", fhir.Delete, 403},
	} {
		t.Run(string(tc.interaction)+" "+tc.scopes, func(t *testing.T) {
			req := fhir.Request{Interaction: tc.interaction, Type: "Task", Conditional: true}
			p, err := caller{scopes: tc.scopes}.access(t).Check(req, "", "status=draft")
			require.Equal(t, tc.status, status(t, err))
			require.False(t, p.NeedsPresent())
			_, err = caller{scopes: tc.scopes}.access(t).Check(req, "", "patient.name=x")
			require.Equal(t, 403, status(t, err), "a chain in the condition")
		})
	}
	p, err := caller{scopes: "system/Task.c?status=draft system/Task.s"}.access(t).Check(fhir.Request{Interaction: fhir.Create, Type: "Task", Conditional: true}, "", "_id=1")
	require.NoError(t, err)
	require.NoError(t, p.Sends([]byte(`{"resourceType":"Task","status":"draft"}`)))
	require.Error(t, p.Sends([]byte(`{"resourceType":"Task","status":"ready"}`)))
}
