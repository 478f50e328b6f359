package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Code systems of the elements.
const (
	dicom        = "http://dicom.nema.org/resources/ontology/DCM"
	eventTypes   = "http://terminology.hl7.org/CodeSystem/audit-event-type"
	interactions = "http://hl7.org/fhir/restful-interaction"
	entityTypes  = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
	objectRoles  = "http://terminology.hl7.org/CodeSystem/object-role"
	sourceTypes  = "http://terminology.hl7.org/CodeSystem/security-source-type"
	participants = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	provenance   = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
	actReasons   = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
	balpEntities = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
	balpProfile  = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
)

// Systems of our own identifiers.
const (
	nodeSystem     = "urn:fhirgate:node"
	consumerSystem = "urn:fhirgate:consumer"
	hospitalSystem = "urn:fhirgate:hospital"
	userSystem     = "urn:fhirgate:on-behalf-of"
	hashSystem     = "urn:fhirgate:audit:hmac-sha256:" // and the hospital
)

// form is how BALP records a kind of interaction.
type form struct {
	action         string // of AuditEvent.action
	profile        string // of BALP for a call that succeeded, or ""
	client, server coding // the types of these agents
	user           coding // the type of the person's agent
}

var (
	sourceRole      = coding{dicom, "110153"}
	destinationRole = coding{dicom, "110152"}
	recipient       = coding{participants, "IRCP"}
	author          = coding{participants, "AUT"}
)

// formOf tells the form of an interaction. Who sends the data is its source:
// the server of a read, the client of a write. In a query BALP takes the
// parameters for the data. It has profiles for what has a code of its own here.
func formOf(interaction string) form {
	switch interaction {
	case "read", "vread":
		return form{"R", "Read", destinationRole, sourceRole, recipient}
	case "history-instance", "history-type", "history-system", "capabilities":
		return form{"R", "", destinationRole, sourceRole, recipient}
	case "create":
		return form{"C", "Create", sourceRole, destinationRole, author}
	case "update", "patch":
		return form{"U", "Update", sourceRole, destinationRole, author}
	case "delete":
		return form{"D", "Delete", coding{dicom, "110150"}, coding{provenance, "custodian"}, author}
	case "search-type", "search-system":
		return form{"E", "", sourceRole, destinationRole, recipient}
	default:
		return form{"E", "", sourceRole, destinationRole, author}
	}
}

// call is the AuditEvent of a call.
func (r *Record) call(server string) *auditEvent {
	e := &r.Event
	interaction := strings.TrimPrefix(e.Interaction, "conditional-")
	form := formOf(interaction)
	resource := &auditEvent{
		Extension: []extension{{URL: callURL, Extension: e.details()}},
		Type:      coding{eventTypes, "rest"},
		Action:    form.action,
		Recorded:  formatTime(e.Time),
		Agent:     e.agents(form, server),
		Entity:    e.entities(),
	}
	if interaction != "" {
		resource.Subtype = []coding{{interactions, interaction}}
	}
	resource.Outcome, resource.OutcomeDesc = e.outcome()
	if e.OnBehalfOf == "" && e.Purpose != "" {
		resource.PurposeOfEvent = []concept{purpose(e.Purpose)}
	}
	if profile := e.profile(form, resource); profile != "" {
		resource.Meta = &meta{Profile: []string{balpProfile + profile}}
	}
	return resource
}

// profile returns the profile of BALP that the record fulfils, or "". They are
// for calls that succeeded, want one data entity, and have a form for one known
// patient.
func (e *Event) profile(form form, resource *auditEvent) string {
	server := resource.Agent[1]
	if form.profile == "" || resource.Outcome != "0" || len(e.Resources) != 1 || e.Consumer == "" || !e.Address.IsValid() || server.Who == nil || server.Network == nil {
		return ""
	}
	switch len(e.Patients) {
	case 0:
		return form.profile
	case 1:
		return "Patient" + form.profile
	default:
		return ""
	}
}

// details are what AuditEvent has no element for.
func (e *Event) details() []extension {
	list := []extension{{URL: "status", Integer: &e.Status}, {URL: "entry", Integer: &e.Entry}}
	for _, text := range []struct{ url, value string }{
		{"interaction", e.Interaction},
		{"type", e.Type},
		{"operation", e.Operation},
		{"plan", e.Plan},
		{"way", e.Way},
		{"issue", e.Issue},
		{"purpose", e.Purpose},
	} {
		if text.value != "" {
			list = append(list, extension{URL: text.url, String: text.value})
		}
	}
	if e.Aborted {
		list = append(list, extension{URL: "aborted", Boolean: true})
	}
	if e.More {
		list = append(list, extension{URL: "more", Boolean: true})
	}
	return list
}

// agents are the caller, the gateway as the server of a hospital, and the
// person, if one is known.
func (e *Event) agents(form form, server string) []agent {
	client := agent{Type: concept{Coding: []coding{form.client}}, Requestor: e.OnBehalfOf == ""}
	if e.Consumer != "" {
		client.Who = &reference{Identifier: identifier{consumerSystem, e.Consumer}}
	}
	if e.Address.IsValid() {
		client.Network = &network{e.Address.String(), "2"} // an IP address
	}
	gateway := agent{Type: concept{Coding: []coding{form.server}}}
	if e.Hospital != "" {
		gateway.Who = &reference{Identifier: identifier{hospitalSystem, e.Hospital}}
	}
	if server != "" {
		gateway.Network = &network{server, "5"} // a URI
	}
	list := []agent{client, gateway}
	if e.OnBehalfOf != "" {
		user := agent{
			Type:      concept{Coding: []coding{form.user}},
			Who:       &reference{Identifier: identifier{userSystem, e.OnBehalfOf}},
			Requestor: true,
		}
		if e.Purpose != "" {
			user.PurposeOfUse = []concept{purpose(e.Purpose)}
		}
		list = append(list, user)
	}
	return list
}

