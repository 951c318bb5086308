package record

import (
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// filter reads one parameter of a search of typ: a plain one, a chain
// (subject:Patient.name), or a reverse chain (_has:Observation:patient:code).
// An empty typ stands for any, for which only reverse chains can be read.
func (x *Indexer) filter(typ, name, value string, links int) (f Filter, known bool, err error) {
	if links > maxLinks {
		return f, true, fault.Newf(fault.Invalid, "a chain has at most %d links", maxLinks)
	}
	if name == "_list" {
		// The members of a List are what the List refers to.
		if strings.HasPrefix(value, "$") {
			return f, true, fault.New(fault.Invalid, "_list names Lists by id; functional lists are not kept", nil)
		}
		return x.reverse(typ, "List", "item", "_id", value, links)
	}
	if rest, ok := strings.CutPrefix(name, "_has:"); ok {
		parts := strings.SplitN(rest, ":", 3)
		if len(parts) != 3 || parts[2] == "" {
			return f, true, fault.New(fault.Invalid, "_has is written _has:Type:reference:parameter", nil)
		}
		return x.reverse(typ, parts[0], parts[1], parts[2], value, links)
	}
	if head, rest, ok := strings.Cut(name, "."); ok {
		return x.chain(typ, head, rest, value, links)
	}
	base, modifier, modified := strings.Cut(name, ":")
	if base == "_text" || base == "_content" {
		return f, true, fault.Newf(fault.Invalid, "%s is asked of the resources that are searched, not through other ones", base)
	}
	p := x.defs.Parameters(typ)[base]
	if p == nil {
		return f, false, nil
	}
	f = Filter{Of: typ, Param: p, Number: x.Number(typ, base), Modifier: modifier}
	if f.Number == 0 && base != "_id" && base != "_lastUpdated" {
		return f, false, nil
	}
	if modified && modifier == "" {
		return f, true, fault.New(fault.Invalid, "a modifier is expected after the colon", nil)
	}
	if value == "" {
		return f, true, nil
	}
	return f, true, x.values(&f, value)
}

// chain reads reference[:Type].rest (https://hl7.org/fhir/R4/search.html#chaining).
// Without a type every type counts that the reference may point at and that
// has the rest.
func (x *Indexer) chain(typ, head, rest, value string, links int) (f Filter, known bool, err error) {
	code, only, typed := strings.Cut(head, ":")
	p := x.defs.Parameters(typ)[code]
	if p == nil || x.Number(typ, code) == 0 {
		return f, false, nil
	}
	if f, err = x.hop(typ, p); err != nil {
		return f, true, err
	}
	if p.Type != "reference" {
		return f, true, fault.Newf(fault.Invalid, "%s is no reference and cannot be chained", code)
	}
	types := x.pointsAt(p)
	if typed {
		if !slices.Contains(types, only) {
			return f, true, fault.Newf(fault.Invalid, "%s.%s does not point at a resource of this type", typ, code)
		}
		types = []string{only}
	}
	var first error
	for _, t := range types {
		end, has, err := x.filter(t, rest, value, links+1)
		switch {
		case err != nil && first == nil:
			first = err
		case err == nil && has:
			f.Targets = merge(f.Targets, end)
		}
	}
	switch {
	case len(f.Targets) > maxTargets:
		return f, true, fault.Newf(fault.Invalid, "the chain leads to too many types; name one, as in %s:Patient", code)
	case len(f.Targets) > 0:
		return f, true, nil
	}
	return f, first != nil, first
}

// reverse reads _has:source:code:rest (https://hl7.org/fhir/R4/search.html#has).
func (x *Indexer) reverse(typ, source, code, rest, value string, links int) (f Filter, known bool, err error) {
	p := x.defs.Parameters(source)[code]
	if p == nil || x.Number(source, code) == 0 || p.Type != "reference" || typ != "" && !slices.Contains(x.pointsAt(p), typ) {
		return f, true, fault.Newf(fault.Invalid, "%s has no reference %q that points here", short(source), short(code))
	}
	if f, err = x.hop(source, p); err != nil {
		return f, true, err
	}
	end, known, err := x.filter(source, rest, value, links+1)
	f.Of, f.Reverse, f.Targets = typ, true, []Filter{end}
	return f, known, err
}

// hop returns a link of a chain.
func (x *Indexer) hop(typ string, p *fhir.Parameter) (Filter, error) {
	f := Filter{Of: typ, Param: p}
	var err error
	f.Number, f.Also, f.Narrowed, err = x.rows(p)
	return f, err
}

// rows returns the numbers of the index rows of a parameter, and the type that
// its references are narrowed to. It fails while they are not complete.
func (x *Indexer) rows(p *fhir.Parameter) (number int16, also []int16, narrowed int16, err error) {
	number, also = x.Number(p.Base, p.Code), x.Also(p.Base, p.Code)
	for _, n := range append([]int16{number}, also...) {
		if err := x.ready(n); err != nil {
			return 0, nil, 0, err
		}
	}
	return number, also, x.narrowed(p), nil
}

// pointsAt lists the types that a reference parameter may point at.
func (x *Indexer) pointsAt(p *fhir.Parameter) []string {
	types := p.Targets
	if len(types) == 0 {
		types = x.defs.Types
	}
	var only []string
	for _, path := range p.Paths {
		if path.Target == "" {
			return types
		}
		only = append(only, path.Target)
	}
	return only
}

// merge adds f to list, to a filter of the same kind for another type if
// there is one: one look into the index then serves them all.
func merge(list []Filter, f Filter) []Filter {
	for i := range list {
		o := &list[i]
		if mergeable(*o) && mergeable(f) && o.Param.Type == f.Param.Type {
			o.Peers = append(o.Peers, f)
			return list
		}
	}
	return append(list, f)
}

func mergeable(f Filter) bool {
	direct := f.Param != nil && f.Modifier != "missing" && len(f.Targets) == 0 && len(f.Any) == 0
	return direct && slices.Contains([]string{"token", "string", "date", "number", "quantity", "uri"}, f.Param.Type)
}

// common reads a parameter that every one of types has; none means every
// type of FHIR (https://hl7.org/fhir/R4/http.html#search).
func (x *Indexer) common(types []string, name, value string) (f Filter, known bool, err error) {
	if name == "_list" || strings.HasPrefix(name, "_has:") {
		typ := ""
		if len(types) == 1 {
			typ = types[0]
		}
		return x.filter(typ, name, value, 0)
	}
	if len(types) == 1 {
		return x.filter(types[0], name, value, 0)
	}
	if len(types) == 0 {
		types = x.defs.Types
	}
	var list []Filter
	for _, t := range types {
		f, known, err = x.filter(t, name, value, 0)
		if !known || err != nil {
			return f, known, err
		}
		list = merge(list, f)
	}
	switch {
	case len(list) == 1:
		return list[0], true, nil
	case len(list) > maxTargets:
		return f, false, nil
	}
	return Filter{Param: f.Param, Any: list}, true, nil
}
