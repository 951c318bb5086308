package record

import (
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fhir"
)

// Unindexed is the number under which the references stand that no search
// parameter finds, so that what they lead to is not deleted.
const Unindexed int16 = 0

// Literal reads Type/id or Type/id/_history/n.
func (x *Indexer) Literal(s string) (Ref, bool) {
	typ, rest, ok := strings.Cut(s, "/")
	if !ok {
		return Ref{}, false
	}
	id, _, _ := strings.Cut(rest, "/")
	ref := Ref{Type: x.defs.Number(typ), Target: id}
	return ref, ref.Type > 0 && fhir.ValidID(id)
}

// others adds the literal references that have no row yet.
func (x *Indexer) others(r *Rows, resource fhir.Value) {
	covered := len(r.Refs)
	var seen map[Ref]struct{}
	if covered > few {
		seen = make(map[Ref]struct{}, covered)
		for _, have := range r.Refs {
			seen[Ref{Type: have.Type, Target: have.Target}] = struct{}{}
		}
	}
	for v := range resource.Strings() {
		if !v.Named("reference") {
			continue
		}
		ref, ok := x.Literal(v.Str())
		if !ok {
			continue
		}
		if seen != nil {
			if _, ok := seen[ref]; ok {
				continue
			}
			seen[ref] = struct{}{}
		} else if slices.ContainsFunc(r.Refs, func(have Ref) bool { return have.Type == ref.Type && have.Target == ref.Target }) {
			continue
		}
		ref.Param = Unindexed
		r.Refs = append(r.Refs, ref)
	}
}

// Referring returns the numbers of the parameters by which a resource of a
// type can be referred to.
func (x *Indexer) Referring(typ string) []int16 {
	numbers := []int16{Unindexed}
	for _, t := range x.types {
		for _, p := range t.params {
			if p.Type == "reference" && (len(p.Targets) == 0 || slices.Contains(p.Targets, typ)) {
				numbers = append(numbers, p.number)
			}
		}
	}
	slices.Sort(numbers)
	return numbers
}
