package record

import (
	"slices"

	"github.com/yba-health/yba/pkg/fhir"
)

// implied puts the code alone in the place of system|code where the values
// name no system, but their binding says that they are of that one
// (https://hl7.org/fhir/R4/search.html#token). No parameter has values of both
// kinds.
func implied(p *fhir.Parameter, values []Value) []Value {
	if p.Type != "token" {
		return values
	}
	out := make([]Value, 0, len(values))
	for _, v := range values {
		alone := impliedBy(p, v)
		if alone == nil {
			alone = []Value{v}
		}
		out = append(out, alone...)
	}
	return out
}

// impliedBy returns what system|code or system| asks for of values without a
// system; nil where they cannot be of the system.
func impliedBy(p *fhir.Parameter, v Value) (out []Value) {
	if !v.HasSystem || v.System == "" {
		return nil
	}
	for i := range p.Paths {
		if v.Code != "" {
			if p.Paths[i].Implies(v.System, v.Code) {
				return []Value{{HasSystem: true, Code: v.Code}}
			}
			continue
		}
		codes, open := p.Paths[i].Implied(v.System)
		if open {
			return []Value{{HasSystem: true}}
		}
		for _, code := range codes {
			out = append(out, Value{HasSystem: true, Code: code})
		}
	}
	return out
}

// Implies reports whether a value of the parameter that names no system can be
// the code of a system.
func Implies(p *fhir.Parameter, c Coding) bool {
	return slices.ContainsFunc(p.Paths, func(path fhir.Path) bool { return path.Implies(c.System, c.Code) })
}
