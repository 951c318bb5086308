package fhir

import (
	_ "embed" // the table
	"fmt"
	"strings"
	"sync"

	"github.com/yba-health/yba/pkg/fhirpath"
)

//go:embed definitions/invariants.tsv
var invariantsTable string

// rule is an invariant of a type or of an element where it stands.
type rule struct {
	path, key, expression, human string
	warning                      bool

	// check is the rule in Go, for those that are met on every write; nil
	// leaves it to FHIRPath.
	check check
	// compiled is the expression, once it is needed.
	compiled func() (*fhirpath.Expression, error)
}

// check reports whether a rule holds for v.
type check func(c *checker, v Value) bool

// readInvariants joins the invariants with their types and elements. Those of
// containment and ele-1 are part of the walk itself.
func (d *Definitions) readInvariants() error {
	written := checks()
	for line := range strings.Lines(invariantsTable) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 5 {
			return fmt.Errorf("fhir: invariants.tsv: %q", f)
		}
		r := &rule{path: f[0], key: f[1], warning: f[2] != "error", expression: f[3], human: f[4]}
		r.compiled = sync.OnceValues(func() (*fhirpath.Expression, error) { return fhirpath.Compile(r.expression) })
		r.check = written[r.key]
		if own, ok := written[r.path+" "+r.key]; ok {
			r.check = own
		}
		switch r.key {
		case "ele-1", "ref-1", "dom-2", "dom-3", "dom-4", "dom-5":
			continue
		case "dom-6":
			for _, typ := range d.Types {
				if o := d.owners[typ]; o.byName["text"].typ == "Narrative" {
					o.rules = append(o.rules, r)
				}
			}
			continue
		}
		if o := d.owners[r.path]; o != nil {
			o.rules = append(o.rules, r)
			continue
		}
		e := d.elementAt(r.path)
		if e == nil {
			return fmt.Errorf("fhir: invariants.tsv: no element %q", r.path)
		}
		e.rules = append(e.rules, r)
	}
	return nil
}

// invariants checks the rules of one element. Only false breaks a rule: what
// FHIRPath leaves open, such as the order of dates of different precision,
// does not.
func (c *checker) invariants(v Value, rules []*rule, typ string) {
	for _, r := range rules {
		if r.warning && !c.warn || c.full() {
			continue
		}
		var holds bool
		if r.check != nil {
			holds = r.check(c, v)
		} else {
			holds = c.evaluate(v, r, typ)
		}
		if holds {
			continue
		}
		severity := "error"
		if r.warning {
			severity = "warning"
		}
		c.add(v, severity, "invariant", r.key+": "+r.human)
	}
}

// evaluate leaves a rule to FHIRPath. An expression that cannot be evaluated
// breaks nothing; a test shows that all can.
func (c *checker) evaluate(v Value, r *rule, typ string) bool {
	holds, err := c.official(v, r, typ)
	return holds || err != nil
}

func (c *checker) official(v Value, r *rule, typ string) (bool, error) {
	x, err := r.compiled()
	if err != nil {
		return false, err
	}
	out, err := x.Evaluate(fhirpath.Input{
		Focus: element{d: c.d, typ: typ, v: v}, Resource: c.node(c.resource), Root: c.node(c.root), Model: model{c.d},
	})
	if err != nil {
		return false, err
	}
	return !out.False(), nil
}

func (c *checker) node(resource Value) fhirpath.Node {
	return element{d: c.d, typ: resource.Get("resourceType").Str(), v: resource}
}
