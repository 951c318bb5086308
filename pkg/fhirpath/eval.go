package fhirpath

import (
	"slices"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
)

// Limits of an evaluation.
const (
	maxSteps = 2_000_000
	maxItems = 100_000
	maxText  = 1 << 20
)

// Model is what evaluation asks of the types of FHIR.
type Model interface {
	// Is reports whether a type is another, or specializes it.
	Is(typ, parent string) bool
	// Known reports whether there is such a type.
	Known(typ string) bool
	// Has reports whether a type has an element; a choice has its bare name.
	Has(typ, name string) bool
}

// Input is what an expression is evaluated over. Resource and Root are the
// resource around the focus and the one that contains that; nil stands for
// the focus itself.
type Input struct {
	Focus, Resource, Root Node
	Model                 Model
	// Strict makes a name that no element can have an error; without it, it
	// is nothing.
	Strict bool
}

// Item is one item of a result: its type and how it is written.
type Item struct{ Type, Text string }

// Result is a collection.
type Result struct{ items []item }

// Items returns the items in their order.
func (r Result) Items() []Item {
	list := make([]Item, len(r.items))
	for i, x := range r.items {
		list[i] = Item{x.typeName(), x.String()}
	}
	return list
}

// False reports whether the result is the boolean false.
func (r Result) False() bool {
	return len(r.items) == 1 && r.items[0].kind == boolean && !r.items[0].b
}

// Evaluate evaluates the expression.
func (x *Expression) Evaluate(in Input) (Result, error) {
	if in.Resource == nil {
		in.Resource = in.Focus
	}
	if in.Root == nil {
		in.Root = in.Resource
	}
	e := evaluation{Input: in, now: time.Now(), left: maxSteps}
	list, err := e.eval(x.tree, scope{this: []item{fromNode(in.Focus)}})
	if err == nil && e.left < 0 {
		err = errTooLong()
	}
	return Result{list}, err
}

type evaluation struct {
	Input
	now  time.Time
	left int
}

// scope is what $this, $index and $total are.
type scope struct {
	this  []item
	index int
	total []item
}

func errTooLong() error { return wrong("the evaluation takes too long") }

func wrong(format string, args ...any) error {
	return fault.Newf(fault.Invalid, "FHIRPath: "+format, args...)
}

func (e *evaluation) eval(x *expr, s scope) ([]item, error) {
	if e.left--; e.left < 0 {
		return nil, errTooLong()
	}
	input := s.this
	if x.base != nil {
		var err error
		if input, err = e.eval(x.base, s); err != nil {
			return nil, err
		}
	}
	switch x.form {
	case literal:
		return x.value, nil
	case member:
		return e.member(x, input)
	case call:
		return e.call(x, input, s)
	case index:
		return e.index(x, input, s)
	case unary:
		return e.unary(x, s)
	case binary:
		return e.binary(x, s)
	case typed:
		list, err := e.eval(x.args[0], s)
		if err != nil {
			return nil, err
		}
		return e.asType(x.name, x.typ, list)
	case external:
		return e.external(x.name)
	case special:
		return e.special(x.name, s), nil
	}
	return nil, wrong("an unknown form")
}

func (e *evaluation) special(name string, s scope) []item {
	switch name {
	case "$index":
		return []item{intItem(s.index)}
	case "$total":
		return s.total
	}
	return s.this
}

func (e *evaluation) external(name string) ([]item, error) {
	node := func(n Node) ([]item, error) { return []item{fromNode(n)}, nil }
	switch name {
	case "resource":
		return node(e.Resource)
	case "rootResource":
		return node(e.Root)
	case "context":
		return node(e.Focus)
	case "ucum":
		return []item{textItem("http://unitsofmeasure.org")}, nil
	case "sct":
		return []item{textItem("http://snomed.info/sct")}, nil
	case "loinc":
		return []item{textItem("http://loinc.org")}, nil
	}
	if set, ok := strings.CutPrefix(name, "vs-"); ok {
		return []item{textItem("http://hl7.org/fhir/ValueSet/" + set)}, nil
	}
	if ext, ok := strings.CutPrefix(name, "ext-"); ok {
		return []item{textItem("http://hl7.org/fhir/StructureDefinition/" + ext)}, nil
	}
	return nil, wrong("there is no constant %%%s", name)
}

