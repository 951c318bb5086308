package patch

import (
	"slices"
	"strconv"
	"strings"
)

// path is the part of FHIRPath that can name an element to change
// (https://hl7.org/fhir/R4/fhirpath.html#simple), with where() on top.
type path []pathStep

type pathStep struct {
	// call is member, index, where, first, last, ofType or extension.
	call string
	// name is of a member, a type or an extension's URL.
	name  string
	index int
	where *condition
}

// condition is what where() asks: and, or, not join others; exists and empty
// look at left; = and != compare.
type condition struct {
	op          string
	a, b        *condition
	left, right operand
}

// operand is a path, or a literal's characters.
type operand struct {
	path    path
	literal bool
	text    string
}

// maxPath bounds an expression, maxDepth how deep its conditions nest: what
// begins with a parenthesis may have to be read twice.
const (
	maxPath  = 2000
	maxDepth = 8
)

func parsePath(s string) (path, error) {
	if len(s) > maxPath {
		return nil, invalid("the path is too long")
	}
	p := &pathParser{s: s}
	out, err := p.path()
	if err == nil && p.blank() < len(s) {
		err = p.fail()
	}
	return out, err
}

type pathParser struct {
	s     string
	at    int
	depth int
}

func (p *pathParser) fail() error {
	return invalid("a patch's path consists of element names, [index], where(), first(), last(), ofType(), as() and extension(); it goes wrong at character " + strconv.Itoa(p.at+1))
}

// blank skips blanks and returns where it stands.
func (p *pathParser) blank() int {
	for p.at < len(p.s) && (p.s[p.at] == ' ' || p.s[p.at] == '\t' || p.s[p.at] == '\n' || p.s[p.at] == '\r') {
		p.at++
	}
	return p.at
}

func (p *pathParser) take(token string) bool {
	if strings.HasPrefix(p.s[p.blank():], token) {
		p.at += len(token)
		return true
	}
	return false
}

// word takes a keyword that is not the beginning of a longer name.
func (p *pathParser) word(token string) bool {
	begun := p.blank()
	if p.name() == token {
		return true
	}
	p.at = begun
	return false
}

func letter(c byte, first bool) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || !first && c >= '0' && c <= '9'
}

// name takes an identifier, "" when there is none.
func (p *pathParser) name() string {
	begun := p.blank()
	if p.at < len(p.s) && p.s[p.at] == '`' {
		end := strings.IndexByte(p.s[p.at+1:], '`')
		if end < 0 {
			return ""
		}
		p.at += end + 2
		return p.s[begun+1 : p.at-1]
	}
	for p.at < len(p.s) && letter(p.s[p.at], p.at == begun) {
		p.at++
	}
	return p.s[begun:p.at]
}

// path reads a chain of steps.
func (p *pathParser) path() (path, error) {
	var out path
	if p.take("(") {
		inner, err := p.path()
		if err != nil {
			return nil, err
		}
		if p.word("as") {
			inner = append(inner, pathStep{call: "ofType", name: p.typeName()})
		}
		if !p.take(")") {
			return nil, p.fail()
		}
		out = inner
	} else if !p.take("$this") {
		step, err := p.step()
		if err != nil {
			return nil, err
		}
		out = append(out, step)
	}
	for {
		switch {
		case p.take("["):
			n, ok := p.digits()
			if !ok || !p.take("]") {
				return nil, p.fail()
			}
			out = append(out, pathStep{call: "index", index: n})
		case p.take("."):
			begun := p.at
			if w := p.name(); w == "exists" || w == "empty" || w == "not" {
				p.at = begun - 1 // it belongs to the condition
				return out, nil
			}
			p.at = begun
			step, err := p.step()
			if err != nil {
				return nil, err
			}
			out = append(out, step)
		default:
			return out, nil
		}
	}
}

func (p *pathParser) digits() (int, bool) {
	begun := p.blank()
	for p.at < len(p.s) && p.s[p.at] >= '0' && p.s[p.at] <= '9' {
		p.at++
	}
	n, err := strconv.Atoi(p.s[begun:p.at])
	return n, err == nil
}

