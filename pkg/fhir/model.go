package fhir

import (
	"strings"

	"github.com/yba-health/yba/pkg/fhirpath"
)

// model is what FHIRPath asks of the types. A backbone element's type is its
// path, as in the table of elements.
type model struct{ d *Definitions }

// Known reports whether R4 has the type.
func (m model) Known(typ string) bool {
	switch typ {
	case "boolean", "integer", "decimal", "string", "uri", "date", "dateTime", "instant", "time", "base64Binary", "xhtml",
		"code", "id", "markdown", "url", "canonical", "oid", "uuid", "positiveInt", "unsignedInt", "Resource", "DomainResource":
		return true
	}
	return m.d.owners[typ] != nil
}

// Is reports whether a type is another, or specializes it.
func (m model) Is(typ, parent string) bool {
	for ; typ != ""; typ = m.parent(typ) {
		if typ == parent {
			return true
		}
	}
	return false
}

// Has reports whether a type has an element; a choice has its bare name.
func (m model) Has(typ, name string) bool {
	o := m.d.owners[typ]
	if o == nil || !o.resource && primitive(typ) {
		o = m.d.owners["Element"]
	}
	e, direct := o.byName[name]
	if direct {
		return !e.element.choice
	}
	for _, e := range o.elements {
		if e.choice && len(e.Name) == len(name)+3 && e.Name[:len(name)] == name {
			return true
		}
	}
	return false
}

// parent returns the type that a type specializes
// (https://hl7.org/fhir/R4/datatypes.html).
func (m model) parent(typ string) string {
	switch typ {
	case "", "Resource", "Element":
		return ""
	case "Bundle", "Binary", "Parameters", "DomainResource":
		return "Resource"
	case "code", "id", "markdown":
		return "string"
	case "url", "canonical", "oid", "uuid":
		return "uri"
	case "positiveInt", "unsignedInt":
		return "integer"
	case "Age", "Count", "Distance", "Duration":
		return "Quantity"
	case "Timing", "Dosage", "ElementDefinition":
		return "BackboneElement"
	}
	switch o := m.d.owners[typ]; {
	case m.d.Number(typ) > 0:
		return "DomainResource"
	case o != nil && strings.Contains(typ, ".") && o.byName["modifierExtension"].element != nil:
		return "BackboneElement"
	}
	return "Element"
}

// element is an element of a resource as FHIRPath sees it: a primitive is its
// value and its twin.
type element struct {
	d   *Definitions
	typ string
	// v is the value, twin what is written beside it; either may be absent.
	v, twin Value
}

// Type is the type of FHIR.
func (e element) Type() string { return e.typ }

// Value is a primitive's value.
func (e element) Value() (string, bool) {
	k := e.v.Kind()
	return e.v.Text(), k == String || k == Number || k == Bool
}

// JSON is how the element is written; a primitive without a value is written
// as its extensions.
func (e element) JSON() string {
	if e.v.Exists() {
		return string(e.v.Raw())
	}
	return string(e.twin.Raw())
}

// Equal compares the values; the order of members does not matter.
func (e element) Equal(other fhirpath.Node) bool {
	o, ok := other.(element)
	return ok && Same(e.v, o.v) && Same(e.twin, o.twin)
}

// Children returns the named elements, "" all of them, in their order.
func (e element) Children(name string) []fhirpath.Node {
	o := e.d.owners[e.typ]
	in := e.v
	if primitive(e.typ) {
		o, in = e.d.owners["Element"], e.twin
	}
	if o == nil || in.Kind() != Object {
		return nil
	}
	var out []fhirpath.Node
	for key, v := range in.Members() {
		plain := strings.TrimPrefix(key, "_")
		m, ok := o.byName[plain]
		if !ok || plain != key && in.Get(plain).Exists() || name != "" && strings.TrimSuffix(m.element.Name, "[x]") != name {
			continue
		}
		twin := in.Get("_" + plain)
		if plain != key {
			v = Value{}
		}
		out = append(out, e.d.elements(m, v, twin)...)
	}
	return out
}

// elements joins values with their twins.
func (d *Definitions) elements(m member, v, twin Value) []fhirpath.Node {
	if v.Kind() != Array && twin.Kind() != Array {
		typ := m.typ
		if typ == "Resource" {
			typ = v.Get("resourceType").Str()
		}
		if typ == "String" {
			typ = "string"
		}
		return []fhirpath.Node{element{d, typ, v, twin}}
	}
	var out []fhirpath.Node
	value, other := v.Index(0), twin.Index(0)
	for value.Exists() || other.Exists() {
		out = append(out, d.elements(m, notNull(value), notNull(other))...)
		value, other = value.after(), other.after()
	}
	return out
}

func notNull(v Value) Value {
	if v.Kind() == Null {
		return Value{}
	}
	return v
}

// after returns the item behind this one.
func (v Value) after() Value {
	if !v.Exists() || v.node().next == 0 {
		return Value{}
	}
	return Value{v.d, v.node().next}
}
