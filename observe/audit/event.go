package audit

import (
	"net/netip"
	"slices"
	"time"
)

// Event is what one call did, or one entry of a batch.
type Event struct {
	Time       time.Time  // when the call came
	RequestID  string     // X-Request-Id of the call
	Consumer   string     // id of the consumer, or "" when the caller is not known
	Plan       string     // id of its plan, or ""
	Way        string     // how the caller was known: api-key, token, identity-provider or certificate
	OnBehalfOf string     // the person for whom the consumer called, or ""
	Purpose    string     // for which purpose, best a code of PurposeOfUse such as TREAT, or ""
	Address    netip.Addr // of the caller

	Hospital    string // id of a hospital, or "" when the call named none
	Interaction string // FHIR interaction, or "" when the call was none
	Type        string // resource type, or ""
	Operation   string // name of the operation without $, or ""

	Status  int    // of the answer; 0 when the caller left before it began
	Issue   string // issue code of a refusal by the gateway, or ""
	Entry   int    // index of the batch entry, or -1 for the call itself
	Aborted bool   // the answer was broken off after it had begun

	// Patients and Resources are logical references at the hospital, such as
	// "Patient/123". Only their hashes leave Record.
	Patients  []string
	Resources []string
	More      bool // there were more references than these
}

// maxReferences is how many patients, and how many resources, a record holds.
const maxReferences = 1000

// The longest texts that callers can put into a record, in bytes.
const maxText = 256

// bounded returns e with nothing in it that grows with what a caller sends, and
// without the caller's slices.
func (e Event) bounded() Event {
	if len(e.Patients) > maxReferences || len(e.Resources) > maxReferences {
		e.More = true
	}
	e.Patients = slices.Clone(e.Patients[:min(len(e.Patients), maxReferences)])
	e.Resources = slices.Clone(e.Resources[:min(len(e.Resources), maxReferences)])
	for _, text := range []*string{&e.RequestID, &e.OnBehalfOf, &e.Purpose, &e.Type, &e.Operation, &e.Issue} {
		*text = (*text)[:min(len(*text), maxText)]
	}
	return e
}

// size is about what e takes in memory, in bytes.
func (e *Event) size() int {
	n := 512 + len(e.RequestID) + len(e.OnBehalfOf) + len(e.Purpose) + len(e.Operation)
	for _, list := range [][]string{e.Patients, e.Resources} {
		for _, text := range list {
			n += 16 + len(text)
		}
	}
	return n
}
