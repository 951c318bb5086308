package record

import (
	"maps"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
)

// includeParameter reads _include and _revinclude
// (https://hl7.org/fhir/R4/search.html#revinclude).
func (x *Indexer) includeParameter(q *Query, types []string, reverse bool, modifier, value string) (known bool, err error) {
	if modifier != "" && modifier != "iterate" {
		return true, fault.Newf(fault.Invalid, "the modifier :%s does not apply here; _include and _revinclude have :iterate", short(modifier))
	}
	if value == "" {
		return true, nil
	}
	if q.includes++; q.includes > maxIncludes {
		return true, fault.Newf(fault.Invalid, "at most %d _include and _revinclude are allowed", maxIncludes)
	}
	inc, err := x.include(types, value, Include{Reverse: reverse, Iterate: modifier == "iterate"})
	q.Includes = append(q.Includes, inc...)
	return true, err
}

// include reads Source:parameter[:Target], Source:* or *.
func (x *Indexer) include(types []string, value string, like Include) ([]Include, error) {
	parts := strings.Split(value, ":")
	sources, code := []string{parts[0]}, "*"
	switch {
	case value == "*":
		if sources = types; like.Reverse || len(sources) == 0 || like.Iterate {
			sources = x.defs.Types
		}
	case len(parts) == 2 || len(parts) == 3:
		if code = parts[1]; len(parts) == 3 {
			like.Target = parts[2]
		}
	default:
		return nil, fault.New(fault.Invalid, "_include and _revinclude are written Type:parameter, Type:parameter:Target, Type:* or *", nil)
	}
	if !like.Reverse && !like.Iterate && len(types) > 0 && value != "*" && !slices.Contains(types, parts[0]) {
		return nil, fault.New(fault.Invalid, "_include begins with the type that is searched; what is included includes others by _include:iterate", nil)
	}
	if like.Target != "" && x.defs.Number(like.Target) == 0 {
		return nil, fault.New(fault.Invalid, "there is no such target type", nil)
	}
	var out []Include
	for _, source := range sources {
		all := x.defs.Parameters(source)
		for _, c := range slices.Sorted(maps.Keys(all)) {
			p := all[c]
			if p.Type != "reference" || x.Number(source, c) == 0 || code != c && code != "*" {
				continue
			}
			inc := like
			n, also, narrowed, err := x.rows(p)
			if err != nil {
				return nil, err
			}
			inc.Source, inc.Param, inc.Numbers, inc.Narrowed = source, p, append([]int16{n}, also...), narrowed
			out = append(out, inc)
		}
	}
	if like.Reverse && code == "*" {
		out = together(out)
	}
	if len(out) == 0 && value != "*" {
		return nil, fault.Newf(fault.Invalid, "%s has no reference parameter %q", short(parts[0]), short(code))
	}
	return out, nil
}

// together makes one look into the index of several: whatever refers here by
// any of their parameters. One that is narrowed to a type has the rows of
// another, which is among them.
func together(list []Include) []Include {
	if len(list) == 0 {
		return nil
	}
	one := list[0]
	one.Narrowed = 0
	for _, inc := range list[1:] {
		one.Numbers = append(one.Numbers, inc.Numbers...)
	}
	slices.Sort(one.Numbers)
	one.Numbers = slices.Compact(one.Numbers)
	return []Include{one}
}
