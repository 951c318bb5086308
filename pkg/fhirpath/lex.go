package fhirpath

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/yba-health/yba/pkg/fault"
)

// Limits of an expression: the longest invariant of R4 has 900 bytes.
const (
	maxLength  = 4000
	maxNesting = 50
)

type tokenKind uint8

const (
	end tokenKind = iota
	name
	quotedName // `name`
	text
	number
	moment   // @2015, @2015-02-04T14:34, @T14:34
	constant // %resource
	variable // $this
	symbol
)

type token struct {
	kind tokenKind
	text string
	at   int
}

// lexer splits an expression (https://hl7.org/fhirpath/N1/grammar.html).
type lexer struct {
	src string
	at  int
}

func (l *lexer) fail(what string) error {
	return fault.Newf(fault.Invalid, "FHIRPath: %s (character %d)", what, l.at+1)
}

// blank skips blanks and comments.
func (l *lexer) blank() error {
	for l.at < len(l.src) {
		rest := l.src[l.at:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			l.at++
		case strings.HasPrefix(rest, "//"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			l.at += n
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				return l.fail("a comment does not end")
			}
			l.at += n + 4
		default:
			return nil
		}
	}
	return nil
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// word reads a bare name at i and returns where it ends.
func (l *lexer) word(i int) int {
	for i < len(l.src) && (letter(l.src[i]) || digit(l.src[i])) {
		i++
	}
	return i
}

func (l *lexer) digits(i int) int {
	for i < len(l.src) && digit(l.src[i]) {
		i++
	}
	return i
}

func (l *lexer) next() (token, error) {
	if err := l.blank(); err != nil {
		return token{}, err
	}
	begun := l.at
	if l.at == len(l.src) {
		return token{kind: end, at: begun}, nil
	}
	take := func(kind tokenKind, to int) (token, error) {
		l.at = to
		return token{kind, l.src[begun:to], begun}, nil
	}
	switch c := l.src[l.at]; {
	case letter(c):
		return take(name, l.word(l.at))
	case digit(c):
		to := l.digits(l.at)
		if to+1 < len(l.src) && l.src[to] == '.' && digit(l.src[to+1]) {
			to = l.digits(to + 1)
		}
		return take(number, to)
	case c == '\'' || c == '`':
		s, err := l.quoted(c)
		kind := text
		if c == '`' {
			kind = quotedName
		}
		return token{kind, s, begun}, err
	case c == '@':
		return take(moment, l.moment(l.at+1))
	case c == '%':
		return l.external()
	case c == '$':
		return take(variable, l.word(l.at+1))
	}
	for _, two := range []string{"<=", ">=", "!=", "!~"} {
		if strings.HasPrefix(l.src[l.at:], two) {
			return take(symbol, l.at+2)
		}
	}
	if strings.IndexByte("()[]{}.,+-*/&|<>=~", l.src[l.at]) >= 0 {
		return take(symbol, l.at+1)
	}
	return token{}, l.fail("a character that is not of FHIRPath")
}

func (l *lexer) external() (token, error) {
	begun := l.at
	l.at++
	if l.at < len(l.src) && (l.src[l.at] == '`' || l.src[l.at] == '\'') {
		s, err := l.quoted(l.src[l.at])
		return token{constant, s, begun}, err
	}
	to := l.word(l.at)
	if to == l.at {
		return token{}, l.fail("a name is expected after %")
	}
	s := l.src[l.at:to]
	l.at = to
	return token{constant, s, begun}, nil
}

// moment reads as much as belongs to a date, dateTime or time.
func (l *lexer) moment(i int) int {
	two := func(i int, sep byte) int {
		if i+2 < len(l.src) && l.src[i] == sep && digit(l.src[i+1]) && digit(l.src[i+2]) {
			return i + 3
		}
		return i
	}
	day := l.digits(i)
	if day > i {
		i = two(day, '-')
		if i > day {
			i = two(i, '-')
		}
	}
	if i >= len(l.src) || l.src[i] != 'T' {
		return i
	}
	i++
	if i+1 < len(l.src) && digit(l.src[i]) && digit(l.src[i+1]) {
		i = two(two(i+2, ':'), ':')
		if i+1 < len(l.src) && l.src[i] == '.' && digit(l.src[i+1]) {
			i = l.digits(i + 1)
		}
	}
	if i < len(l.src) && l.src[i] == 'Z' {
		return i + 1
	}
	for _, sign := range []byte("+-") {
		if zone := two(i, sign); zone > i && two(zone, ':') > zone {
			return two(zone, ':')
		}
	}
	return i
}

// quoted reads a string or a delimited name with its escapes.
func (l *lexer) quoted(quote byte) (string, error) {
	l.at++
	var b strings.Builder
	for l.at < len(l.src) {
		c := l.src[l.at]
		l.at++
		switch c {
		case quote:
			return b.String(), nil
		case '\\':
			if l.at == len(l.src) {
				return "", l.fail("a string does not end")
			}
			if err := l.escape(&b); err != nil {
				return "", err
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", l.fail("a string does not end")
}

func (l *lexer) escape(b *strings.Builder) error {
	c := l.src[l.at]
	l.at++
	switch c {
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'f':
		b.WriteByte('\f')
	case 'u':
		if l.at+4 > len(l.src) {
			return l.fail("four hexadecimal digits are expected after \\u")
		}
		r, err := strconv.ParseUint(l.src[l.at:l.at+4], 16, 16)
		if err != nil {
			return l.fail("four hexadecimal digits are expected after \\u")
		}
		l.at += 4
		b.WriteString(string(utf8.AppendRune(nil, rune(r))))
	case '\'', '"', '`', '\\', '/':
		b.WriteByte(c)
	default:
		// The specification's regular expressions hold \d and the like.
		b.WriteByte('\\')
		b.WriteByte(c)
	}
	return nil
}
