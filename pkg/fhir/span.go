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

// Literals yields every string of the document that is the member
// "reference": in R4 that is always Reference.reference.
func (d *Doc) Literals() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for i := range d.nodes {
			n := &d.nodes[i]
			if n.kind != String || !n.keyEscaped && string(d.src[n.keyStart:n.keyEnd]) != "reference" || n.keyEscaped && d.key(int32(i)) != "reference" {
				continue
			}
			if !yield(Value{d, int32(i)}) {
				return
			}
		}
	}
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
		_, typ, _ = d.Child(typ, names[i])
	}
	return typ
}
