package record

import (
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// typed reports whether the search itself says which types it goes over.
func (q *Query) typed() bool { return len(q.Types) > 0 }

// typesOf returns the types that are searched, none for all of them, and
// reads _type on the way: the other parameters depend on it.
func (x *Indexer) typesOf(q *Query, pairs [][2]string) ([]string, error) {
	if q.Type != "" {
		return []string{q.Type}, nil
	}
	var types []string
	for _, p := range pairs {
		if p[0] != "_type" || p[1] == "" {
			continue
		}
		if len(types) > 0 {
			return nil, fault.New(fault.Invalid, "_type is given once, as a list", nil)
		}
		for t := range strings.SplitSeq(p[1], ",") {
			if x.defs.Number(t) == 0 {
				return nil, fault.New(fault.Invalid, "_type lists resource types", nil)
			}
			if !slices.Contains(types, t) {
				types = append(types, t)
			}
		}
	}
	x.search(q, types)
	return types, nil
}

// search sets the types that are searched.
func (x *Indexer) search(q *Query, types []string) {
	q.Types = nil
	for _, t := range types {
		q.Types = append(q.Types, x.defs.Number(t))
	}
	if len(types) == 1 {
		q.Type, q.Number = types[0], q.Types[0]
	}
}

// within adds the condition that a resource lies in a compartment: one of the
// definition's references points at its focus, or it is the focus
// (https://hl7.org/fhir/R4/compartmentdefinition.html).
func (x *Indexer) within(q *Query, place Place, types []string) ([]string, error) {
	definition := x.defs.Members(place.Compartment)
	if definition == nil || !fhir.ValidID(place.ID) {
		return nil, fault.New(fault.NotFound, "there is no such compartment", nil)
	}
	if len(types) == 0 {
		for _, t := range x.defs.Types {
			if len(definition[t]) > 0 {
				types = append(types, t)
			}
		}
		x.search(q, types)
	}
	var members []Filter
	for _, t := range types {
		for _, code := range definition[t] {
			f, known, err := x.filter(t, code, place.Compartment+"/"+place.ID, 0)
			if code == "_id" {
				f, known, err = x.filter(t, code, place.ID, 0)
			}
			if err != nil {
				return nil, err
			}
			if !known {
				return nil, fault.Newf(fault.Internal, "the compartment of %s names the parameter %s.%s", place.Compartment, t, code)
			}
			members = append(members, f)
		}
	}
	switch len(members) {
	case 0:
		return nil, fault.Newf(fault.NotFound, "resources of this type lie in no compartment of a %s", place.Compartment)
	case 1:
		q.Filters = append(q.Filters, members[0])
	default:
		q.Filters = append(q.Filters, Filter{Param: members[0].Param, Any: members})
	}
	return types, nil
}
