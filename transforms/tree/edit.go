package tree

import "fhirgate/internal/jsontext"

// SetRaw gives n another value: raw, which must be valid JSON and is copied.
// What was below n is no longer there. The whole value (Root) may be replaced
// too.
func (d *Doc) SetRaw(n Node, raw []byte) {
	if n == None {
		return
	}
	start, end := d.make(raw)
	d.set(n, start, end)
}

// SetString gives n the string text as its value.
func (d *Doc) SetString(n Node, text string) {
	if n == None {
		return
	}
	start, end := d.makeString(text)
	d.set(n, start, end)
}

// set gives n the value that was made between start and end.
func (d *Doc) set(n Node, start, end int32) {
	v := &d.nodes[n]
	v.start, v.end = start, end
	v.fresh, v.done, v.edited, v.first, v.last, v.read = true, false, false, None, None, None
	v.kind = kindOf(d.made[start])
	d.mark(v.parent)
}

// Put gives the member of the object n with that name a value, behind the
// others if there is none yet, and returns it. It returns None if n is no
// object.
func (d *Doc) Put(n Node, name string, raw []byte) Node {
	if d.nodes[n].kind != Object {
		return None
	}
	if member := d.Get(n, name); member != None {
		d.SetRaw(member, raw)
		return member
	}
	nameStart, nameEnd := d.makeString(name)
	child := node{freshName: true, nameStart: nameStart + 1, nameEnd: nameEnd - 1}
	child.start, child.end = d.make(raw)
	return d.append(n, child)
}

// PutString is Put with the string text.
func (d *Doc) PutString(n Node, name, text string) Node {
	member := d.Put(n, name, []byte("null"))
	d.SetString(member, text)
	return member
}

// Append adds an element to the array n and returns it. It returns None if n is
// no array.
func (d *Doc) Append(n Node, raw []byte) Node {
	if d.nodes[n].kind != Array {
		return None
	}
	var child node
	child.start, child.end = d.make(raw)
	return d.append(n, child)
}

// Remove takes n out. Objects and arrays that become empty by it go as well,
// because FHIR has none (https://hl7.org/fhir/R4/json.html), but for the root.
//
// An element of an array of primitives takes the one beside it along, which
// holds its id and extensions in the array of the same name with an underscore.
// Beside objects nothing stands: to look for it would take time in the square of
// a list that a caller can make as long as it likes.
func (d *Doc) Remove(n Node) {
	if n == None || n == d.Root() || d.nodes[n].gone {
		return
	}
	parent := d.nodes[n].parent
	if twin := d.twin(parent); twin != None && (d.nodes[n].kind != Object || d.Aside(parent)) {
		if beside := d.At(twin, d.Index(n)); beside != None {
			d.remove(beside)
		}
	}
	d.remove(n)
}

func (d *Doc) remove(n Node) {
	parent := d.nodes[n].parent
	d.unlink(n)
	d.nodes[n].gone = true
	d.mark(parent)
	if d.First(parent) == None && parent != d.Root() {
		d.remove(parent)
	}
}

// twin returns the array that runs beside the array n: _given beside given, and
// the other way.
func (d *Doc) twin(n Node) Node {
	if d.nodes[n].kind != Array || d.nodes[n].parent == None {
		return None
	}
	name := d.Name(n)
	if name == "" {
		return None
	}
	beside := "_" + name
	if name[0] == '_' {
		beside = name[1:]
	}
	if twin := d.Get(d.nodes[n].parent, beside); d.nodes[twin].kind == Array {
		return twin
	}
	return None
}

// MoveLast makes n the last of its siblings; the others keep their order.
func (d *Doc) MoveLast(n Node) {
	parent := d.nodes[n].parent
	d.finish(parent)
	if d.nodes[n].next == None {
		return
	}
	d.unlink(n)
	d.link(n, parent)
	d.mark(parent)
}

// Rename gives the member n another name, at its place.
func (d *Doc) Rename(n Node, name string) {
	v := &d.nodes[n]
	if d.nodes[v.parent].kind != Object {
		return
	}
	start, end := d.makeString(name)
	v.nameStart, v.nameEnd, v.freshName = start+1, end-1, true
	d.mark(v.parent)
}

// append makes child, whose value was made, the last of n.
func (d *Doc) append(n Node, child node) Node {
	d.finish(n)
	child.parent, child.fresh = n, true
	added := d.add(child)
	d.link(added, n)
	d.mark(n)
	return added
}

// make copies raw and returns where it lies.
func (d *Doc) make(raw []byte) (start, end int32) {
	start = int32(len(d.made))
	d.made = append(d.made, raw...)
	return start, int32(len(d.made))
}

// makeString is make for the string text.
func (d *Doc) makeString(text string) (start, end int32) {
	start = int32(len(d.made))
	d.made = append(append(append(d.made, '"'), jsontext.Quote(text)...), '"')
	return start, int32(len(d.made))
}

// mark notes that n and what it stands in were edited.
func (d *Doc) mark(n Node) {
	for ; n != None && !d.nodes[n].edited; n = d.nodes[n].parent {
		d.nodes[n].edited = true
	}
}

// Quote returns text as a JSON string.
func Quote(text string) []byte {
	return append(append([]byte{'"'}, jsontext.Quote(text)...), '"')
}
