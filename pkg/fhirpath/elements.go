package fhirpath

import "strings"

// elements are the functions of FHIR over elements
// (https://hl7.org/fhir/R4/fhirpath.html#functions).
func elements() map[string]function {
	return map[string]function{
		"hasValue": {run: func(c *calling) ([]item, error) { return is(len(c.input) == 1 && c.input[0].kind != object) }},
		"getValue": {run: func(c *calling) ([]item, error) {
			i, ok, err := c.single()
			if err != nil || !ok || i.kind == object {
				return nil, err
			}
			i.node = nil
			return one(i)
		}},
		"extension":  {min: 1, max: 1, run: extension},
		"conformsTo": {min: 1, max: 1, run: conformsTo},
		"type":       {run: typeOf},
		// What a reference leads to is known to nobody here.
		"resolve": {run: func(c *calling) ([]item, error) { return c.resolve(), nil }},
	}
}

func extension(c *calling) ([]item, error) {
	url, ok, err := c.textArg(0)
	if err != nil || !ok {
		return nil, err
	}
	var out []item
	for _, i := range c.input {
		if i.node == nil {
			continue
		}
		for _, n := range i.node.Children("extension") {
			if first(n.Children("url")).s == url {
				out = append(out, fromNode(n))
			}
		}
	}
	return out, nil
}

// conformsTo knows the base definitions only.
func conformsTo(c *calling) ([]item, error) {
	profile, ok, err := c.textArg(0)
	if err != nil || !ok {
		return nil, err
	}
	i, ok, err := c.single()
	if err != nil || !ok || i.node == nil {
		return nil, err
	}
	typ, base := strings.CutPrefix(profile, "http://hl7.org/fhir/StructureDefinition/")
	if !base || !c.Model.Known(typ) {
		return nil, wrong("the profile is not known")
	}
	return is(c.Model.Is(i.node.Type(), typ))
}

// resolve finds what is contained.
func (c *calling) resolve() []item {
	var out []item
	for _, i := range c.input {
		if i.node == nil {
			continue
		}
		ref := i.s
		if i.kind == object {
			ref = first(i.node.Children("reference")).s
		}
		id, local := strings.CutPrefix(ref, "#")
		if !local {
			continue
		}
		for _, n := range c.Root.Children("contained") {
			if first(n.Children("id")).s == id {
				out = append(out, fromNode(n))
			}
		}
	}
	return out
}

// typeOf tells namespace and name of each item's type.
func typeOf(c *calling) ([]item, error) {
	var out []item
	for _, i := range c.input {
		t := typeInfo{"System", systemTypes[i.kind]}
		if i.node != nil {
			t = typeInfo{"FHIR", i.node.Type()}
		}
		out = append(out, item{node: t})
	}
	return out, nil
}

// typeInfo is what type() tells.
type typeInfo struct{ namespace, name string }

// Type is the type of what tells a type.
func (t typeInfo) Type() string { return "TypeInfo" }

// Children are the namespace and the name.
func (t typeInfo) Children(name string) []Node {
	switch name {
	case "namespace":
		return []Node{bare(t.namespace)}
	case "name":
		return []Node{bare(t.name)}
	}
	return nil
}

// Value is none.
func (t typeInfo) Value() (string, bool) { return "", false }

// JSON is the type's whole name.
func (t typeInfo) JSON() string { return t.namespace + "." + t.name }

// Equal compares the names.
func (t typeInfo) Equal(other Node) bool { return other == Node(t) }

// bare is a string that stands in no resource but is reached by a name.
type bare string

// Type is string.
func (b bare) Type() string { return "string" }

// Children are none.
func (b bare) Children(string) []Node { return nil }

// Value is the string.
func (b bare) Value() (string, bool) { return string(b), true }

// JSON is the string as it is.
func (b bare) JSON() string { return string(b) }

// Equal compares the strings.
func (b bare) Equal(other Node) bool { return other == Node(b) }
