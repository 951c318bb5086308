package fhir

import (
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
)

// Validate checks a resource against the base definitions: known elements,
// their cardinality and JSON kind, and the form of primitive values
// (https://hl7.org/fhir/R4/json.html). The error names the element. Bindings
// and invariants are not checked here.
func (d *Definitions) Validate(resource Value) error {
	if resource.Kind() != Object {
		return at(resource, "a resource is a JSON object")
	}
	typ := resource.Get("resourceType").Str()
	if d.Number(typ) == 0 {
		return at(resource, "resourceType is no resource type of FHIR R4")
	}
	return d.object(resource, typ)
}

func at(v Value, message string) error {
	f := fault.New(fault.Invalid, message, nil)
	f.At = v.Path()
	return f
}

func (d *Definitions) object(v Value, typ string) error {
	o := d.owners[typ]
	if o == nil {
		return nil
	}
	var seen uint64
	var count int
	for name, m := range v.Members() {
		count++
		if name == "resourceType" && d.numbers[typ] > 0 {
			continue
		}
		plain := strings.TrimPrefix(name, "_")
		known, ok := o.byName[plain]
		if !ok {
			return at(m, "the element is not known in "+typ)
		}
		bit := uint64(1) << (known.element.place & 63)
		switch {
		case name == plain:
			if seen&bit != 0 && known.element.Choice() && len(o.elements) <= 64 {
				return at(m, "only one type of "+known.element.Name+" may be given")
			}
			seen |= bit
		case !primitive(known.typ):
			return at(m, "only primitive elements have a twin with an underscore")
		default:
			// A primitive may have nothing but extensions.
			seen |= bit &^ choiceBit(known.element, bit)
		}
		if err := d.element(m, known, name != plain); err != nil {
			return err
		}
	}
	if count == 0 {
		return at(v, "an object must have a member")
	}
	return d.required(v, typ, o)
}

func choiceBit(e *Element, bit uint64) uint64 {
	if e.Choice() {
		return bit
	}
	return 0
}

func (d *Definitions) required(v Value, typ string, o *owner) error {
	for _, e := range o.elements {
		if e.Min == 0 {
			continue
		}
		found := false
		for _, t := range e.Types {
			name := e.Name
			if e.Choice() {
				name = choiceName(name, t)
			}
			if v.Get(name).Exists() || v.Get("_"+name).Exists() {
				found = true
				break
			}
		}
		if !found {
			return at(v, strings.TrimSuffix(e.Name, "[x]")+" is required in "+typ)
		}
	}
	return nil
}

func (d *Definitions) element(v Value, m member, twin bool) error {
	typ := m.typ
	if twin {
		typ = "Element"
	}
	if !m.element.Many {
		if v.Kind() == Array {
			return at(v, "only one value is allowed, so it is no array")
		}
		return d.one(v, typ)
	}
	if v.Kind() != Array {
		return at(v, "several values are allowed, so it must be an array")
	}
	n := 0
	for c := v.node().child; c != 0; c = v.d.nodes[c].next {
		n++
		item := Value{v.d, c}
		// null holds the place of a value or of its twin.
		if item.Kind() == Null && (twin || primitive(typ)) {
			continue
		}
		if err := d.one(item, typ); err != nil {
			return err
		}
	}
	if n == 0 {
		return at(v, "an array must have an item")
	}
	return nil
}

func (d *Definitions) one(v Value, typ string) error {
	if primitive(typ) {
		return value(v, typ)
	}
	if v.Kind() != Object {
		return at(v, "a JSON object is expected ("+typ+")")
	}
	if typ == "Resource" {
		return d.Validate(v)
	}
	return d.object(v, typ)
}

// primitive reports whether a type is written as a bare JSON value.
func primitive(typ string) bool {
	if typ == "" || strings.Contains(typ, ".") {
		return false
	}
	return typ[0] >= 'a' && typ[0] <= 'z' || typ == "String"
}

func value(v Value, typ string) error {
	want := String
	switch typ {
	case "boolean":
		want = Bool
	case "integer", "positiveInt", "unsignedInt", "decimal":
		want = Number
	}
	if v.Kind() != want {
		return at(v, "the JSON kind does not fit "+typ)
	}
	switch want {
	case Number:
		return numeric(v, typ)
	case Bool:
		return nil
	default: // a string
	}
	n := v.node()
	if n.end-n.start == 2 {
		return at(v, "a string must not be empty")
	}
	switch typ {
	case "date", "dateTime", "instant":
		return temporal(v, typ)
	case "id":
		if !ValidID(v.Str()) {
			return at(v, "an id has 1 to 64 letters, digits, hyphens and dots")
		}
	case "code":
		if s := v.Str(); s != strings.TrimSpace(s) || strings.Contains(s, "  ") {
			return at(v, "a code has no blanks at its ends")
		}
	case "uri", "url", "canonical", "oid", "uuid":
		if strings.ContainsAny(v.Str(), " \t\r\n") {
			return at(v, "a URI has no blanks")
		}
	}
	return nil
}

func numeric(v Value, typ string) error {
	raw := string(v.Raw())
	if typ == "decimal" {
		return nil
	}
	if strings.ContainsAny(raw, ".eE") {
		return at(v, "a whole number is expected")
	}
	if raw[0] == '-' && typ != "integer" || raw == "0" && typ == "positiveInt" {
		return at(v, "the number is too small for "+typ)
	}
	if len(strings.TrimPrefix(raw, "-")) > 10 {
		return at(v, "the number is too large")
	}
	return nil
}

func temporal(v Value, typ string) error {
	s := v.Str()
	if _, _, err := TimeRange(s, time.UTC); err != nil {
		f := fault.Of(err)
		return at(v, f.Message)
	}
	clock := strings.IndexByte(s, 'T')
	switch {
	case typ == "date" && clock >= 0:
		return at(v, "a date has no time of day")
	case typ == "instant" && clock < 0:
		return at(v, "an instant has a time of day and a zone")
	case clock >= 0 && !strings.ContainsAny(s[clock:], "Z+-"):
		return at(v, "a time of day needs its time zone")
	case clock >= 0 && len(s) < clock+9:
		return at(v, "a time of day needs its seconds")
	}
	return nil
}

// ValidID reports whether s has the form of a logical id
// (https://hl7.org/fhir/R4/datatypes.html#id).
func ValidID(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}
