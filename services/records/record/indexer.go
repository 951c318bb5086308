package record

import (
	"slices"

	"github.com/yba-health/yba/pkg/fhir"
)

// Indexer extracts index rows. It is made once the dictionary of parameters
// is known.
type Indexer struct {
	defs  *fhir.Definitions
	types map[string]*indexed
}

// indexed are the parameters of one type, with their numbers.
type indexed struct {
	params      []param
	numbers     map[string]int16
	main        *fhir.Parameter
	compartment []*fhir.Parameter
}

type param struct {
	*fhir.Parameter
	number int16
}

// mainDate are the parameters that can be a resource's own date, the best first.
var mainDate = []string{
	"date", "authoredon", "authored", "created", "recorded-date", "effective-time", "effective",
	"whenhandedover", "onset-date", "issue-date", "authored-on", "sent", "recorded", "start-date", "started", "birthdate",
}

// NewIndexer returns an indexer with the numbers that the dictionary gives to
// "Type.code".
func NewIndexer(defs *fhir.Definitions, numbers map[string]int16) *Indexer {
	x := &Indexer{defs: defs, types: map[string]*indexed{}}
	for _, typ := range defs.Types {
		t := &indexed{numbers: map[string]int16{}}
		all := defs.Parameters(typ)
		for code, p := range all {
			n, ok := numbers[typ+"."+code]
			if !ok {
				continue
			}
			t.numbers[code] = n
			t.params = append(t.params, param{p, n})
		}
		slices.SortFunc(t.params, func(a, b param) int { return int(a.number) - int(b.number) })
		for _, code := range mainDate {
			if p := all[code]; p != nil && p.Type == "date" && code != "birthdate" {
				t.main = p
				break
			}
		}
		for _, code := range defs.Compartment(typ) {
			t.compartment = append(t.compartment, all[code])
		}
		x.types[typ] = t
	}
	return x
}

// Indexable lists "Type.code" of every parameter that has index rows.
func Indexable(defs *fhir.Definitions) (types, codes []string) {
	for _, typ := range defs.Types {
		all := defs.Parameters(typ)
		for _, code := range slices.Sorted(mapKeys(all)) {
			p := all[code]
			// _id and _lastUpdated are columns of the current row.
			if len(p.Paths) == 0 || p.Type == "composite" || p.Type == "special" || code == "_id" || code == "_lastUpdated" {
				continue
			}
			types, codes = append(types, typ), append(codes, code)
		}
	}
	return types, codes
}

func mapKeys(m map[string]*fhir.Parameter) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Number returns the dictionary's number of a parameter, 0 when it has no rows.
func (x *Indexer) Number(typ, code string) int16 {
	if t := x.types[typ]; t != nil {
		return t.numbers[code]
	}
	return 0
}

// Main returns the code of the parameter that is the type's own date, or "".
func (x *Indexer) Main(typ string) string {
	if t := x.types[typ]; t != nil && t.main != nil {
		return t.main.Code
	}
	return ""
}

// Compartmental reports whether the parameter's value decides the resource's
// compartment: who asks for a patient by it asks within the compartment. sole
// tells that nothing else puts a resource there, so that the compartment
// alone is the answer.
func (x *Indexer) Compartmental(p *fhir.Parameter) (decides, sole bool) {
	t := x.types[p.Base]
	if t == nil || len(t.compartment) == 0 || !p.Single || len(p.Paths) != 1 {
		return false, false
	}
	same := func(q *fhir.Parameter) bool {
		return q.Single && len(q.Paths) == 1 && slices.Equal(q.Paths[0].Steps, p.Paths[0].Steps)
	}
	sole = true
	for _, q := range t.compartment {
		sole = sole && same(q)
	}
	return same(t.compartment[0]), sole
}
