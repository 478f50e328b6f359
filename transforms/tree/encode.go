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

// encode appends n. Children bring the white space that surrounds them along,
// and what was not read follows as it is.
func (d *Doc) encode(dst []byte, n Node) []byte {
	if !d.nodes[n].edited {
		return append(dst, d.Raw(n)...)
	}
	if v := &d.nodes[n]; v.last != v.read { // the last one read is gone, or others were added
		d.finish(n)
	}
	kind, first, b := d.nodes[n].kind, d.nodes[n].first, d.source(d.nodes[n].fresh)
	dst = append(dst, b[d.nodes[n].start])
	var indent, trail []byte
	for child := first; child != None; child = d.nodes[child].next {
		slot := d.nodes[child].slotStart
		if child != first {
			dst = append(dst, ',')
		}
		if slot > 0 {
			indent = blankBefore(b, int(slot))
		}
		dst = append(dst, indent...)
		if kind == Object {
			dst = append(append(append(dst, '"'), d.rawName(child)...), '"')
			dst = colon(dst, b, int(slot))
		}
		dst = d.encode(dst, child)
		if slot == 0 {
			continue
		}
		end := int(d.slotEnd(child))
		trail = b[end:jsontext.Space(b, end)]
		if next := d.nodes[child].next; next != None && d.nodes[next].slotStart > 0 {
			dst, trail = append(dst, trail...), nil
		}
	}
	end := d.end(n)
	if v := &d.nodes[n]; !v.done && v.read != None {
		return append(dst, b[d.slotEnd(v.read):end]...)
	}
	return append(append(dst, trail...), b[end-1])
}

// colon appends what stands between the name at b[slot] and its value; slot is 0
// for a member that was added.
func colon(dst, b []byte, slot int) []byte {
	if slot == 0 {
		return append(dst, ':')
	}
	end := jsontext.Skip(b, slot)
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
