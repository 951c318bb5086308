package fhir

import (
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
)

// maxIssues bounds what is said of one resource.
const maxIssues = 50

// Issues are what validation found.
type Issues []Issue

// InvalidError is the cause of the fault that Validate returns: all that is
// wrong, for the FHIR face to tell.
type InvalidError struct{ Issues Issues }

// Error tells only how many issues there are; each is told to the caller.
func (e *InvalidError) Error() string { return strconv.Itoa(len(e.Issues)) + " issues" }

// Errors returns the issues of severity error.
func (i Issues) Errors() Issues {
	var list Issues
	for _, x := range i {
		if x.Severity == "error" {
			list = append(list, x)
		}
	}
	return list
}

// Validate refuses a resource that breaks the base definitions. The error
// carries the first issue, and all of them as its cause, an InvalidError.
func (d *Definitions) Validate(resource Value) error {
	c := checker{d: d}
	c.document(resource)
	return c.refusal()
}

// refusal is the error that tells the issues, nil where there are none.
func (c *checker) refusal() error {
	if len(c.issues) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, c.issues[0].Diagnostics, &InvalidError{c.issues}).In(c.issues[0].Expression)
}

// Check returns everything that can be said of a resource against the base
// definitions, warnings too: structure, cardinality, the form of primitive
// values, required bindings, types of references and invariants
// (https://hl7.org/fhir/R4/validation.html). Profiles are not checked.
func (d *Definitions) Check(resource Value) Issues {
	c := checker{d: d, warn: true}
	c.document(resource)
	return c.issues
}

// checker walks one resource.
type checker struct {
	d    *Definitions
	warn bool
	// envelope leaves out the resources that it comes to.
	envelope bool
	issues   Issues

	// resource is %resource, root %rootResource: the one that contains it.
	resource, root Value
	// local are the values that begin with '#', local references and canonicals.
	local []local
}

// local is a value that begins with '#'.
type local struct {
	Value
	reference bool // of a Reference, else a canonical or URI
}

func (c *checker) add(v Value, severity, code, message string) {
	if len(c.issues) < maxIssues {
		c.issues = append(c.issues, Issue{Severity: severity, Code: code, Diagnostics: message, Expression: v.Path()})
	}
}

func (c *checker) fail(v Value, code, message string) { c.add(v, "error", code, message) }

// full ends the walk of a resource of which enough was said.
func (c *checker) full() bool { return len(c.issues) >= maxIssues }

// document checks a resource that stands by itself.
func (c *checker) document(v Value) {
	before, beforeRoot, beforeLocal := c.resource, c.root, c.local
	c.root, c.local = v, nil
	c.any(v)
	c.contained(v)
	c.resource, c.root, c.local = before, beforeRoot, beforeLocal
}

// any checks a resource of whatever type it says.
func (c *checker) any(v Value) {
	if v.Kind() != Object {
		c.fail(v, "structure", "a resource is a JSON object")
		return
	}
	typ := v.Get("resourceType").Str()
	if c.d.Number(typ) == 0 {
		c.fail(v, "structure", "resourceType is no resource type of FHIR R4")
		return
	}
	before := c.resource
	c.resource = v
	c.object(v, c.d.owners[typ])
	c.resource = before
}

func (c *checker) object(v Value, o *owner) {
	if o == nil || c.full() {
		return
	}
	d, src := v.d, v.d.src
	var seen uint64
	empty := true
	for i := v.node().child; i != 0; i = d.nodes[i].next {
		n := &d.nodes[i]
		key := src[n.keyStart:n.keyEnd]
		if n.keyEscaped {
			key = []byte(d.key(i))
		}
		if o.resource && string(key) == "resourceType" {
			continue
		}
		twin := len(key) > 0 && key[0] == '_'
		if twin {
			key = key[1:]
		}
		m, ok := o.byName[string(key)]
		switch {
		case !ok:
			c.fail(Value{d, i}, "structure", "the element is not known in "+o.name)
			continue
		case twin && !m.primitive:
			c.fail(Value{d, i}, "structure", "only primitive elements have a twin with an underscore")
			continue
		}
		// An id alone is no content (ele-1).
		empty = empty && m.element.Name == "id" && !o.resource
		bit := uint64(1) << m.element.place
		if m.element.choice {
			c.choice(v, Value{d, i}, m, seen&bit != 0)
		}
		seen |= bit
		c.element(Value{d, i}, m, twin)
	}
	if empty && !o.resource && !c.valued(v) {
		c.fail(v, "invariant", "ele-1: All FHIR elements must have a @value or children")
	}
	if missing := o.required &^ seen; missing != 0 {
		for _, e := range o.elements {
			if missing&(1<<e.place) != 0 {
				c.fail(v, "required", strings.TrimSuffix(e.Name, "[x]")+" is required in "+o.name)
			}
		}
	}
	c.invariants(v, o.rules, o.name)
}

