package fhir

import (
	"slices"
	"strings"
)

// model is what FHIRPath asks of the types. A backbone element's type is its
// path, as in the table of elements.
type model struct{ d *Definitions }

func (m model) element(path string) *Element { return m.d.elementAt(path) }

// ChoiceTypes returns the types of a choice, asked for without its "[x]".
func (m model) ChoiceTypes(path string) []string {
	if e := m.element(path + "[x]"); e != nil {
		return e.Types
	}
	return nil
}

// TypeOf returns the type of an element.
func (m model) TypeOf(path string) string {
	dot := strings.LastIndexByte(path, '.')
	if dot < 0 || m.d.owners[path[:dot]] == nil {
		return ""
	}
	typ := m.d.owners[path[:dot]].byName[path[dot+1:]].typ
	if typ == "Resource" {
		return "" // it says itself
	}
	return typ
}

// ReferenceTargets returns the types that a reference may point at.
func (m model) ReferenceTargets(path string) []string {
	if e := m.element(path); e != nil {
		return e.targets
	}
	return nil
}

// ParentType returns the type that a type specializes
// (https://hl7.org/fhir/R4/datatypes.html).
func (m model) ParentType(typ string) string {
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

// IsSubtype reports whether child is parent or specializes it.
func (m model) IsSubtype(child, parent string) bool {
	for ; child != ""; child = m.ParentType(child) {
		if child == parent {
			return true
		}
	}
	return false
}

// ResolvePath returns the path as it is: content references are resolved in
// the types already.
func (m model) ResolvePath(path string) string { return path }

// IsResource reports whether a type is a resource's.
func (m model) IsResource(typ string) bool {
	return m.d.Number(typ) > 0 || slices.Contains([]string{"Resource", "DomainResource"}, typ)
}