// typeName reads Quantity or FHIR.Quantity.
func (p *pathParser) typeName() string {
	name := p.name()
	if name == "FHIR" && p.take(".") {
		name = p.name()
	}
	return name
}

// step reads an element's name or a function.
func (p *pathParser) step() (pathStep, error) {
	name := p.name()
	if name == "" {
		return pathStep{}, p.fail()
	}
	if !p.take("(") {
		return pathStep{call: "member", name: name}, nil
	}
	s := pathStep{call: name}
	ok := true
	var err error
	switch name {
	case "first", "last":
	case "as", "ofType":
		s.call, s.name = "ofType", p.typeName()
		ok = s.name != ""
	case "extension":
		s.name, ok = p.text()
	case "where":
		s.where, err = p.condition()
	default:
		ok = false
	}
	if err == nil && (!ok || !p.take(")")) {
		err = p.fail()
	}
	return s, err
}

// text reads a string in quotes.
func (p *pathParser) text() (string, bool) {
	if !p.take("'") {
		return "", false
	}
	var b strings.Builder
	for ; p.at < len(p.s); p.at++ {
		switch c := p.s[p.at]; c {
		case '\'':
			p.at++
			return b.String(), true
		case '\\':
			p.at++
			if p.at == len(p.s) {
				return "", false
			}
			i := strings.IndexByte(`nrtf'"\/`+"`", p.s[p.at])
			if i < 0 {
				return "", false
			}
			b.WriteByte("\n\r\t\f'\"\\/`"[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// condition reads terms joined by "or", which binds less than "and".
func (p *pathParser) condition() (*condition, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail()
	}
	defer func() { p.depth-- }()
	return p.joined("or", func() (*condition, error) { return p.joined("and", p.term) })
}

func (p *pathParser) joined(op string, part func() (*condition, error)) (*condition, error) {
	c, err := part()
	for err == nil && p.word(op) {
		var b *condition
		if b, err = part(); err == nil {
			c = &condition{op: op, a: c, b: b}
		}
	}
	return c, err
}

func (p *pathParser) term() (*condition, error) {
	begun := p.blank()
	// Parentheses hold a condition, or else a path with "as".
	if p.take("(") {
		if c, err := p.condition(); err == nil && p.take(")") && !slices.Contains([]string{"=", "!", "["}, p.peek()) {
			return p.negated(c)
		}
		p.at = begun
	}
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	for _, op := range []string{"!=", "="} {
		if p.take(op) {
			right, err := p.operand()
			return &condition{op: op, left: left, right: right}, err
		}
	}
	for _, op := range []string{"exists", "empty"} {
		if p.take("." + op + "()") {
			return p.negated(&condition{op: op, left: left})
		}
	}
	// A boolean element by itself.
	return p.negated(&condition{op: "=", left: left, right: operand{literal: true, text: "true"}})
}

func (p *pathParser) peek() string {
	if p.blank() < len(p.s) {
		return p.s[p.at : p.at+1]
	}
	return ""
}

func (p *pathParser) negated(c *condition) (*condition, error) {
	for p.take(".not()") {
		c = &condition{op: "not", a: c}
	}
	return c, nil
}

func (p *pathParser) operand() (operand, error) {
	switch c := p.peek(); {
	case c == "'":
		s, ok := p.text()
		if !ok {
			return operand{}, p.fail()
		}
		return operand{literal: true, text: s}, nil
	case c == "@" || c == "-" || c >= "0" && c <= "9" && c != "":
		begun := p.at
		for p.at < len(p.s) && strings.IndexByte("0123456789@.:+-TZ", p.s[p.at]) >= 0 {
			p.at++
		}
		return operand{literal: true, text: strings.TrimPrefix(p.s[begun:p.at], "@")}, nil
	case p.word("true"):
		return operand{literal: true, text: "true"}, nil
	case p.word("false"):
		return operand{literal: true, text: "false"}, nil
	}
	out, err := p.path()
	return operand{path: out}, err
}