// member follows a name. The first name of a path may be the type of what it
// begins at.
func (e *evaluation) member(x *expr, input []item) ([]item, error) {
	if x.base == nil && e.Model.Known(x.name) && x.name[0] >= 'A' && x.name[0] <= 'Z' {
		var out []item
		for _, i := range input {
			if i.node != nil && e.Model.Is(i.node.Type(), x.name) {
				out = append(out, i)
			}
		}
		if len(out) == 0 && len(input) > 0 && e.Strict {
			return nil, wrong("the path begins at another type than %s", x.name)
		}
		return out, nil
	}
	var out []item
	possible := len(input) == 0
	for _, i := range input {
		if i.node == nil {
			continue
		}
		if _, info := i.node.(typeInfo); !info && !e.Model.Has(i.node.Type(), x.name) {
			continue
		}
		possible = true
		out = append(out, fromNodes(i.node.Children(x.name))...)
	}
	if e.Strict && !possible {
		return nil, wrong("there is no element %s here", x.name)
	}
	return e.bounded(out)
}

func (e *evaluation) bounded(list []item) ([]item, error) {
	if e.left -= len(list); len(list) > maxItems {
		return nil, wrong("a collection has more than %d items", maxItems)
	}
	return list, nil
}

func (e *evaluation) index(x *expr, input []item, s scope) ([]item, error) {
	at, err := e.eval(x.args[0], s)
	if err != nil || len(at) == 0 {
		return nil, err
	}
	if len(at) != 1 || at[0].kind != integer {
		return nil, wrong("an index is one whole number")
	}
	i := int(at[0].n.r.Num().Int64())
	if !at[0].n.r.Num().IsInt64() || i < 0 || i >= len(input) {
		return nil, nil
	}
	return input[i : i+1], nil
}

// asType is "is" and "as", ofType and their functions
// (https://hl7.org/fhirpath/N1/#types).
func (e *evaluation) asType(op, typ string, list []item) ([]item, error) {
	typ, system := strings.CutPrefix(typ, "System.")
	typ, fhir := strings.CutPrefix(typ, "FHIR.")
	isSystem := func(t string) bool {
		for _, name := range systemTypes {
			if name == t {
				return true
			}
		}
		return false
	}
	if !isSystem(typ) && !e.Model.Known(typ) {
		return nil, wrong("there is no type %s", typ)
	}
	is := func(i item) bool {
		if i.node == nil {
			return !fhir && isSystem(typ) && systemTypes[i.kind] == typ
		}
		if system {
			return false
		}
		if op == "is" {
			return e.Model.Is(i.node.Type(), typ)
		}
		// Casting strings and whole numbers to what they specialize is not
		// done: each kind of string is a type of its own.
		return i.node.Type() == typ || i.kind == object && e.Model.Is(i.node.Type(), typ)
	}
	if op != "ofType" && len(list) > 1 {
		return nil, wrong("%s is asked of one item", op)
	}
	if op == "is" {
		if len(list) == 0 {
			return nil, nil
		}
		return []item{boolItem(is(list[0]))}, nil
	}
	return slices.DeleteFunc(slices.Clone(list), func(i item) bool { return !is(i) }), nil
}

// truth reads a collection as a boolean: one item that is no boolean is true
// (https://hl7.org/fhirpath/N1/#singleton-evaluation-of-collections).
func truth(list []item) (value, known bool, err error) {
	switch {
	case len(list) == 0:
		return false, false, nil
	case len(list) > 1:
		return false, false, wrong("one item is expected, not several")
	case list[0].kind == boolean:
		return list[0].b, true, nil
	}
	return true, true, nil
}

func (e *evaluation) unary(x *expr, s scope) ([]item, error) {
	list, err := e.eval(x.args[0], s)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	i := list[0]
	if len(list) > 1 || !isNumber(i) && i.kind != quantity {
		return nil, wrong("a number is expected after %s", x.name)
	}
	if x.name == "-" {
		i.n = number10{newRat().Neg(i.n.r), i.n.scale}
		i.node = nil
	}
	return []item{i}, nil
}
