package fhir

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Path leads from a resource to the values of a search parameter. It is the
// part of FHIRPath that search parameters use, resolved against the
// definitions, so that walking it only compares member names.
type Path struct {
	Steps []Step
	// Type is the FHIR type of the values.
	Type string
	// Target is the resource type a reference must point at ("resolve() is").
	Target string
	// Exists asks for a boolean: whether the values exist and are not false.
	Exists bool
	// codes are those that values of type code are taken from, and open the
	// system of which they may be any code.
	codes *valueSet
	open  string
}

// Implied returns the codes of a system that a value of type code or boolean
// can be. It names no system itself: its binding does
// (https://hl7.org/fhir/R4/search.html#token). open tells that they can be any
// code of it, such as a media type.
func (p Path) Implied(system string) (codes []string, open bool) {
	switch {
	case p.Type == "boolean" && system == specialValues:
		return []string{"false", "true"}, false
	case p.Type != "code" || p.codes == nil:
		return nil, p.open != "" && p.open == system
	}
	return slices.Sorted(maps.Keys(p.codes.systems[system])), false
}

// Implies reports whether a value of type code or boolean can be a code of a
// system.
func (p Path) Implies(system, code string) bool {
	switch {
	case p.Type == "boolean":
		return system == specialValues
	case p.Type != "code" || p.codes == nil:
		return p.open != "" && p.open == system
	}
	_, ok := p.codes.systems[system][code]
	return ok
}

// specialValues is the system that true and false are of.
const specialValues = "http://terminology.hl7.org/CodeSystem/special-values"

// Step is one member on the way.
type Step struct {
	Name string
	// Field and Equals are a where(field = 'value').
	Field, Equals string
	// Item is the place in the array plus one; 0 means every item.
	Item int
}

// Walk calls f with every value that the path leads to.
func (p Path) Walk(v Value, f func(Value)) { walk(v, p.Steps, f) }

func walk(v Value, steps []Step, f func(Value)) {
	if len(steps) == 0 {
		f(v)
		return
	}
	s := steps[0]
	i := 0
	for item := range v.Get(s.Name).Items() {
		if i++; s.Item > 0 && i != s.Item {
			continue
		}
		if s.Field != "" && item.Get(s.Field).Text() != s.Equals {
			continue
		}
		walk(item, steps[1:], f)
	}
}

// partial is a path under construction; many tells whether it may have
// several values.
type partial struct {
	Path
	many bool
}

// compile resolves the alternatives of a union.
func (d *Definitions) compile(base, expression string) ([]Path, bool, error) {
	var paths []Path
	single := true
	alternatives := strings.Split(expression, " | ")
	for _, alternative := range alternatives {
		found, err := d.alternative(base, alternative)
		if err != nil {
			return nil, false, err
		}
		for _, p := range found {
			single = single && !p.many
			paths = append(paths, p.Path)
		}
	}
	return paths, single && len(alternatives) == 1, nil
}

func (d *Definitions) alternative(base, e string) ([]partial, error) {
	e = strings.TrimSpace(e)
	// "X.exists() and X != false" is how Patient.deceased becomes a token.
	if before, _, ok := strings.Cut(e, ".exists() and "); ok {
		found, err := d.alternative(base, before)
		for i := range found {
			found[i].Exists = true
		}
		return found, err
	}
	e = strings.NewReplacer("(", " ( ", ")", " ) ").Replace(e)
	e = strings.ReplaceAll(strings.ReplaceAll(e, ".ofType ( ", " as "), ".as ( ", " as ")
	tokens := strings.Fields(e)
	if len(tokens) == 0 {
		return nil, nil
	}
	at := []partial{{Path: Path{Type: base}}}
	for i := 0; i < len(tokens); i++ {
		var err error
		switch t := tokens[i]; {
		case t == "(" || t == ")":
		case t == "as" && i+1 < len(tokens):
			i++
			at = as(at, tokens[i])
		case strings.HasSuffix(t, "where") && i+2 < len(tokens):
			if at, err = d.fields(at, base, strings.TrimSuffix(t, "where")); err != nil {
				return nil, err
			}
			if tokens[i+2] == "resolve" { // ( resolve ( ) is T )
				at = target(at, tokens[i+6])
				i += 7
				continue
			}
			field, value, ok := strings.Cut(tokens[i+2], "=")
			if !ok {
				return nil, fmt.Errorf("where(%s)", tokens[i+2])
			}
			for j := range at {
				last := &at[j].Steps[len(at[j].Steps)-1]
				last.Field, last.Equals = field, strings.Trim(value, "'")
			}
			i += 3
		default:
			if at, err = d.fields(at, base, t); err != nil {
				return nil, err
			}
		}
	}
	if len(at) == 0 {
		return nil, fmt.Errorf("%q leads nowhere", e)
	}
	return at, nil
}

func target(at []partial, typ string) []partial {
	for i := range at {
		at[i].Target = typ
	}
	return at
}

// as keeps the alternatives of one type.
func as(at []partial, typ string) []partial {
	var keep []partial
	for _, p := range at {
		if strings.EqualFold(p.Type, typ) {
			keep = append(keep, p)
		}
	}
	return keep
}

// fields follows ".a.b[0].c", with the base type in front or not.
func (d *Definitions) fields(at []partial, base, names string) ([]partial, error) {
	for name := range strings.SplitSeq(names, ".") {
		if name == "" || name == base {
			continue
		}
		name, index, indexed := strings.Cut(name, "[")
		item := 0
		if indexed {
			n, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			if err != nil {
				return nil, err
			}
			item = n + 1
		}
		var next []partial
		for _, p := range at {
			next = append(next, d.children(p, name, item)...)
		}
		if len(next) == 0 {
			return nil, fmt.Errorf("no element %q", name)
		}
		at = next
	}
	return at, nil
}

func (d *Definitions) children(p partial, name string, item int) []partial {
	o := d.owners[p.Type]
	if p.Type == "Resource" {
		o = d.owners["DomainResource"]
	}
	if o == nil {
		return nil
	}
	var out []partial
	for _, e := range o.elements {
		if strings.TrimSuffix(e.Name, "[x]") != name {
			continue
		}
		for _, t := range e.Types {
			q := p
			step := Step{Name: e.Name, Item: item}
			if e.Choice() {
				step.Name = choiceName(e.Name, t)
			}
			q.Steps = append(append([]Step(nil), p.Steps...), step)
			q.Type = t
			q.many = p.many || e.Many && item == 0
			q.codes, q.open = e.codes, e.open
			out = append(out, q)
			if !e.Choice() {
				break
			}
		}
	}
	return out
}
