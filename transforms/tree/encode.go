package tree

import "fhirgate/internal/jsontext"

// AppendTo appends the value as it is now to dst, with the white space that
// the text had around it.
func (d *Doc) AppendTo(dst []byte) []byte {
	start, end := d.around[0], d.around[1]
	dst = append(dst, d.text[:start]...)
	dst = d.encode(dst, d.Root())
	return append(dst, d.text[end:]...)
}

// encode appends n. Children bring the white space that surrounds them along.
func (d *Doc) encode(dst []byte, n Node) []byte {
	v := &d.nodes[n]
	b := d.source(v.fresh)
	if !v.edited {
		return append(dst, b[v.start:v.end]...)
	}
	dst = append(dst, b[v.start])
	var indent, trail []byte
	for child := v.first; child != None; child = d.nodes[child].next {
		c := &d.nodes[child]
		if child != v.first {
			dst = append(dst, ',')
		}
		if c.slotEnd > 0 {
			indent = blankBefore(b, int(c.slotStart))
		}
		dst = append(dst, indent...)
		if v.kind == Object {
			dst = append(append(append(dst, '"'), d.rawName(child)...), '"')
			dst = d.colon(dst, b, c)
		}
		dst = d.encode(dst, child)
		if c.slotEnd == 0 {
			continue
		}
		if trail = b[c.slotEnd:jsontext.Space(b, int(c.slotEnd))]; c.next != None && d.nodes[c.next].slotEnd > 0 {
			dst, trail = append(dst, trail...), nil
		}
	}
	return append(append(dst, trail...), b[v.end-1])
}

// colon appends what stands between the name and the value of the member c.
func (d *Doc) colon(dst, b []byte, c *node) []byte {
	if c.slotEnd == 0 {
		return append(dst, ':')
	}
	end := jsontext.Skip(b, int(c.slotStart))
	return append(dst, b[end:jsontext.Space(b, jsontext.Space(b, end)+1)]...)
}

func blankBefore(b []byte, i int) []byte {
	start := i
	for start > 0 && blank(b[start-1]) {
		start--
	}
	return b[start:i]
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
