package record

import (
	"slices"

	"github.com/yba-health/yba/pkg/fhir"
)

// Patients returns the ids of the Patients that the search itself names: by a
// reference, as the focus of a compartment, or by _id.
func (q *Query) Patients(defs *fhir.Definitions) []string { return patientsOf(nil, q.Filters, defs) }

func patientsOf(ids []string, filters []Filter, defs *fhir.Definitions) []string {
	patient := defs.Number("Patient")
	for i := range filters {
		f := &filters[i]
		ids = patientsOf(ids, f.Any, defs)
		if f.Param == nil || len(f.Any)+len(f.Targets) > 0 || f.Modifier == "not" || f.Modifier == "missing" {
			continue
		}
		self := f.Param.Code == "_id" && f.Of == "Patient"
		// A bare id is anybody's whom the parameter may lead to.
		bare := len(f.Param.Targets) == 0 || slices.Contains(f.Param.Targets, "Patient")
		for _, v := range f.Values {
			switch {
			case self:
				ids = append(ids, v.Code)
			case v.Ref.Target != "" && (v.Ref.Type == patient || v.Ref.Type == -1 && bare):
				ids = append(ids, v.Ref.Target)
			}
		}
	}
	return ids
}
