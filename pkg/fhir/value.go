package fhir

import (
	"iter"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Value is one value of a Doc. The zero Value is absent; asking it for
// anything gives absent values and empty strings, so paths need no checks.
type Value struct {
	d *Doc
	n int32
}

// Root returns the whole value.
func (d *Doc) Root() Value { return Value{d, 0} }

// Bytes returns the text the document was read from.
func (d *Doc) Bytes() []byte { return d.src }

func (v Value) node() *node { return &v.d.nodes[v.n] }

// Kind returns the JSON kind, Absent for a value that is not there.
func (v Value) Kind() Kind {
	if v.d == nil {
		return Absent
	}
	return v.node().kind
}

// Exists reports whether the value is there.
func (v Value) Exists() bool { return v.d != nil }

// Raw returns the value's own bytes.
func (v Value) Raw() []byte {
	if v.d == nil {
		return nil
	}
	n := v.node()
	return v.d.src[n.start:n.end]
}

// Get returns the named member of an object.
func (v Value) Get(name string) Value {
	if v.Kind() != Object {
		return Value{}
	}
	for c := v.node().child; c != 0; c = v.d.nodes[c].next {
		n := &v.d.nodes[c]
		if !n.keyEscaped && string(v.d.src[n.keyStart:n.keyEnd]) == name || n.keyEscaped && v.d.key(c) == name {
			return Value{v.d, c}
		}
	}
	return Value{}
}

// At follows member names; an array on the way stands for its first item.
func (v Value) At(names ...string) Value {
	for _, name := range names {
		if v.Kind() == Array {
			v = v.Index(0)
		}
		v = v.Get(name)
	}
	return v
}

// Index returns the i-th item of an array.
func (v Value) Index(i int) Value {
	if v.Kind() != Array {
		return Value{}
	}
	for c := v.node().child; c != 0; c = v.d.nodes[c].next {
		if i == 0 {
			return Value{v.d, c}
		}
		i--
	}
	return Value{}
}

// Items yields an array's items; a value that is no array yields itself, as
// FHIRPath sees it.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		switch v.Kind() {
		case Absent, Null:
		case Array:
			for c := v.node().child; c != 0; c = v.d.nodes[c].next {
				if !yield(Value{v.d, c}) {
					return
				}
			}
		default:
			yield(v)
		}
	}
}

// Members yields an object's names and values in their order.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.Kind() != Object {
			return
		}
		for c := v.node().child; c != 0; c = v.d.nodes[c].next {
			if !yield(v.d.key(c), Value{v.d, c}) {
				return
			}
		}
	}
}

// Text returns the string's characters, or a number's or boolean's digits as
// they stand; "" for everything else.
func (v Value) Text() string {
	switch v.Kind() {
	case String:
		n := v.node()
		return unescape(v.d.src[n.start+1:n.end-1], n.escaped)
	case Number, Bool:
		return string(v.Raw())
	default:
		return ""
	}
}

// Str returns the characters of a string, "" for any other kind.
func (v Value) Str() string {
	if v.Kind() != String {
		return ""
	}
	return v.Text()
}

// True reports whether the value is the boolean true.
func (v Value) True() bool { return v.Kind() == Bool && v.Raw()[0] == 't' }

// Path returns where the value lies, as error messages name it:
// "Patient.name[0].given[1]" within a resource.
func (v Value) Path() string {
	if v.d == nil {
		return ""
	}
	return v.d.path(v.n)
}

func (d *Doc) key(n int32) string {
	x := &d.nodes[n]
	return unescape(d.src[x.keyStart:x.keyEnd], x.keyEscaped)
}

func (d *Doc) path(n int32) string {
	var parts []string
	for n > 0 {
		x := &d.nodes[n]
		if d.nodes[x.parent].kind == Array {
			i := 0
			for c := d.nodes[x.parent].child; c != n && c != 0; c = d.nodes[c].next {
				i++
			}
			parts = append(parts, "["+strconv.Itoa(i)+"]")
		} else {
			parts = append(parts, "."+d.key(n))
		}
		n = x.parent
	}
	var b strings.Builder
	if len(d.nodes) > 0 && d.nodes[0].kind == Object {
		b.WriteString(Value{d, 0}.Get("resourceType").Str())
	}
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteString(parts[i])
	}
	return strings.TrimPrefix(b.String(), ".")
}

func unescape(b []byte, escaped bool) string {
	if !escaped {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			out = append(out, b[i])
			continue
		}
		i++
		switch b[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hex4(b[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low, _ := hex4(b[i+3:])
				r = utf16.DecodeRune(r, low)
				i += 6
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, b[i])
		}
	}
	return string(out)
}
