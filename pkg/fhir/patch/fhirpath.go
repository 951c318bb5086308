package patch

import (
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// fhirPatch is a FHIRPath Patch.
type fhirPatch struct {
	defs *fhir.Definitions
	list []change
}

type change struct {
	typ   string // add, insert, delete, replace, move
	path  path
	name  string
	value fhir.Value // the part "value"
	// index of insert; source and destination of move.
	index, source, destination int
}

// ParseFHIRPath reads a Parameters resource with operations
// (https://hl7.org/fhir/R4/fhirpatch.html); what is none is fault.Invalid.
func ParseFHIRPath(defs *fhir.Definitions, parameters fhir.Value) (Patch, error) {
	if parameters.Get("resourceType").Str() != "Parameters" {
		return nil, invalid("a FHIRPath Patch is a Parameters resource")
	}
	if err := defs.Validate(parameters); err != nil {
		return nil, err
	}
	p := &fhirPatch{defs: defs}
	for v := range parameters.Get("parameter").Items() {
		if len(p.list) == maxOperations {
			return nil, fault.Newf(fault.TooLarge, "a patch has at most %d operations", maxOperations)
		}
		c, err := readChange(v)
		if err != nil {
			return nil, fault.Of(err).In(parameter(len(p.list)))
		}
		p.list = append(p.list, c)
	}
	return p, nil
}

func parameter(i int) string { return "Parameters.parameter[" + strconv.Itoa(i) + "]" }

// needs are the parts that each operation must have.
var needs = map[string][]string{
	"add": {"path", "name", "value"}, "insert": {"path", "value", "index"}, "delete": {"path"},
	"replace": {"path", "value"}, "move": {"path", "source", "destination"},
}

func readChange(v fhir.Value) (change, error) {
	c := change{}
	if v.Get("name").Str() != "operation" {
		return c, invalid("each parameter is an operation").In("name")
	}
	have := map[string]bool{}
	for part := range v.Get("part").Items() {
		name := part.Get("name").Str()
		if have[name] {
			return c, invalid("the part " + strconv.Quote(name) + " stands twice").In("part")
		}
		have[name] = true
		var err error
		switch name {
		case "type":
			c.typ = part.Get("valueCode").Str() + part.Get("valueString").Str()
		case "path":
			c.path, err = parsePath(part.Get("valueString").Str())
		case "name":
			c.name = part.Get("valueString").Str() + part.Get("valueCode").Str()
		case "value":
			c.value = part
		case "index":
			c.index, err = whole(part)
		case "source":
			c.source, err = whole(part)
		case "destination":
			c.destination, err = whole(part)
		default:
			err = invalid("an operation has the parts type, path, name, value, index, source and destination")
		}
		if err != nil {
			return c, fault.Of(err).In("part")
		}
	}
	want, ok := needs[c.typ]
	if !ok {
		return c, invalid("the type is add, insert, delete, replace or move").In("part")
	}
	for _, name := range want {
		if !have[name] {
			return c, invalid(c.typ + " needs the part " + name).In("part")
		}
	}
	return c, nil
}

func whole(part fhir.Value) (int, error) {
	for _, name := range []string{"valueInteger", "valueUnsignedInt", "valuePositiveInt"} {
		if v := part.Get(name); v.Exists() {
			n, err := strconv.Atoi(v.Text())
			if err == nil && n >= 0 {
				return n, nil
			}
		}
	}
	return 0, invalid("a whole number is expected (valueInteger)")
}

// Apply carries out the operations one after another.
func (p *fhirPatch) Apply(resource fhir.Value) ([]byte, error) {
	t := &tree{defs: p.defs, root: &location{index: -1, typ: resource.Get("resourceType").Str(), value: newNode(resource)}}
	for i, c := range p.list {
		if err := t.apply(c); err != nil {
			return nil, fault.Of(err).In(parameter(i))
		}
	}
	return t.root.value.write(make([]byte, 0, len(resource.Raw())+64)), nil
}

func (t *tree) apply(c change) error {
	switch c.typ {
	case "insert", "move":
		return t.list(c)
	}
	found, err := t.find([]*location{t.root}, c.path)
	if err != nil {
		return err
	}
	switch {
	case len(found) == 0 && c.typ == "delete":
		return nil // only of delete it is no error that nothing is there
	case len(found) == 0:
		return unprocessable("there is nothing at the path")
	case len(found) > 1:
		return unprocessable("the path leads to several elements; name one of them")
	}
	switch c.typ {
	case "add":
		return t.attach(found[0], c.name, c.value)
	case "replace":
		return t.replace(found[0], c.value)
	default:
		return t.remove(found[0])
	}
}

// list carries out insert and move, whose path names a whole list.
func (t *tree) list(c change) error {
	n := len(c.path)
	if n == 0 || c.path[n-1].call != "member" {
		return unprocessable("the path must end in the name of a list")
	}
	name := c.path[n-1].name
	found, err := t.find([]*location{t.root}, c.path[:n-1])
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return unprocessable("the path must lead to exactly one list")
	}
	l := found[0]
	e, typ, ok := t.defs.Child(l.owner(), name)
	if !ok || !e.Many {
		return unprocessable("the path must end in the name of a list")
	}
	box := t.hold(l)
	size := max(box.member(name).length(), box.member("_"+name).length())
	if c.typ == "insert" {
		if c.index > size {
			return unprocessable("the index is larger than the list is long")
		}
		return t.insert(box, name, typ, c.index, size, c.value)
	}
	if c.source >= size || c.destination >= size {
		return unprocessable("the list has no such place")
	}
	for _, twin := range []string{name, "_" + name} {
		if list := box.member(twin); list != nil {
			pad(list, size)
			list.insert(c.destination, list.remove(c.source))
			tidy(box, twin)
		}
	}
	return nil
}

