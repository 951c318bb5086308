package fhir

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/yba-health/yba/pkg/fault"
)

// Kind is the JSON kind of a value.
type Kind uint8

// The kinds. The zero Kind is that of a value that is not there.
const (
	Absent Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

// maxDepth bounds nesting. The deepest resource of the specification's
// examples has 13 levels; a Bundle of Questionnaires some more.
const maxDepth = 100

// node is one JSON value in a Doc's arena. Offsets are into the source.
type node struct {
	start, end       int32
	keyStart, keyEnd int32 // of a member's name, without quotes
	parent           int32
	next             int32 // the next member or item; 0 ends
	child            int32 // the first member or item; 0: none
	kind             Kind
	escaped          bool // the string holds escapes
	keyEscaped       bool
}

// Doc is a parsed JSON text that keeps the bytes it was read from: values
// know their offsets, so that editing is splicing and decimals keep every digit.
type Doc struct {
	src   []byte
	nodes []node
}

// Parse reads exactly one JSON value (RFC 8259), strictly: no duplicate
// names, valid UTF-8, no U+0000, no lone surrogates, nothing after the value.
// It keeps src, which must not change afterwards.
func Parse(src []byte) (*Doc, error) {
	if len(src) > 1<<30 {
		return nil, fault.New(fault.TooLarge, "the JSON text is larger than 1 GB", nil)
	}
	if !utf8.Valid(src) {
		return nil, fault.New(fault.Invalid, "the text is not valid UTF-8", nil)
	}
	p := parser{src: src, nodes: make([]node, 0, len(src)/20+8)}
	p.blank()
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) {
		return nil, p.fail(-1, "the text begins with a byte order mark, which JSON must not (RFC 8259 section 8.1)")
	}
	root, err := p.value(-1, 0, name{})
	if err != nil {
		return nil, err
	}
	p.blank()
	if p.at != len(src) {
		return nil, p.fail(root, "there is something after the JSON value")
	}
	return &Doc{src: src, nodes: p.nodes}, nil
}

type parser struct {
	src   []byte
	nodes []node
	at    int
}

// fail names the place by path and offset; it never quotes input.
func (p *parser) fail(n int32, what string) error {
	f := fault.New(fault.Invalid, what+" (byte "+strconv.Itoa(p.at)+")", nil)
	if n >= 0 && int(n) < len(p.nodes) {
		f.At = (&Doc{src: p.src, nodes: p.nodes}).path(n)
	}
	return f
}

func (p *parser) blank() {
	for p.at < len(p.src) {
		switch p.src[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// name is where a member's name stands in the source.
type name struct {
	start, end int32
	escaped    bool
}

func (p *parser) value(parent int32, depth int, key name) (int32, error) {
	if depth > maxDepth {
		return 0, p.fail(parent, "values are nested more than 100 levels deep")
	}
	if p.at >= len(p.src) {
		return 0, p.fail(parent, "the JSON text ends too early")
	}
	n := int32(len(p.nodes))
	p.nodes = append(p.nodes, node{start: int32(p.at), parent: parent, keyStart: key.start, keyEnd: key.end, keyEscaped: key.escaped})
	var err error
	switch c := p.src[p.at]; {
	case c == '{':
		p.nodes[n].kind = Object
		err = p.object(n, depth)
	case c == '[':
		p.nodes[n].kind = Array
		err = p.array(n, depth)
	case c == '"':
		p.nodes[n].kind = String
		_, _, p.nodes[n].escaped, err = p.text(n)
	case c == '-' || c >= '0' && c <= '9':
		p.nodes[n].kind = Number
		err = p.number(n)
	case c == 't':
		p.nodes[n].kind = Bool
		err = p.word(n, "true")
	case c == 'f':
		p.nodes[n].kind = Bool
		err = p.word(n, "false")
	case c == 'n':
		p.nodes[n].kind = Null
		err = p.word(n, "null")
	default:
		err = p.fail(parent, "a JSON value is expected")
	}
	p.nodes[n].end = int32(p.at)
	return n, err
}

func (p *parser) object(n int32, depth int) error {
	p.at++
	last, count := int32(0), 0
	for first := true; ; first = false {
		p.blank()
		if p.at < len(p.src) && p.src[p.at] == '}' && first {
			p.at++
			return nil
		}
		if p.at >= len(p.src) || p.src[p.at] != '"' {
			return p.fail(n, "a member's name in quotes is expected")
		}
		ks, ke, esc, err := p.text(n)
		if err != nil {
			return err
		}
		p.blank()
		if p.at >= len(p.src) || p.src[p.at] != ':' {
			return p.fail(n, "a colon is expected after a member's name")
		}
		p.at++
		p.blank()
		v, err := p.value(n, depth+1, name{ks, ke, esc})
		if err != nil {
			return err
		}
		if last == 0 {
			p.nodes[n].child = v
		} else {
			p.nodes[last].next = v
		}
		last = v
		count++
		p.blank()
		if p.at >= len(p.src) {
			return p.fail(n, "the JSON text ends too early")
		}
		c := p.src[p.at]
		p.at++
		if c == '}' {
			return p.unique(n, count)
		}
		if c != ',' {
			return p.fail(n, "a comma or the end of the object is expected")
		}
	}
}

// unique refuses duplicate names, which readers of one record would resolve
// differently (RFC 8259 section 4).
func (p *parser) unique(n int32, count int) error {
	d := Doc{src: p.src, nodes: p.nodes}
	if count > 24 {
		seen := make(map[string]struct{}, count)
		for c := p.nodes[n].child; c != 0; c = p.nodes[c].next {
			k := d.key(c)
			if _, twice := seen[k]; twice {
				return p.fail(c, "the member occurs twice")
			}
			seen[k] = struct{}{}
		}
		return nil
	}
	for a := p.nodes[n].child; a != 0; a = p.nodes[a].next {
		x := &p.nodes[a]
		for b := p.nodes[n].child; b != a; b = p.nodes[b].next {
			y := &p.nodes[b]
			same := x.keyEnd-x.keyStart == y.keyEnd-y.keyStart && string(p.src[x.keyStart:x.keyEnd]) == string(p.src[y.keyStart:y.keyEnd])
			if same || (x.keyEscaped || y.keyEscaped) && d.key(a) == d.key(b) {
				return p.fail(a, "the member occurs twice")
			}
		}
	}
	return nil
}

func (p *parser) array(n int32, depth int) error {
	p.at++
	last := int32(0)
	for first := true; ; first = false {
		p.blank()
		if p.at < len(p.src) && p.src[p.at] == ']' && first {
			p.at++
			return nil
		}
		v, err := p.value(n, depth+1, name{})
		if err != nil {
			return err
		}
		if last == 0 {
			p.nodes[n].child = v
		} else {
			p.nodes[last].next = v
		}
		last = v
		p.blank()
		if p.at >= len(p.src) {
			return p.fail(n, "the JSON text ends too early")
		}
		c := p.src[p.at]
		p.at++
		if c == ']' {
			return nil
		}
		if c != ',' {
			return p.fail(n, "a comma or the end of the array is expected")
		}
	}
}