// choice refuses a second type of an element such as value[x]. A value and its
// own twin are of the same type.
func (c *checker) choice(object, v Value, m member, again bool) {
	if !again {
		return
	}
	for _, t := range m.element.Types {
		name := choiceName(m.element.Name, t)
		if t != m.typ && (object.Get(name).Exists() || object.Get("_"+name).Exists()) {
			c.fail(v, "structure", "only one type of "+m.element.Name+" may be given")
			return
		}
	}
}

func (c *checker) element(v Value, m member, twin bool) {
	if !m.element.Many {
		if v.Kind() == Array {
			c.fail(v, "structure", "only one value is allowed, so it is no array")
			return
		}
		c.one(v, m, twin)
		return
	}
	if v.Kind() != Array {
		c.fail(v, "structure", "several values are allowed, so it must be an array")
		return
	}
	first := v.node().child
	if first == 0 {
		c.fail(v, "structure", "an array must have an item")
		return
	}
	for i := first; i != 0; i = v.d.nodes[i].next {
		item := Value{v.d, i}
		if item.Kind() == Null && m.primitive {
			// null holds the place of a value or of its twin.
			if other := item.twin(); !other.Exists() || other.Kind() == Null {
				c.fail(item, "structure", "null holds the place of a value or of its extensions, but there is neither")
			}
			continue
		}
		c.one(item, m, twin)
	}
}

// twin returns the other half of a primitive element: of "x" its "_x" and the
// reverse, within arrays the item at the same place
// (https://hl7.org/fhir/R4/json.html#primitive).
func (v Value) twin() Value {
	at, index := v.n, -1
	parent := v.d.nodes[at].parent
	if parent >= 0 && v.d.nodes[parent].kind == Array {
		for i := v.d.nodes[parent].child; i != 0 && i != v.n; i = v.d.nodes[i].next {
			index++
		}
		index++
		at, parent = parent, v.d.nodes[parent].parent
	}
	if parent < 0 {
		return Value{}
	}
	name, cut := strings.CutPrefix(v.d.key(at), "_")
	if !cut {
		name = "_" + name
	}
	other := Value{v.d, parent}.Get(name)
	if index >= 0 {
		return other.Index(index)
	}
	return other
}

// valued reports whether an object is the twin of a value, which may have an
// id and nothing else.
func (c *checker) valued(v Value) bool {
	if v.node().child == 0 {
		return false
	}
	key := v
	if p := v.node().parent; p >= 0 && v.d.nodes[p].kind == Array {
		key = Value{v.d, p}
	}
	if !strings.HasPrefix(v.d.key(key.n), "_") {
		return false
	}
	other := v.twin()
	return other.Exists() && other.Kind() != Null
}

func (c *checker) one(v Value, m member, twin bool) {
	switch {
	case twin:
		if v.Kind() != Object {
			c.fail(v, "structure", "a JSON object is expected (Element)")
			return
		}
		c.object(v, c.d.owners["Element"])
		return
	case m.primitive:
		c.primitive(v, m)
	case v.Kind() != Object:
		c.fail(v, "structure", "a JSON object is expected ("+m.typ+")")
		return
	case m.typ == "Resource":
		if c.envelope {
			return
		}
		if m.element.Name == "contained" {
			c.any(v)
		} else {
			c.document(v)
		}
		return
	default:
		if m.typ == "Reference" {
			c.reference(v, m.element)
		}
		if m.element.codes != nil {
			c.concept(v, m)
		}
		c.object(v, m.owner)
	}
	if len(m.element.rules) > 0 {
		c.invariants(v, m.element.rules, m.typ)
	}
}
