package fhir

import (
	"iter"
	"strings"
)

// Span returns where the value's own bytes lie in the text it was read from.
func (v Value) Span() (start, end int) {
	if v.d == nil {
		return 0, 0
	}
	n := v.node()
	return int(n.start), int(n.end)
}

// Strings yields every string within v, v included.
func (v Value) Strings() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.d == nil {
			return
		}
		// The nodes stand in the order of the text.
		for i, end := v.n, v.node().end; int(i) < len(v.d.nodes) && v.d.nodes[i].start < end; i++ {
			if v.d.nodes[i].kind == String && !yield(Value{v.d, i}) {
				return
			}
		}
	}
}

// Named reports whether v is the member of an object with this name.
func (v Value) Named(name string) bool {
	if v.d == nil {
		return false
	}
	n := v.node()
	return !n.keyEscaped && string(v.d.src[n.keyStart:n.keyEnd]) == name || n.keyEscaped && v.d.key(v.n) == name
}

// Name returns the name of the member that v is, "" for an item of an array.
func (v Value) Name() string {
	if v.d == nil {
		return ""
	}
	return v.d.key(v.n)
}

// Child returns the element that a JSON name stands for in a type, and the
// type of its values: "valueQuantity" in Observation is the element value[x]
// with the type Quantity.
func (d *Definitions) Child(typ, name string) (e *Element, valueType string, ok bool) {
	o := d.owners[typ]
	if o == nil {
		return nil, "", false
	}
	m, ok := o.byName[name]
	return m.element, m.typ, ok
}

// Choice returns the names that a choice of types has in JSON, by its name in
// FHIRPath ("value" of an Observation); nil when it is no choice.
func (d *Definitions) Choice(typ, name string) []string {
	o := d.owners[typ]
	if o == nil {
		return nil
	}
	for _, e := range o.elements {
		if e.Choice() && strings.TrimSuffix(e.Name, "[x]") == name {
			names := make([]string, len(e.Types))
			for i, t := range e.Types {
				names[i] = choiceName(e.Name, t)
			}
			return names
		}
	}
	return nil
}

// Primitive reports whether a type is written as a bare JSON value, with a
// twin for its id and extensions.
func Primitive(typ string) bool { return primitive(typ) }

// TypeOfElement returns the FHIR type of a value within a resource, "" for
// what the definitions do not know.
func (d *Definitions) TypeOfElement(v Value) string {
	var names []string
	at := v
	for at.n > 0 {
		if at.Kind() == Object && at.Get("resourceType").Exists() {
			break
		}
		parent := Value{at.d, at.node().parent}
		if parent.Kind() == Object {
			names = append(names, at.d.key(at.n))
		}
		at = parent
	}
	typ := at.Get("resourceType").Str()
	for i := len(names) - 1; i >= 0 && typ != ""; i-- {
		_, next, known := d.Child(typ, names[i])
		if !known && strings.HasPrefix(names[i], "_") {
			next = "Element" // what a primitive has besides its value
		}
		typ = next
	}
	return typ
}
