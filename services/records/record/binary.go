package record

import (
	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// Proxy returns the resource whose compartment a Binary takes: what its
// securityContext refers to, unless that is a Patient, which Indexer.Patient
// returns (https://hl7.org/fhir/R4/binary.html#BinaryDefinition). A context
// that is not understood is refused: the Binary would be open to all.
func (x *Indexer) Proxy(resource fhir.Value) (ref Ref, found bool, err error) {
	if resource.Get("resourceType").Str() != "Binary" {
		return Ref{}, false, nil
	}
	sc := resource.Get("securityContext")
	if !sc.Exists() {
		return Ref{}, false, nil
	}
	ref, ok := x.Literal(sc.Get("reference").Str())
	switch {
	case ok && x.defs.TypeOf(ref.Type) == "Patient":
		return Ref{}, false, nil
	case ok && x.defs.TypeOf(ref.Type) != "Binary":
		return ref, true, nil
	}
	return Ref{}, false, fault.New(fault.Unprocessable, "the securityContext of a Binary is a reference Type/id to a Patient, or to a resource in a Patient's record, that is here", nil).In(sc.Path())
}
