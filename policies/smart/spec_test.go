package smart

import (
	"slices"
	"strings"

	"fhirgate/fhir"
)

// This file says what the specification says, in tables of its own: nothing
// here asks the code under test. Letters are those of SMART App Launch 2.2,
// "Scopes for Requesting FHIR Resources"; the compartment that of FHIR R4.

// need is what one part of a call needs.
type need struct {
	typ     string // "" = the type of the call, "*" = every type
	letters string
	exact   bool // only scopes without a condition will do
	own     bool // as exact, but the patient in context will do as well
}

// row is an interaction of the matrix, or a way to bring other types in.
type row struct {
	name  string
	req   fhir.Request // without its type
	query string       // TYPE stands for the type
	needs []need
	free  bool // needs no type: the call is of the system
}

const recordOp = "operation `$everything` of the patient in context"

var rows = []row{
	{name: "read", req: fhir.Request{Interaction: fhir.Read, ID: "1"}, needs: []need{{letters: "r"}}},
	{name: "vread", req: fhir.Request{Interaction: fhir.VRead, ID: "1", Version: "2"}, needs: []need{{letters: "r"}}},
	{name: "history of an instance", req: fhir.Request{Interaction: fhir.HistoryInstance, ID: "1"}, needs: []need{{letters: "r"}}},
	{name: "search of a type", req: fhir.Request{Interaction: fhir.SearchType}, needs: []need{{letters: "s"}}},
	{name: "history of a type", req: fhir.Request{Interaction: fhir.HistoryType}, needs: []need{{letters: "s"}}},
	{name: "search of the system", req: fhir.Request{Interaction: fhir.SearchSystem}, free: true, needs: []need{{typ: "*", letters: "s"}}},
	{name: "search of the system, `_type`", req: fhir.Request{Interaction: fhir.SearchSystem}, free: true, query: "_type=TYPE", needs: []need{{letters: "s"}}},
	{name: "history of the system", req: fhir.Request{Interaction: fhir.HistorySystem}, free: true, needs: []need{{typ: "*", letters: "s"}}},
	{name: "create", req: fhir.Request{Interaction: fhir.Create}, needs: []need{{letters: "c"}}},
	{name: "update", req: fhir.Request{Interaction: fhir.Update, ID: "1"}, needs: []need{{letters: "u"}}},
	{name: "patch", req: fhir.Request{Interaction: fhir.Patch, ID: "1"}, needs: []need{{letters: "u"}}},
	{name: "delete", req: fhir.Request{Interaction: fhir.Delete, ID: "1"}, needs: []need{{letters: "d"}}},
	{name: "conditional create", req: fhir.Request{Interaction: fhir.Create, Conditional: true}, needs: []need{{letters: "c"}, {letters: "s", exact: true}}},
	{name: "conditional update", req: fhir.Request{Interaction: fhir.Update, Conditional: true}, query: "identifier=x", needs: []need{{letters: "cus", exact: true}}},
	{name: "conditional patch", req: fhir.Request{Interaction: fhir.Patch, Conditional: true}, query: "identifier=x", needs: []need{{letters: "us", exact: true}}},
	{name: "conditional delete", req: fhir.Request{Interaction: fhir.Delete, Conditional: true}, query: "identifier=x", needs: []need{{letters: "ds", exact: true}}},
	{name: "search below `Patient/1`", req: fhir.Request{Interaction: fhir.SearchType, Compartment: "Patient", ID: "1"}, needs: []need{{letters: "s"}, {typ: "Patient", letters: "r", own: true}}},
	{name: "`_include` of Patient", req: fhir.Request{Interaction: fhir.SearchType}, query: "_include=TYPE:patient", needs: []need{{letters: "s"}, {typ: "Patient", letters: "r"}}},
	{name: "`_include=*`", req: fhir.Request{Interaction: fhir.SearchType}, query: "_include=*", needs: []need{{letters: "s"}, {typ: "*", letters: "r"}}},
	{name: "`_revinclude` of Provenance", req: fhir.Request{Interaction: fhir.SearchType}, query: "_revinclude=Provenance:target", needs: []need{{letters: "s"}, {typ: "Provenance", letters: "s"}}},
	{name: "chain over Patient", req: fhir.Request{Interaction: fhir.SearchType}, query: "patient.name=x", needs: []need{{letters: "s"}, {typ: "Patient", letters: "s", exact: true}}},
	{name: "`_has` of Provenance", req: fhir.Request{Interaction: fhir.SearchType}, query: "_has:Provenance:target:agent=x", needs: []need{{letters: "s"}, {typ: "Provenance", letters: "s", exact: true}}},
	{name: "`_filter`", req: fhir.Request{Interaction: fhir.SearchType}, query: "_filter=x", needs: []need{{letters: "s"}, {typ: "*", letters: "s", exact: true}}},
	{name: "`_summary=count`", req: fhir.Request{Interaction: fhir.SearchType}, query: "_summary=count", needs: []need{{letters: "s", exact: true}}},
	{name: "operation that only reads (`$lastn`, `$match`, …)", req: fhir.Request{Interaction: fhir.Operation, Operation: "$lastn"}, needs: []need{{letters: "rs", exact: true}}},
	{name: "operation `$everything`", req: fhir.Request{Interaction: fhir.Operation, Operation: "$everything", ID: "2"}, needs: []need{{typ: "*", letters: "rs", exact: true}}},
	{name: recordOp, req: fhir.Request{Interaction: fhir.Operation, Operation: "$everything", ID: "1"}, needs: []need{{typ: "*", letters: "rs", exact: true}}},
	{name: "any other operation on a type", req: fhir.Request{Interaction: fhir.Operation, Operation: "$x"}, needs: []need{{letters: "cruds", exact: true}}},
	{name: "any other operation of the system", req: fhir.Request{Interaction: fhir.Operation, Operation: "$x"}, free: true, needs: []need{{typ: "*", letters: "cruds", exact: true}}},
	{name: "capabilities, batch and transaction as such", req: fhir.Request{Interaction: fhir.Capabilities}, free: true},
}

