package patch

import (
	"bytes"
	"strings"

	"github.com/yba-health/yba/pkg/fhir"
)

// location is an element of a resource: where it hangs and what it is. A
// primitive has a value, a twin with its id and extensions, or both.
type location struct {
	parent *location
	name   string // in JSON
	index  int    // in a list, else -1
	typ    string
	value  *node
	twin   *node
}

// tree is a resource that FHIRPath Patch changes.
type tree struct {
	defs *fhir.Definitions
	root *location
}

// owner returns the type whose elements the location's children are.
func (l *location) owner() string {
	switch {
	case fhir.Primitive(l.typ):
		return "Element"
	case l.typ == "Resource":
		return l.value.member("resourceType").text()
	}
	return l.typ
}

// container returns the object that holds the children, nil for none.
func (l *location) container() *node {
	if fhir.Primitive(l.typ) {
		return l.twin
	}
	return l.value
}

// children returns the elements of a name, which in FHIRPath leaves out the
// type of a choice.
func (t *tree) children(l *location, name string) ([]*location, error) {
	owner := l.owner()
	names := t.defs.Choice(owner, name)
	if names == nil {
		e, _, ok := t.defs.Child(owner, name)
		if !ok || e.Choice() {
			return nil, unprocessable("the path names an element that its type does not have")
		}
		names = []string{name}
	}
	c := l.container()
	if c == nil {
		return nil, nil
	}
	var out []*location
	for _, n := range names {
		e, typ, _ := t.defs.Child(owner, n)
		v := c.member(n)
		var twin *node
		if fhir.Primitive(typ) {
			twin = c.member("_" + n)
		}
		if !e.Many {
			if v != nil || twin != nil {
				out = append(out, &location{l, n, -1, typ, v, twin})
			}
			continue
		}
		for i := range max(v.length(), twin.length()) {
			if value, own := present(v.item(i)), present(twin.item(i)); value != nil || own != nil {
				out = append(out, &location{l, n, i, typ, value, own})
			}
		}
	}
	return out, nil
}

// present makes nothing of a null, which only holds a place.
func present(n *node) *node {
	if n == nil || n.kind == fhir.Null {
		return nil
	}
	return n
}

// find returns the elements that p leads to from the given ones.
func (t *tree) find(from []*location, p path) ([]*location, error) {
	for i, s := range p {
		var next []*location
		switch s.call {
		case "member":
			if i == 0 && len(from) == 1 && from[0] == t.root && (s.name == t.root.typ || s.name == "Resource" || s.name == "DomainResource") {
				continue // the type that a path begins with
			}
			for _, l := range from {
				list, err := t.children(l, s.name)
				if err != nil {
					return nil, err
				}
				next = append(next, list...)
			}
		case "index":
			if s.index < len(from) {
				next = from[s.index : s.index+1]
			}
		case "first":
			next = from[:min(1, len(from))]
		case "last":
			next = from[max(0, len(from)-1):]
		case "ofType":
			for _, l := range from {
				if l.typ == s.name || l.typ == "Resource" && l.owner() == s.name {
					next = append(next, l)
				}
			}
		case "extension":
			for _, l := range from {
				list, err := t.children(l, "extension")
				if err != nil {
					return nil, err
				}
				for _, e := range list {
					if e.value.member("url").text() == s.name {
						next = append(next, e)
					}
				}
			}
		case "where":
			for _, l := range from {
				ok, err := t.holds(l, s.where)
				if err != nil {
					return nil, err
				}
				if ok {
					next = append(next, l)
				}
			}
		}
		from = next
	}
	return from, nil
}

// holds reports whether a condition is true of l. What is compared with
// nothing is not true, whatever the comparison (FHIRPath: empty).
func (t *tree) holds(l *location, c *condition) (bool, error) {
	switch c.op {
	case "and", "or":
		a, err := t.holds(l, c.a)
		if err != nil || a == (c.op == "or") {
			return a, err
		}
		return t.holds(l, c.b)
	case "not":
		a, err := t.holds(l, c.a)
		return !a, err
	}
	left, err := t.values(l, c.left)
	if err != nil {
		return false, err
	}
	switch c.op {
	case "exists":
		return len(left) > 0, nil
	case "empty":
		return len(left) == 0, nil
	}
	right, err := t.values(l, c.right)
	if err != nil || len(left) == 0 || len(right) == 0 {
		return false, err
	}
	same := len(left) == len(right)
	for i := 0; same && i < len(left); i++ {
		same = left[i] == right[i]
	}
	return same == (c.op == "="), nil
}

// values returns what an operand stands for, as text that can be compared.
func (t *tree) values(l *location, o operand) ([]string, error) {
	if o.literal {
		return []string{o.text}, nil
	}
	list, err := t.find([]*location{l}, o.path)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, x := range list {
		switch {
		case x.value == nil:
			out = append(out, "")
		case x.value.kind == fhir.Object:
			out = append(out, string(bytes.TrimSpace(x.value.write(nil))))
		default:
			out = append(out, x.value.text())
		}
	}
	return out, nil
}

// base returns an element's name in FHIRPath: of value[x] "value".
func base(e *fhir.Element) string { return strings.TrimSuffix(e.Name, "[x]") }
