package record

import (
	"fmt"
	"slices"

	"github.com/yba-health/yba/pkg/fhir"
)

// share lets parameters that ask for the same places use the same rows, since
// a row costs more than all that is done to make it:
//
//   - a reference parameter that is another one "where(resolve() is T)", such
//     as patient of subject, has the other's rows of that type;
//   - a code, a quantity or a composite, and the texts of a code, whose places
//     are those of other parameters, such as combo-code of code and
//     component-code, has theirs.
func (t *indexed) share() {
	var lent []*param
	texts := map[string]int16{}
	for _, p := range t.params {
		texts[p.Code] = p.text
	}
	for i := range t.params {
		p := &t.params[i]
		switch p.Type {
		case "reference":
			if q := t.untyped(p); q != nil {
				t.numbers[p.Code] = q.number
				lent = append(lent, p)
			}
		case "composite":
			if list := t.owners(p, compositePlaces); list != nil {
				t.borrow(p.Code, list, func(q *param) int16 { return q.number })
				if !slices.Contains(list, p) {
					lent = append(lent, p)
				}
			}
		case "token":
			if list := t.owners(p, textPlaces); list != nil && p.text != 0 {
				t.borrow(p.Code+":text", list, func(q *param) int16 { return texts[q.Code] })
				if !slices.Contains(list, p) {
					p.text = 0
				}
			}
			fallthrough
		case "quantity":
			if list := t.parts(p); list != nil && p.text == 0 && p.ofType == 0 {
				t.borrow(p.Code, list, func(q *param) int16 { return q.number })
				lent = append(lent, p)
			}
		}
	}
	for _, p := range lent {
		p.number = 0
	}
}

func (t *indexed) borrow(code string, list []*param, number func(*param) int16) {
	t.numbers[code] = number(list[0])
	t.also[code] = nil
	for _, q := range list[1:] {
		t.also[code] = append(t.also[code], number(q))
	}
}

// untyped is the parameter whose references p narrows to one type.
func (t *indexed) untyped(p *param) *param {
	if len(p.Paths) != 1 || p.Paths[0].Target == "" {
		return nil
	}
	for i := range t.params {
		q := &t.params[i]
		if q.Type == "reference" && len(q.Paths) == 1 && q.Paths[0].Target == "" && q.Paths[0].Type == p.Paths[0].Type &&
			slices.Equal(q.Paths[0].Steps, p.Paths[0].Steps) {
			return q
		}
	}
	return nil
}

// owners are for each of p's places the first parameter that asks for nothing
// else; nil when a place has none.
func (t *indexed) owners(p *param, places func(*fhir.Parameter) []string) []*param {
	var list []*param
	for _, place := range places(p.Parameter) {
		i := slices.IndexFunc(t.params, func(q param) bool {
			if q.Type != p.Type {
				return false
			}
			other := places(q.Parameter)
			return len(other) == 1 && other[0] == place
		})
		if i < 0 {
			return nil
		}
		list = append(list, &t.params[i])
	}
	return list
}

// parts are parameters that ask together for just what p asks for, and for
// nothing that others of them ask for; nil where there are none.
func (t *indexed) parts(p *param) []*param {
	left := places(p.Parameter)
	var list []*param
	for i := range t.params {
		q := &t.params[i]
		theirs := places(q.Parameter)
		if q.Type != p.Type || len(theirs) >= len(p.Paths) || slices.ContainsFunc(theirs, func(s string) bool { return !slices.Contains(left, s) }) {
			continue
		}
		left = slices.DeleteFunc(left, func(s string) bool { return slices.Contains(theirs, s) })
		if list = append(list, q); len(left) == 0 {
			return list
		}
	}
	return nil
}

func places(p *fhir.Parameter) []string {
	var out []string
	for _, path := range p.Paths {
		out = append(out, fmt.Sprint(path))
	}
	return out
}

func compositePlaces(p *fhir.Parameter) []string {
	var out []string
	for _, c := range p.Composites {
		out = append(out, fmt.Sprint(c))
	}
	return out
}

func textPlaces(p *fhir.Parameter) []string {
	var out []string
	for _, path := range p.Paths {
		if slices.Contains([]string{"CodeableConcept", "Coding", "Identifier"}, path.Type) {
			out = append(out, fmt.Sprint(path))
		}
	}
	return out
}

// Also returns the numbers of further parameters whose rows are the
// parameter's as well.
func (x *Indexer) Also(typ, code string) []int16 {
	if t := x.types[typ]; t != nil {
		return t.also[code]
	}
	return nil
}

// narrowed returns the type of resource that the parameter's rows, which are
// another one's, are narrowed to; 0 for none.
func (x *Indexer) narrowed(p *fhir.Parameter) int16 {
	t := x.types[p.Base]
	if p.Type != "reference" || t == nil || len(p.Paths) != 1 || p.Paths[0].Target == "" {
		return 0
	}
	return x.defs.Number(p.Paths[0].Target)
}
