package fhir

import (
	"fmt"
	"strings"
)

// Composite is an element in which the components of a composite parameter
// stand together (https://hl7.org/fhir/R4/search.html#composite).
type Composite struct {
	// Element leads from the resource to the elements; both components of a
	// match come from the same one.
	Element    Path
	Components []Component
}

// Component is one part of a composite parameter.
type Component struct {
	// Type is that of a search parameter: token, quantity, date, …
	Type  string
	Paths []Path // from the element, or from the resource
	// Root tells that Paths begin at the resource (%resource).
	Root bool
}

// composites resolves "Observation | Observation.component" with components
// such as "code ; value.ofType(Quantity)".
func (d *Definitions) composites(base, expression, components string) ([]Composite, error) {
	elements, _, err := d.compile(base, expression)
	if err != nil {
		return nil, err
	}
	var out []Composite
	for _, e := range elements {
		c := Composite{Element: e}
		for part := range strings.SplitSeq(components, " ; ") {
			component, err := d.component(base, e.Type, part)
			if err != nil {
				return nil, err
			}
			c.Components = append(c.Components, component)
		}
		out = append(out, c)
	}
	return out, nil
}

func (d *Definitions) component(base, element, expression string) (Component, error) {
	rest, root := strings.CutPrefix(expression, "%resource.")
	if root {
		element = base
	}
	paths, _, err := d.compile(element, rest)
	if err != nil {
		return Component{}, err
	}
	c := Component{Root: root}
	for _, p := range paths {
		typ := componentType(p.Type)
		if c.Type == "" {
			c.Type = typ
		}
		// Group.characteristic.value may be a Quantity as well, which the
		// parameter "value", a token, does not mean.
		if typ != "" && typ == c.Type {
			c.Paths = append(c.Paths, p)
		}
	}
	if len(c.Paths) == 0 {
		return c, fmt.Errorf("the component %q has no type", expression)
	}
	return c, nil
}

// componentType is the type of parameter that searches values of a FHIR type.
func componentType(typ string) string {
	switch typ {
	case "CodeableConcept", "Coding", "code", "boolean", "Identifier":
		return "token"
	case "Quantity", "Range", "Age", "Duration":
		return "quantity"
	case "dateTime", "date", "Period", "instant":
		return "date"
	case "string":
		return "string"
	case "integer", "decimal", "positiveInt", "unsignedInt":
		return "number"
	case "Reference":
		return "reference"
	case "uri", "canonical":
		return "uri"
	}
	return ""
}
