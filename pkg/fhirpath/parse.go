// Package fhirpath evaluates FHIRPath (https://hl7.org/fhirpath/N1/) with the
// functions that FHIR R4 adds (https://hl7.org/fhir/R4/fhirpath.html). It
// knows no types of FHIR itself: a Model and Nodes bring them.
package fhirpath

import (
	"slices"

	"github.com/yba-health/yba/pkg/fault"
)

// node kinds of an expression's tree.
type form uint8

const (
	literal  form = iota // value
	member               // name, of base if there is one
	call                 // name(args), of base if there is one
	index                // base[args[0]]
	unary                // name args[0]
	binary               // args[0] name args[1]
	typed                // args[0] is|as typ
	external             // %name
	special              // $this, $index, $total
)

type expr struct {
	form  form
	name  string
	base  *expr
	args  []*expr
	value []item
	typ   string
	// function is what a call runs.
	function function
}

// Expression is a compiled expression. It may be evaluated by many at once.
type Expression struct{ tree *expr }

// Compile reads an expression. Length and nesting are bounded.
func Compile(source string) (*Expression, error) {
	if len(source) > maxLength {
		return nil, fault.Newf(fault.Invalid, "a FHIRPath expression has at most %d bytes", maxLength)
	}
	p := parser{lexer: lexer{src: source}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	tree, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != end {
		return nil, p.fail("the expression should end here")
	}
	return &Expression{tree}, nil
}

type parser struct {
	lexer
	tok   token
	depth int
}

func (p *parser) advance() (err error) {
	p.tok, err = p.next()
	return err
}

func (p *parser) fail(what string) error {
	p.at = p.tok.at
	return p.lexer.fail(what)
}

func (p *parser) is(s string) bool {
	return (p.tok.kind == symbol || p.tok.kind == name) && p.tok.text == s
}

func (p *parser) expect(s string) error {
	if !p.is(s) {
		return p.fail(s + " is expected")
	}
	return p.advance()
}

// levels are the binary operators, the loosest first
// (https://hl7.org/fhirpath/N1/#operator-precedence).
var levels = [][]string{
	{"implies"},
	{"or", "xor"},
	{"and"},
	{"in", "contains"},
	{"=", "~", "!=", "!~"},
	{"<", ">", "<=", ">="},
	{"|"},
	{"is", "as"},
	{"+", "-", "&"},
	{"*", "/", "div", "mod"},
}

func (p *parser) expression(level int) (*expr, error) {
	if level == 0 {
		if p.depth++; p.depth > maxNesting {
			return nil, fault.Newf(fault.Invalid, "a FHIRPath expression is nested at most %d deep", maxNesting)
		}
		defer func() { p.depth-- }()
	}
	if level == len(levels) {
		return p.polarity()
	}
	left, err := p.expression(level + 1)
	for err == nil && (p.tok.kind == symbol || p.tok.kind == name) && slices.Contains(levels[level], p.tok.text) {
		op := p.tok.text
		if err = p.advance(); err != nil {
			return nil, err
		}
		if op == "is" || op == "as" {
			var typ string
			typ, err = p.typeName()
			left = &expr{form: typed, name: op, args: []*expr{left}, typ: typ}
			continue
		}
		var right *expr
		right, err = p.expression(level + 1)
		left = &expr{form: binary, name: op, args: []*expr{left, right}}
	}
	return left, err
}

func (p *parser) polarity() (*expr, error) {
	if !p.is("+") && !p.is("-") {
		return p.path()
	}
	op := p.tok.text
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.depth++; p.depth > maxNesting {
		return nil, fault.Newf(fault.Invalid, "a FHIRPath expression is nested at most %d deep", maxNesting)
	}
	defer func() { p.depth-- }()
	x, err := p.polarity()
	return &expr{form: unary, name: op, args: []*expr{x}}, err
}

// path reads a term and what follows it by dots and brackets.
func (p *parser) path() (*expr, error) {
	x, err := p.term()
	for err == nil {
		switch {
		case p.is("."):
			if err = p.advance(); err == nil {
				x, err = p.invocation(x)
			}
		case p.is("["):
			if err = p.advance(); err != nil {
				return nil, err
			}
			var i *expr
			if i, err = p.expression(0); err == nil {
				x = &expr{form: index, base: x, args: []*expr{i}}
				err = p.expect("]")
			}
		default:
			return x, nil
		}
	}
	return nil, err
}

func (p *parser) term() (*expr, error) {
	t := p.tok
	switch {
	case p.is("("):
		if err := p.advance(); err != nil {
			return nil, err
		}
		x, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		return x, p.expect(")")
	case p.is("{"):
		if err := p.advance(); err != nil {
			return nil, err
		}
		return &expr{form: literal}, p.expect("}")
	case t.kind == text:
		return constantOf(textItem(t.text)), p.advance()
	case t.kind == number:
		return p.number()
	case t.kind == moment:
		m, ok := parseMoment(t.text[1:], true)
		if !ok {
			return nil, p.fail("a date or time that does not exist")
		}
		return constantOf(momentItem(m)), p.advance()
	case t.kind == constant:
		return &expr{form: external, name: t.text}, p.advance()
	case t.kind == variable:
		return p.invocation(nil)
	case p.is("true") || p.is("false"):
		return constantOf(boolItem(t.text == "true")), p.advance()
	}
	return p.invocation(nil)
}

func constantOf(i item) *expr { return &expr{form: literal, value: []item{i}} }

// units are the words for durations, with their plural.
var units = []string{"year", "month", "week", "day", "hour", "minute", "second", "millisecond"}

// number reads a number or a quantity.
func (p *parser) number() (*expr, error) {
	d, ok := parseDecimal(p.tok.text)
	if !ok {
		return nil, p.fail("the number is too large")
	}
	whole := d.scale == 0
	if err := p.advance(); err != nil {
		return nil, err
	}
	unit := ""
	switch t := p.tok; {
	case t.kind == text:
		unit = "'" + t.text + "'"
	case t.kind == name && wordOf(t.text) != "":
		unit = wordOf(t.text)
	case whole:
		return constantOf(item{kind: integer, n: d}), nil
	default:
		return constantOf(item{kind: decimal, n: d}), nil
	}
	return constantOf(item{kind: quantity, n: d, unit: unit}), p.advance()
}

// wordOf returns the singular of a word for a duration.
func wordOf(s string) string {
	if len(s) > 1 && s[len(s)-1] == 's' {
		s = s[:len(s)-1]
	}
	if slices.Contains(units, s) {
		return s
	}
	return ""
}

// invocation reads a name, a call or a variable, of base if there is one.
func (p *parser) invocation(base *expr) (*expr, error) {
	t := p.tok
	switch {
	case t.kind == variable && slices.Contains([]string{"$this", "$index", "$total"}, t.text):
		return &expr{form: special, name: t.text, base: base}, p.advance()
	case t.kind != name && t.kind != quotedName:
		return nil, p.fail("a name or a value is expected")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.is("(") {
		return &expr{form: member, name: t.text, base: base}, nil
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	x := &expr{form: call, name: t.text, base: base}
	f, known := functionNamed(t.text)
	if !known {
		return nil, p.fail("there is no such function: " + t.text)
	}
	x.function = f
	if f.typed {
		typ, err := p.typeName()
		if err != nil {
			return nil, err
		}
		x.typ = typ
		return x, p.expect(")")
	}
	for !p.is(")") {
		if len(x.args) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		arg, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		x.args = append(x.args, arg)
	}
	if len(x.args) < f.min || len(x.args) > f.max {
		return nil, p.fail("the function " + t.text + " has another number of arguments")
	}
	return x, p.advance()
}

// typeName reads a name such as Patient, FHIR.Patient or System.Integer.
func (p *parser) typeName() (string, error) {
	whole := ""
	for {
		if p.tok.kind != name && p.tok.kind != quotedName {
			return "", p.fail("the name of a type is expected")
		}
		whole += p.tok.text
		if err := p.advance(); err != nil {
			return "", err
		}
		if !p.is(".") || whole != "FHIR" && whole != "System" {
			return whole, nil
		}
		whole += "."
		if err := p.advance(); err != nil {
			return "", err
		}
	}
}
