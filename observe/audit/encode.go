package audit

import (
	"strconv"
	"unicode/utf8"

	"fhirgate/internal/jsontext"
)

// The JSON of records, written by hand: there is a record for every call, and
// encoding/json took a third of what it cost. The test TestEncoding has the two
// write the same.

// object writes the members of an object.
type object struct {
	out   []byte
	empty bool // no member yet
}

func open(dst []byte) object { return object{append(dst, '{'), true} }

func (o *object) close() []byte { return append(o.out, '}') }

func (o *object) name(name string) {
	if !o.empty {
		o.out = append(o.out, ',')
	}
	o.empty = false
	o.out = append(append(append(o.out, '"'), name...), `":`...)
}

func (o *object) text(name, value string) {
	if !utf8.ValidString(value) {
		value = string([]rune(value)) // each wrong byte becomes U+FFFD
	}
	o.name(name)
	o.out = append(append(append(o.out, '"'), jsontext.Quote(value)...), '"')
}

func (o *object) optional(name, value string) {
	if value != "" {
		o.text(name, value)
	}
}

func (o *object) flag(name string, value bool) {
	o.name(name)
	o.out = strconv.AppendBool(o.out, value)
}

// each writes a member that is a list, unless it is empty.
func each[T any](o *object, name string, items []T, write func([]byte, *T) []byte) {
	if len(items) == 0 {
		return
	}
	o.name(name)
	for i := range items {
		sep := byte(',')
		if i == 0 {
			sep = '['
		}
		o.out = write(append(o.out, sep), &items[i])
	}
	o.out = append(o.out, ']')
}

func appendEvent(dst []byte, e *auditEvent) []byte {
	o := open(dst)
	o.text("resourceType", e.ResourceType)
	if e.Meta != nil {
		o.name("meta")
		meta := open(o.out)
		each(&meta, "profile", e.Meta.Profile, func(dst []byte, profile *string) []byte {
			return append(append(append(dst, '"'), jsontext.Quote(*profile)...), '"')
		})
		o.out = meta.close()
	}
	each(&o, "extension", e.Extension, appendExtension)
	o.name("type")
	o.out = appendCoding(o.out, &e.Type)
	each(&o, "subtype", e.Subtype, appendCoding)
	o.optional("action", e.Action)
	o.text("recorded", e.Recorded)
	o.text("outcome", e.Outcome)
	o.optional("outcomeDesc", e.OutcomeDesc)
	each(&o, "purposeOfEvent", e.PurposeOfEvent, appendConcept)
	each(&o, "agent", e.Agent, appendAgent)
	o.name("source")
	source := open(o.out)
	source.name("observer")
	source.out = appendReference(source.out, &e.Source.Observer)
	each(&source, "type", e.Source.Type, appendCoding)
	o.out = source.close()
	each(&o, "entity", e.Entity, appendEntity)
	return o.close()
}

func appendCoding(dst []byte, c *coding) []byte {
	o := open(dst)
	o.optional("system", c.System)
	o.text("code", c.Code)
	return o.close()
}

func appendConcept(dst []byte, c *concept) []byte {
	o := open(dst)
	each(&o, "coding", c.Coding, appendCoding)
	o.optional("text", c.Text)
	return o.close()
}

func appendReference(dst []byte, r *reference) []byte {
	o := open(dst)
	o.optional("type", r.Type)
	o.name("identifier")
	id := open(o.out)
	id.optional("system", r.Identifier.System)
	id.text("value", r.Identifier.Value)
	o.out = id.close()
	return o.close()
}

func appendAgent(dst []byte, a *agent) []byte {
	o := open(dst)
	o.name("type")
	o.out = appendConcept(o.out, &a.Type)
	if a.Who != nil {
		o.name("who")
		o.out = appendReference(o.out, a.Who)
	}
	o.flag("requestor", a.Requestor)
	if a.Network != nil {
		o.name("network")
		network := open(o.out)
		network.text("address", a.Network.Address)
		network.text("type", a.Network.Type)
		o.out = network.close()
	}
	each(&o, "purposeOfUse", a.PurposeOfUse, appendConcept)
	return o.close()
}

func appendEntity(dst []byte, e *entity) []byte {
	o := open(dst)
	if e.What != nil {
		o.name("what")
		o.out = appendReference(o.out, e.What)
	}
	o.name("type")
	o.out = appendCoding(o.out, &e.Type)
	if e.Role != nil {
		o.name("role")
		o.out = appendCoding(o.out, e.Role)
	}
	each(&o, "detail", e.Detail, func(dst []byte, d *detail) []byte {
		o := open(dst)
		o.text("type", d.Type)
		o.text("valueString", d.String)
		return o.close()
	})
	return o.close()
}

func appendExtension(dst []byte, e *extension) []byte {
	o := open(dst)
	o.text("url", e.URL)
	each(&o, "extension", e.Extension, appendExtension)
	o.optional("valueString", e.String)
	o.optional("valueCode", e.Code)
	o.optional("valueInstant", e.Instant)
	if e.Integer != nil {
		o.name("valueInteger")
		o.out = strconv.AppendInt(o.out, int64(*e.Integer), 10)
	}
	if e.Boolean {
		o.flag("valueBoolean", true)
	}
	return o.close()
}
