package fhir

// Interaction is a code of the value sets type-restful-interaction and
// system-restful-interaction, plus "capabilities" and "operation", which the
// RESTful API names without giving them a code there
// (https://hl7.org/fhir/R4/http.html#summary).
type Interaction string

// The interactions that a gateway call can be.
const (
	Read            Interaction = "read"
	VRead           Interaction = "vread"
	Update          Interaction = "update"
	Patch           Interaction = "patch"
	Delete          Interaction = "delete"
	HistoryInstance Interaction = "history-instance"
	HistoryType     Interaction = "history-type"
	HistorySystem   Interaction = "history-system"
	Create          Interaction = "create"
	SearchType      Interaction = "search-type"
	SearchSystem    Interaction = "search-system"
	Capabilities    Interaction = "capabilities"
	Batch           Interaction = "batch"
	Transaction     Interaction = "transaction"
	Operation       Interaction = "operation"
)

// Conditional forms are listed apart in a route, because a hospital that
// takes a create need not take a conditional one
// (https://hl7.org/fhir/R4/http.html#ccreate and following).
const (
	ConditionalCreate Interaction = "conditional-create"
	ConditionalUpdate Interaction = "conditional-update"
	ConditionalPatch  Interaction = "conditional-patch"
	ConditionalDelete Interaction = "conditional-delete"
)

// TypeInteractions are those a route may list under a resource type.
var TypeInteractions = []Interaction{
	Read, VRead, Update, Patch, Delete, HistoryInstance, HistoryType, Create, SearchType,
	ConditionalCreate, ConditionalUpdate, ConditionalPatch, ConditionalDelete,
}

// SystemInteractions are those a route may list under "system".
var SystemInteractions = []Interaction{Batch, Transaction, SearchSystem, HistorySystem}

// Conditional returns the conditional form of i, or "" when it has none.
func (i Interaction) Conditional() Interaction {
	switch i {
	case Create:
		return ConditionalCreate
	case Update:
		return ConditionalUpdate
	case Patch:
		return ConditionalPatch
	case Delete:
		return ConditionalDelete
	default:
		return ""
	}
}

// Writes reports whether i may change what the hospital holds. Operations
// count as writes: most of them may.
func (i Interaction) Writes() bool {
	switch i {
	case Create, Update, Patch, Delete, Batch, Transaction, Operation:
		return true
	default:
		return false
	}
}

// AnswersBundle reports whether a successful answer is a Bundle whose links
// page through it.
func (i Interaction) AnswersBundle() bool {
	switch i {
	case SearchType, SearchSystem, HistoryInstance, HistoryType, HistorySystem, Operation:
		return true
	default:
		return false
	}
}
