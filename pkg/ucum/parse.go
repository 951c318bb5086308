package ucum

import (
	"math/big"
	"strconv"
	"strings"
)

// parser reads the grammar of UCUM §7 to 12.
type parser struct {
	t     *units
	rest  string
	depth int // of parentheses and of units defined by units
}

func (t *units) parse(code string, depth int) (*product, error) {
	if code == "" || len(code) > maxLength || depth > maxDepth {
		return nil, errUnit
	}
	p := &parser{t: t, rest: code, depth: depth}
	out, err := p.term()
	if err == nil && p.rest != "" {
		err = errUnit
	}
	return out, err
}

// term is [/] component {("." | "/") component}.
func (p *parser) term() (*product, error) {
	out := &product{factor: one()}
	exp := 1
	if p.take('/') {
		exp = -1
	}
	for {
		c, err := p.component()
		if err != nil {
			return nil, err
		}
		if err := out.times(c, exp); err != nil {
			return nil, err
		}
		switch {
		case p.take('.'):
			exp = 1
		case p.take('/'):
			exp = -1
		default:
			return out, nil
		}
	}
}

func (p *parser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// component is (term), {annotation} or a unit with an annotation or without.
func (p *parser) component() (*product, error) {
	if p.take('(') {
		if p.depth++; p.depth > maxDepth {
			return nil, errUnit
		}
		out, err := p.term()
		if err != nil || !p.take(')') {
			return nil, errUnit
		}
		p.depth--
		return out, nil
	}
	if noted, err := p.annotation(); noted || err != nil {
		return &product{factor: one()}, err // an annotation alone is 1 (§12)
	}
	out, err := p.unit()
	if err != nil {
		return nil, err
	}
	_, err = p.annotation()
	return out, err
}

func (p *parser) annotation() (bool, error) {
	if !p.take('{') {
		return false, nil
	}
	inside, after, ok := strings.Cut(p.rest, "}")
	if !ok || strings.ContainsRune(inside, '{') {
		return false, errUnit
	}
	p.rest = after
	return true, nil
}

// unit is a whole number, or a symbol with an exponent or without.
func (p *parser) unit() (*product, error) {
	symbol := p.symbol()
	if symbol == "" {
		return nil, errUnit
	}
	p.rest = p.rest[len(symbol):]
	if digits(symbol) {
		n, ok := new(big.Int).SetString(symbol, 10)
		if !ok || n.Sign() == 0 {
			return nil, errUnit
		}
		return &product{factor: new(big.Rat).SetInt(n)}, nil
	}
	name, exp, err := exponent(symbol)
	if err != nil {
		return nil, err
	}
	atom, err := p.atom(name)
	if err != nil && name != symbol {
		// "m[H2O]" ends in no exponent, but others end in a digit.
		if atom, err = p.atom(symbol); err == nil {
			exp = 1
		}
	}
	if err != nil {
		return nil, err
	}
	out := &product{factor: one()}
	return out, out.times(atom, exp)
}

// symbol returns what stands before the next operator; brackets hold anything.
func (p *parser) symbol() string {
	inside := false
	for i := range len(p.rest) {
		switch c := p.rest[i]; {
		case c == '[':
			inside = true
		case c == ']':
			inside = false
		case inside:
		case c <= ' ' || c > '~':
			return ""
		case strings.IndexByte("./(){}", c) >= 0:
			return p.rest[:i]
		}
	}
	return p.rest
}

// exponent splits "cm-2" into "cm" and -2.
func exponent(symbol string) (string, int, error) {
	i := len(symbol)
	for i > 0 && symbol[i-1] >= '0' && symbol[i-1] <= '9' {
		i--
	}
	if i == len(symbol) || i == 0 {
		return symbol, 1, nil
	}
	if symbol[i-1] == '-' || symbol[i-1] == '+' {
		i--
	}
	n, err := strconv.Atoi(symbol[i:])
	if err != nil || max(n, -n) > maxExponent {
		return "", 0, errUnit
	}
	return symbol[:i], n, nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// atom returns a unit of the table, or a metric one behind a prefix.
func (p *parser) atom(name string) (*product, error) {
	if a := p.t.atoms[name]; a != nil {
		if err := p.t.resolve(a, p.depth); err != nil {
			return nil, err
		}
		return a.value, nil
	}
	for n := min(2, len(name)-1); n > 0; n-- {
		factor, ok := p.t.prefixes[name[:n]]
		a := p.t.atoms[name[n:]]
		if !ok || a == nil || !a.metric {
			continue
		}
		if err := p.t.resolve(a, p.depth); err != nil {
			return nil, err
		}
		out := &product{factor: new(big.Rat).Set(factor)}
		return out, out.times(a.value, 1)
	}
	return nil, errUnit
}
