package fhirpath

import (
	"strings"

	"github.com/antlr4-go/antlr/v4"
	"github.com/gofhir/fhirpath/parser/grammar"

	"github.com/yba-health/yba/pkg/fault"
)

// Limits of an expression. The parser's time and memory have none.
const (
	// maxLength is twice that of the longest invariant of R4.
	maxLength  = 2000
	maxNesting = 30
)

// Expression is a compiled expression. It may be evaluated by many at once.
type Expression struct {
	tree grammar.IEntireExpressionContext
}

// Compile reads an expression.
func Compile(text string) (*Expression, error) {
	if err := bounded(text); err != nil {
		return nil, err
	}
	var x *Expression
	err := guarded(func() (err error) {
		x, err = parse(text)
		return err
	})
	return x, err
}

func parse(text string) (*Expression, error) {
	l := &listener{DefaultErrorListener: antlr.NewDefaultErrorListener()}
	lexer := grammar.NewfhirpathLexer(antlr.NewInputStream(text))
	lexer.RemoveErrorListeners()
	lexer.AddErrorListener(l)
	parser := grammar.NewfhirpathParser(antlr.NewCommonTokenStream(lexer, antlr.TokenDefaultChannel))
	parser.RemoveErrorListeners()
	parser.AddErrorListener(l)
	tree := parser.EntireExpression()
	if l.failed {
		return nil, fault.Newf(fault.Invalid, "the FHIRPath expression cannot be read beyond character %d", l.column)
	}
	return &Expression{tree}, nil
}

// listener notes where the expression stops being one.
type listener struct {
	*antlr.DefaultErrorListener
	failed bool
	column int
}

// SyntaxError is called for each place that cannot be read.
func (l *listener) SyntaxError(_ antlr.Recognizer, _ any, _, column int, _ string, _ antlr.RecognitionException) {
	if !l.failed {
		l.failed, l.column = true, column
	}
}

// bounded refuses what would cost the parser much time or a deep stack.
func bounded(text string) error {
	if len(text) > maxLength {
		return fault.Newf(fault.Invalid, "a FHIRPath expression has at most %d bytes", maxLength)
	}
	depth := 0
	for _, b := range []byte(text) {
		switch {
		case strings.IndexByte("([{", b) >= 0:
			if depth++; depth > maxNesting {
				return fault.Newf(fault.Invalid, "a FHIRPath expression is nested at most %d deep", maxNesting)
			}
		case strings.IndexByte(")]}", b) >= 0:
			depth--
		}
	}
	return nil
}
