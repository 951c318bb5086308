package patch

import (
	"bytes"

	"github.com/yba-health/yba/pkg/fhir"
)

// node is a JSON value that can be changed. It is opened only where an
// operation looks into it; everything else stays the bytes it was.
type node struct {
	kind fhir.Kind
	raw  []byte     // the bytes, while it is not opened
	from fhir.Value // what raw was read from
	open bool
	kids []kid
	tail []byte // the bytes between the last kid and the closing bracket
}

// kid is a member or an item, with the bytes around it as they stood: lead
// goes from the comma or bracket to the value, the name and colon included.
type kid struct {
	name        string
	lead, trail []byte
	value       *node
}

func newNode(v fhir.Value) *node { return &node{kind: v.Kind(), raw: v.Raw(), from: v} }

// parsed makes a node of a JSON text.
func parsed(text []byte) (*node, error) {
	doc, err := fhir.Parse(text)
	if err != nil {
		return nil, err
	}
	return newNode(doc.Root()), nil
}

// built is a container that is made anew.
func built(kind fhir.Kind) *node { return &node{kind: kind, open: true} }

func null() *node { return &node{kind: fhir.Null, raw: []byte("null")} }

// expand opens a container.
func (n *node) expand() {
	if n.open || n.kind != fhir.Object && n.kind != fhir.Array {
		return
	}
	n.open = true
	base, end := n.from.Span()
	at := func(from, to int) []byte { return n.raw[from-base : to-base] }
	last := base + 1
	add := func(name string, v fhir.Value) {
		start, stop := v.Span()
		lead := at(last, start)
		if i := len(n.kids); i > 0 {
			comma := bytes.IndexByte(lead, ',')
			n.kids[i-1].trail, lead = lead[:comma], lead[comma+1:]
		}
		n.kids = append(n.kids, kid{name: name, lead: lead, value: newNode(v)})
		last = stop
	}
	if n.kind == fhir.Object {
		for name, v := range n.from.Members() {
			add(name, v)
		}
	} else {
		for v := range n.from.Items() {
			add("", v)
		}
	}
	n.tail = at(last, end-1)
}

// write appends the node's text.
func (n *node) write(out []byte) []byte {
	if !n.open {
		return append(out, n.raw...)
	}
	brackets := "{}"
	if n.kind == fhir.Array {
		brackets = "[]"
	}
	out = append(out, brackets[0])
	for i := range n.kids {
		k := &n.kids[i]
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, k.lead...)
		out = k.value.write(out)
		out = append(out, k.trail...)
	}
	out = append(out, n.tail...)
	return append(out, brackets[1])
}

// find returns the place of a member, -1 when there is none.
func (n *node) find(name string) int {
	if n.kind != fhir.Object {
		return -1
	}
	n.expand()
	for i := range n.kids {
		if n.kids[i].name == name {
			return i
		}
	}
	return -1
}

// member returns the named member, nil when there is none.
func (n *node) member(name string) *node {
	if n == nil {
		return nil
	}
	if i := n.find(name); i >= 0 {
		return n.kids[i].value
	}
	return nil
}

// put sets the named member.
func (n *node) put(name string, v *node) {
	if i := n.find(name); i >= 0 {
		n.kids[i].value = v
		return
	}
	n.expand()
	n.kids = append(n.kids, kid{name: name, lead: []byte(fhir.Quote(name) + ":"), value: v})
}

// insert puts v before the i-th item.
func (n *node) insert(i int, v *node) {
	n.expand()
	n.kids = append(n.kids, kid{})
	copy(n.kids[i+1:], n.kids[i:])
	n.kids[i] = kid{value: v}
}

// remove takes the i-th member or item out and returns it.
func (n *node) remove(i int) *node {
	n.expand()
	v := n.kids[i].value
	n.kids = append(n.kids[:i], n.kids[i+1:]...)
	return v
}

// drop removes the named member, if it is there.
func (n *node) drop(name string) {
	if i := n.find(name); i >= 0 {
		n.remove(i)
	}
}

// length is the number of members or items.
func (n *node) length() int {
	if n == nil {
		return 0
	}
	n.expand()
	return len(n.kids)
}

// item returns the i-th item, nil when there is none.
func (n *node) item(i int) *node {
	if n == nil || n.kind != fhir.Array || i < 0 || i >= n.length() {
		return nil
	}
	return n.kids[i].value
}

// text returns a node's characters: a string's without quotes.
func (n *node) text() string {
	if n == nil || n.kind == fhir.Object || n.kind == fhir.Array {
		return ""
	}
	return n.from.Text()
}