// form is a way in which scopes are written and held. TYPE stands for the
// type of the call.
type form struct {
	name      string // of its column; "" = of the matrix alone
	scopes    string
	letters   string // what the scopes come to, in letters of version 2
	names     string // "TYPE", "*" or another type
	condition string // "", "constraint" or "patient"
	holder    Holder
	unheld    bool // the holder lacks what the context needs
}

var forms = slices.Concat([]form{
	{scopes: "system/TYPE.read", letters: "rs", names: "TYPE"},
	{scopes: "system/TYPE.write", letters: "cud", names: "TYPE"},
	{scopes: "system/TYPE.*", letters: "cruds", names: "TYPE"},
	{scopes: "system/*.read", letters: "rs", names: "*"},
	{scopes: "system/*.write", letters: "cud", names: "*"},
	{scopes: "system/*.*", letters: "cruds", names: "*"},
	{name: "T`.r`", scopes: "system/TYPE.r", letters: "r", names: "TYPE"},
	{name: "T`.s`", scopes: "system/TYPE.s", letters: "s", names: "TYPE"},
	{name: "T`.c`", scopes: "system/TYPE.c", letters: "c", names: "TYPE"},
	{name: "T`.u`", scopes: "system/TYPE.u", letters: "u", names: "TYPE"},
	{name: "T`.d`", scopes: "system/TYPE.d", letters: "d", names: "TYPE"},
	{name: "T`.rs` T`.read`", scopes: "system/TYPE.rs", letters: "rs", names: "TYPE"},
	{name: "T`.cud` T`.write`", scopes: "system/TYPE.cud", letters: "cud", names: "TYPE"},
	{name: "T`.cruds` T`.*`", scopes: "system/TYPE.cruds", letters: "cruds", names: "TYPE"},
	{scopes: "system/TYPE.cs", letters: "cs", names: "TYPE"},
	{scopes: "system/TYPE.us", letters: "us", names: "TYPE"},
	{scopes: "system/TYPE.cus", letters: "cus", names: "TYPE"},
	{scopes: "system/TYPE.ds", letters: "ds", names: "TYPE"},
	{scopes: "system/TYPE.r system/TYPE.s", letters: "rs", names: "TYPE"},
	{name: "`*.rs`", scopes: "system/*.rs", letters: "rs", names: "*"},
	{name: "`*.cruds`", scopes: "system/*.cruds", letters: "cruds", names: "*"},
	{name: "T`.cruds?…`", scopes: "system/TYPE.cruds?_tag=in", letters: "cruds", names: "TYPE", condition: "constraint"},
	{name: "`*.cruds?…`", scopes: "system/*.cruds?_tag=in", letters: "cruds", names: "*", condition: "constraint"},
	{scopes: "system/TYPE.rs?_tag=in", letters: "rs", names: "TYPE", condition: "constraint"},
	{name: "another type", scopes: "system/Condition.cruds", letters: "cruds", names: "Condition"},
	{scopes: ""},
	{scopes: "user/TYPE.cruds", letters: "cruds", names: "TYPE", holder: Holder{User: true}},
	{scopes: "user/TYPE.rs", letters: "rs", names: "TYPE", holder: Holder{User: true}},
	{scopes: "user/*.cruds", letters: "cruds", names: "*", holder: Holder{User: true}},
	{scopes: "user/*.cruds", unheld: true},
	{scopes: "user/TYPE.cruds?_tag=in", letters: "cruds", names: "TYPE", condition: "constraint", holder: Holder{User: true}},
	{scopes: "user/TYPE.cruds?_tag=in", unheld: true},
	{scopes: "user/TYPE.read", holder: Holder{Patient: "1"}, unheld: true},
}, patientForms)

