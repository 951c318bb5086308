package patch

import "github.com/yba-health/yba/pkg/fhir"

// hold returns the object that holds l's children, and makes it where a
// primitive had no twin until now.
func (t *tree) hold(l *location) *node {
	if box := l.container(); box != nil {
		return box
	}
	l.twin = built(fhir.Object)
	box := t.hold(l.parent)
	if l.index < 0 {
		box.put("_"+l.name, l.twin)
		return l.twin
	}
	list := listOf(box, "_"+l.name)
	pad(list, max(l.index+1, box.member(l.name).length()))
	list.kids[l.index].value = l.twin
	return l.twin
}

// put sets an element that does not repeat.
func (t *tree) put(box *node, name, typ string, part fhir.Value) error {
	value, twin, err := t.content(typ, part)
	if err != nil {
		return err
	}
	set := func(name string, n *node) {
		if n == nil {
			box.drop(name)
			return
		}
		box.put(name, n)
	}
	set(name, value)
	if fhir.Primitive(typ) {
		set("_"+name, twin)
	}
	return nil
}

// insert puts a value before the i-th of a list of the given size.
func (t *tree) insert(box *node, name, typ string, i, size int, part fhir.Value) error {
	value, twin, err := t.content(typ, part)
	if err != nil {
		return err
	}
	add := func(name string, n *node) {
		list := listOf(box, name)
		pad(list, size)
		if n == nil {
			n = null()
		}
		list.insert(i, n)
		tidy(box, name)
	}
	add(name, value)
	if fhir.Primitive(typ) && (twin != nil || box.member("_"+name) != nil) {
		add("_"+name, twin)
	}
	return nil
}

// listOf returns the list of a name and makes it where it is missing.
func listOf(box *node, name string) *node {
	list := box.member(name)
	if list == nil || list.kind != fhir.Array {
		list = built(fhir.Array)
		box.put(name, list)
	}
	return list
}

// pad makes a list as long as its twin.
func pad(list *node, size int) {
	for list.length() < size {
		list.insert(list.length(), null())
	}
}

// tidy removes a list that holds nothing: FHIR has no empty arrays
// (https://hl7.org/fhir/R4/json.html#null).
func tidy(box *node, name string) {
	list := box.member(name)
	for i := range list.length() {
		if list.kids[i].value.kind != fhir.Null {
			return
		}
	}
	box.drop(name)
}

// replace gives an element another value; that of a choice may be of another
// type, and then has another name.
func (t *tree) replace(l *location, part fhir.Value) error {
	if l.parent == nil {
		return unprocessable("the whole resource cannot be replaced by a patch; update it")
	}
	box := t.hold(l.parent)
	e, typ, _ := t.defs.Child(l.parent.owner(), l.name)
	if e.Choice() {
		name, _, typ, err := t.called(l.parent.owner(), base(e), part)
		if err != nil {
			return err
		}
		if name != l.name {
			box.drop(l.name)
			box.drop("_" + l.name)
		}
		return t.put(box, name, typ, part)
	}
	if l.index < 0 {
		return t.put(box, l.name, typ, part)
	}
	size := max(box.member(l.name).length(), box.member("_"+l.name).length())
	if err := t.insert(box, l.name, typ, l.index, size, part); err != nil {
		return err
	}
	t.take(box, l.name, l.index+1)
	return nil
}

// take removes the i-th of a list and of its twin.
func (t *tree) take(box *node, name string, i int) {
	for _, n := range []string{name, "_" + name} {
		if list := box.member(n); list != nil && list.kind == fhir.Array && i < list.length() {
			list.remove(i)
			tidy(box, n)
		}
	}
}

// remove deletes an element, and what is left empty by it.
func (t *tree) remove(l *location) error {
	if l.parent == nil {
		return unprocessable("the whole resource cannot be deleted by a patch")
	}
	box := t.hold(l.parent)
	if l.index < 0 {
		box.drop(l.name)
		box.drop("_" + l.name)
	} else {
		t.take(box, l.name, l.index)
	}
	p := l.parent
	if p.parent == nil || box.length() > 0 {
		return nil
	}
	if !fhir.Primitive(p.typ) || p.value == nil {
		return t.remove(p)
	}
	// The primitive itself stays, without a twin.
	outer := t.hold(p.parent)
	if p.index < 0 {
		outer.drop("_" + p.name)
		return nil
	}
	outer.member("_" + p.name).kids[p.index].value = null()
	tidy(outer, "_"+p.name)
	return nil
}