// purposesOfUse are the codes of http://terminology.hl7.org/ValueSet/v3-PurposeOfUse
// that are in use.
var purposesOfUse = []string{
	"BTG", "CAREMGT", "CLINTRL", "COVERAGE", "DONAT", "ETREAT", "FAMRQT", "FRAUD", "HDIRECT", "HLEGAL", "HMARKT", "HOPERAT", "HOUTCOMS",
	"HPAYMT", "HPRGRP", "HQUALIMP", "HRESCH", "HSYSADMIN", "MEMADMIN", "PATADMIN", "PATRQT", "PATSFTY", "PERFMSR", "PUBHLTH", "PWATRNY",
	"RECORDMGT", "REMITADV", "SUPNWK", "SYSDEV", "THREAT", "TRAIN", "TREAT",
}

func purpose(text string) concept {
	if slices.Contains(purposesOfUse, text) {
		return concept{Coding: []coding{{actReasons, text}}}
	}
	return concept{Text: text}
}

// entities are the request, the patients and the resources.
func (e *Event) entities() []entity {
	var list []entity
	if e.RequestID != "" {
		list = append(list, entity{
			What: &reference{Identifier: identifier{Value: e.RequestID}},
			Type: coding{balpEntities, "XrequestId"},
		})
	}
	system := hashSystem + e.Hospital
	switch person := (coding{entityTypes, "1"}); len(e.Patients) {
	case 0:
	case 1:
		list = append(list, entity{What: what(system, e.Patients[0]), Type: person, Role: &patientRole})
	default: // those of a search: an entity for each would make most of the record
		many := entity{Type: person, Role: &patientRole, Detail: make([]detail, len(e.Patients))}
		for i, patient := range e.Patients {
			many.Detail[i] = detail{system, patient}
		}
		list = append(list, many)
	}
	for _, resource := range e.Resources {
		list = append(list, entity{What: what(system, resource), Type: coding{entityTypes, "2"}, Role: &resourceRole}) // a system object
	}
	return list
}

var (
	patientRole  = coding{objectRoles, "1"}
	resourceRole = coding{objectRoles, "4"}
)

// what names a concealed reference.
func what(system, concealed string) *reference {
	typ, hash, ok := strings.Cut(concealed, "/")
	if !ok {
		typ, hash = "", concealed
	}
	return &reference{Type: typ, Identifier: identifier{system, hash}}
}

// outcome returns AuditEvent.outcome and what is behind it. 4 says that the
// caller was refused, 8 that something failed.
func (e *Event) outcome() (code, text string) {
	switch {
	case e.Status == 0:
		return "4", "the caller left"
	case e.Aborted:
		return "8", "HTTP " + strconv.Itoa(e.Status) + ", broken off"
	}
	text = "HTTP " + strconv.Itoa(e.Status)
	if e.Issue != "" {
		text += ", " + e.Issue
	}
	switch {
	case e.Status < 400:
		return "0", text
	case e.Status < 500:
		return "4", text
	default:
		return "8", text
	}
}

// event reads back what call wrote.
func (a *auditEvent) event() (Event, error) {
	details := fields(a.Extension, callURL)
	status, entry := details["status"].Integer, details["entry"].Integer
	if status == nil || entry == nil || len(a.Agent) < 2 {
		return Event{}, errNoRecord
	}
	e := Event{
		Plan: details["plan"].String, Way: details["way"].String, Purpose: details["purpose"].String,
		Interaction: details["interaction"].String, Type: details["type"].String, Operation: details["operation"].String,
		Status: *status, Issue: details["issue"].String, Entry: *entry,
		Aborted: details["aborted"].Boolean, More: details["more"].Boolean,
	}
	var err error
	if e.Time, err = time.Parse(instant, a.Recorded); err != nil {
		return Event{}, fmt.Errorf("recorded: %w", err)
	}
	for _, agent := range a.Agent {
		if agent.Who == nil {
			continue
		}
		switch id := agent.Who.Identifier; id.System {
		case consumerSystem:
			e.Consumer = id.Value
		case hospitalSystem:
			e.Hospital = id.Value
		case userSystem:
			e.OnBehalfOf = id.Value
		}
	}
	if client := a.Agent[0]; client.Network != nil {
		e.Address, _ = netip.ParseAddr(client.Network.Address) // invalid when it is none
	}
	for _, entity := range a.Entity {
		e.take(entity)
	}
	return e, nil
}

// take reads back one of entities.
func (e *Event) take(found entity) {
	for _, patient := range found.Detail {
		e.Patients = append(e.Patients, patient.String)
	}
	if found.What == nil {
		return
	}
	concealed := found.What.Identifier.Value
	if found.What.Type != "" {
		concealed = found.What.Type + "/" + concealed
	}
	switch found.Type {
	case coding{balpEntities, "XrequestId"}:
		e.RequestID = found.What.Identifier.Value
	case coding{entityTypes, "1"}:
		e.Patients = append(e.Patients, concealed)
	case coding{entityTypes, "2"}:
		e.Resources = append(e.Resources, concealed)
	}
}
