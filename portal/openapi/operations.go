package openapi

import "net/http"

// levels says where an operation is called. A CapabilityStatement does not tell;
// that of R4's own operations is known
// (https://hl7.org/fhir/R4/operationslist.html).
type levels struct {
	typ, instance bool
	get           bool // it changes nothing and takes plain parameters
}

var knownLevels = map[string]levels{
	"docref":        {typ: true, get: true},
	"document":      {instance: true, get: true},
	"everything":    {typ: true, instance: true, get: true},
	"expand":        {typ: true, instance: true, get: true},
	"export":        {typ: true, instance: true, get: true},
	"lastn":         {typ: true, get: true},
	"lookup":        {typ: true, get: true},
	"match":         {typ: true},
	"stats":         {typ: true, get: true},
	"validate":      {typ: true, instance: true},
	"validate-code": {typ: true, instance: true, get: true},
}

// operationAt is an operation of a type, or of the system.
type operationAt struct {
	tag, typ, name string
	id             string
	hospitals      []string
}

// addOperation adds the calls of an operation. One that is not known is listed
// for the type and for its instances, by POST.
func (b *builder) addOperation(o operationAt) {
	at, known := knownLevels[o.name]
	if !known {
		at = levels{typ: true, instance: true}
	}
	if o.typ == "" {
		at.typ, at.instance = false, false
		b.addOperationAt(o, at.get, "/$"+o.name, o.id, "")
		return
	}
	if at.typ {
		b.addOperationAt(o, at.get, "/"+o.typ+"/$"+o.name, o.id, " on the type "+o.typ)
	}
	if at.instance {
		b.addOperationAt(o, at.get, "/"+o.typ+"/{id}/$"+o.name, o.id+"OfOne", " on one "+o.typ)
	}
}

func (b *builder) addOperationAt(o operationAt, get bool, path, id, where string) {
	c := call{
		tag: o.tag, path: path, method: http.MethodPost, id: id, summary: "Operation $" + o.name + where,
		text:      "Where and how it is called is a matter of its definition. Which scopes it needs depends on the operation.",
		hospitals: o.hospitals, body: parametersBody(), success: okay(resourceAnswer),
	}
	b.add(c)
	if get {
		c.method, c.id, c.body = http.MethodGet, id+"ByGet", nil
		b.add(c)
	}
}