var patientForms = []form{
	{name: "`patient/`T`.rs`", scopes: "patient/TYPE.rs", letters: "rs", names: "TYPE", condition: "patient", holder: Holder{Patient: "1"}},
	{name: "`patient/`T`.cruds`", scopes: "patient/TYPE.cruds", letters: "cruds", names: "TYPE", condition: "patient", holder: Holder{Patient: "1"}},
	{name: "`patient/*.rs`", scopes: "patient/*.rs", letters: "rs", names: "*", condition: "patient", holder: Holder{Patient: "1"}},
	{name: "`patient/*.cruds`", scopes: "patient/*.cruds", letters: "cruds", names: "*", condition: "patient", holder: Holder{Patient: "1"}},
	{scopes: "patient/TYPE.read", letters: "rs", names: "TYPE", condition: "patient", holder: Holder{Patient: "1", User: true}},
	{scopes: "patient/*.cruds", unheld: true},
	{scopes: "patient/*.cruds", holder: Holder{User: true}, unheld: true},
}

// Types of the matrix. Of these the patient compartment of R4 has all but
// Practitioner, who works there, and Binary, whose owner nothing tells.
var (
	inCompartment = []string{"Patient", "Observation", "DocumentReference", "Appointment", "MedicationRequest", "Provenance"}
	aboutNobody   = []string{"Practitioner"}
	matrixTypes   = []string{"Patient", "Observation", "DocumentReference", "Appointment", "MedicationRequest", "Practitioner", "Binary"}
)

// verdict is what becomes of a call.
type verdict string

const (
	refused verdict = "–"
	checked verdict = "checked" // permitted; each resource must meet the condition
	yes     verdict = "yes"
)

// expected derives the verdict on a call from the tables above.
func expected(r row, f form, typ string) verdict {
	worst := yes
	for _, n := range r.needs {
		switch reach(n, r, f, typ) {
		case refused:
			return refused
		case checked:
			worst = checked
		}
	}
	return worst
}

func reach(n need, r row, f form, typ string) verdict {
	wanted := n.typ
	if wanted == "" {
		wanted = typ
	}
	named := strings.ReplaceAll(f.names, "TYPE", typ)
	if f.unheld || named == "" || named != "*" && named != wanted {
		return refused
	}
	for _, letter := range n.letters {
		if !strings.ContainsRune(f.letters, letter) {
			return refused
		}
	}
	switch f.condition {
	case "":
		return yes
	case "constraint":
		if n.exact || n.own {
			return refused
		}
		return checked
	}
	writes := strings.ContainsAny(n.letters, "cud")
	switch {
	case r.name == recordOp && typ == "Patient":
		return checked
	case slices.Contains(aboutNobody, wanted) && !writes:
		return yes
	case wanted == "Patient" && strings.Contains(n.letters, "c"), n.exact:
		return refused
	case wanted == "*", slices.Contains(inCompartment, wanted):
		return checked
	default:
		return refused
	}
}
