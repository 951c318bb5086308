package record

import (
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// treeValue reads the value of :above or :below of a reference: a resource of
// a type whose resources are parts of others of it, such as a Location, or a
// canonical (https://hl7.org/fhir/R4/search.html#recursive).
func (x *Indexer) treeValue(f *Filter, v Value, s string) (Value, error) {
	ref := x.ParseReference(s)
	if ref.Type == 0 && !fhir.ValidID(s) {
		return v, nil // a canonical
	}
	types := x.pointsAt(f.Param)
	if ref.Type > 0 {
		if !slices.Contains(types, x.defs.TypeOf(ref.Type)) {
			return v, fault.Newf(fault.Invalid, "%s does not point at a resource of this type", f.Param.Code)
		}
		types = []string{x.defs.TypeOf(ref.Type)}
	}
	var trees []string
	for _, t := range types {
		if x.tree(t) != "" {
			trees = append(trees, t)
		}
	}
	switch {
	case len(trees) == 0:
		return v, fault.Newf(fault.Invalid, "what %s points at is no part of another, so that nothing is :above or :below it", f.Param.Code)
	case len(trees) > 1:
		return v, fault.Newf(fault.Invalid, "%s points at several types; write one in front of the id: %s/…", f.Param.Code, strings.Join(trees, "/… or "))
	}
	if ref.Type == 0 {
		ref = Ref{Type: x.defs.Number(trees[0]), Target: s}
	}
	var err error
	v.Ref = ref
	v.Tree, _, _, err = x.rows(x.defs.Parameters(trees[0])[x.tree(trees[0])])
	return v, err
}

// tree returns the parameter by which a resource of a type is part of another
// of the same type, "" for none.
func (x *Indexer) tree(typ string) string {
	for _, code := range []string{"partof", "part-of"} {
		if p := x.defs.Parameters(typ)[code]; p != nil && p.Type == "reference" && slices.Contains(p.Targets, typ) && x.Number(typ, code) != 0 {
			return code
		}
	}
	return ""
}