// attach adds an element to l, at the end where it is a list.
func (t *tree) attach(l *location, name string, part fhir.Value) error {
	jsonName, e, typ, err := t.called(l.owner(), name, part)
	if err != nil {
		return err
	}
	box := t.hold(l)
	if e.Many {
		size := max(box.member(jsonName).length(), box.member("_"+jsonName).length())
		return t.insert(box, jsonName, typ, size, size, part)
	}
	if there, err := t.children(l, base(e)); err != nil || len(there) > 0 {
		return unprocessable("the element is there already and does not repeat; replace it")
	}
	return t.put(box, jsonName, typ, part)
}

// called returns what an element is called in JSON, by the type of its value
// where it is a choice.
func (t *tree) called(owner, name string, part fhir.Value) (string, *fhir.Element, string, error) {
	jsonName := name
	if names := t.defs.Choice(owner, name); names != nil {
		member, _ := given(part)
		jsonName = name + strings.TrimPrefix(member, "value")
		if !slices.Contains(names, jsonName) {
			return "", nil, "", unprocessable("the element cannot have a value of this type")
		}
	}
	e, typ, ok := t.defs.Child(owner, jsonName)
	if !ok || jsonName == name && e.Choice() {
		return "", nil, "", unprocessable("the type has no element of this name")
	}
	return jsonName, e, typ, nil
}

// given returns the value[x] of a part: its name without the underscore.
func given(part fhir.Value) (string, bool) {
	for name := range part.Members() {
		if name = strings.TrimPrefix(name, "_"); strings.HasPrefix(name, "value") {
			return name, true
		}
	}
	return "", false
}

// content makes the value, and the twin of a primitive, that a part gives: a
// value[x], a resource, or parts for a type without a name.
func (t *tree) content(typ string, part fhir.Value) (value, twin *node, err error) {
	if r := part.Get("resource"); r.Exists() {
		return newNode(r), nil, nil
	}
	if name, ok := given(part); ok {
		if v := part.Get(name); v.Exists() {
			value = newNode(v)
		}
		if v := part.Get("_" + name); v.Exists() {
			twin = newNode(v)
		}
		return value, twin, nil
	}
	l := &location{index: -1, typ: typ, value: built(fhir.Object)}
	for p := range part.Get("part").Items() {
		if err := t.attach(l, p.Get("name").Str(), p); err != nil {
			return nil, nil, err
		}
	}
	if l.value.length() == 0 || fhir.Primitive(typ) {
		return nil, nil, unprocessable("the operation has no value")
	}
	return l.value, nil, nil
}
