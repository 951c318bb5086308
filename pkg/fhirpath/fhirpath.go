// Package fhirpath evaluates FHIRPath (https://hl7.org/fhirpath/N1/) over the
// JSON of FHIR R4 resources.
package fhirpath

import (
	"context"
	"time"

	lib "github.com/gofhir/fhirpath"
	"github.com/gofhir/fhirpath/eval"
	"github.com/gofhir/fhirpath/types"

	"github.com/yba-health/yba/pkg/fault"
)

// Limits of an evaluation.
const (
	maxItems = 100_000
	maxTime  = 2 * time.Second
)

// Model is what evaluation asks of the types of FHIR.
type Model = lib.Model

// Input is what an expression is evaluated over. Focus is a JSON value of the
// named type; Resource and Root are the resource around it and the one that
// contains that. Empty ones are the focus itself.
type Input struct {
	Focus          []byte
	Type           string
	Resource, Root []byte
	Model          Model
}

// Result is a collection.
type Result struct{ items types.Collection }

// False reports whether the result is the boolean false.
func (r Result) False() bool {
	if len(r.items) != 1 {
		return false
	}
	b, ok := r.items[0].(types.Boolean)
	return ok && !b.Bool()
}

// Evaluate evaluates the expression.
func (x *Expression) Evaluate(in Input) (Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), maxTime)
	defer cancel()
	resource := in.Resource
	if len(resource) == 0 {
		resource = in.Focus
	}
	c := eval.NewContext(resource)
	if len(in.Root) > 0 {
		root, err := types.JSONToCollection(in.Root)
		if err != nil {
			return Result{}, err
		}
		c.SetVariable("rootResource", root)
	}
	c.SetVariable("ucum", types.Collection{types.NewString("http://unitsofmeasure.org")})
	c.SetVariable("sct", types.Collection{types.NewString("http://snomed.info/sct")})
	c.SetVariable("loinc", types.Collection{types.NewString("http://loinc.org")})
	focus, err := focused(in)
	if err != nil {
		return Result{}, err
	}
	c.SetVariable("context", focus)
	c.SetContext(ctx)
	c.SetLimit("maxCollectionSize", maxItems)
	c.SetLimit("maxDepth", 100)
	if in.Model != nil {
		c.SetModel(in.Model)
	}
	var out types.Collection
	err = guarded(func() (err error) {
		out, err = eval.NewEvaluator(c.WithThis(focus), registry{}).Evaluate(x.tree)
		return err
	})
	if err != nil {
		return Result{}, fault.New(fault.Invalid, "the FHIRPath expression cannot be evaluated", err)
	}
	return Result{out}, nil
}

// focused reads the focus with its type, which JSON does not tell.
func focused(in Input) (types.Collection, error) {
	if len(in.Focus) > 0 && in.Focus[0] == '{' && in.Type != "" {
		return types.Collection{types.NewObjectValueWithType(in.Focus, in.Type)}, nil
	}
	return types.JSONToCollection(in.Focus)
}

// guarded turns a panic of the library into an error: it may fail on an
// expression, but not end the server.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "the FHIRPath expression cannot be evaluated", nil)
		}
	}()
	return f()
}
