// Package patch changes a resource by JSON Patch (RFC 6902) and by FHIRPath
// Patch (https://hl7.org/fhir/R4/fhirpatch.html). What no operation touches
// stays byte for byte, decimals and the blanks between members included.
package patch

import (
	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// Limits of one patch.
const (
	maxOperations = 1000
	// maxCopied bounds what the operations of one patch may copy, in bytes: a
	// document that is copied into itself doubles each time.
	maxCopied = 16 << 20
)

// Patch is a list of operations that was understood.
type Patch interface {
	// Apply returns the changed bytes of resource. It is all or nothing; an
	// operation that cannot be carried out is fault.Unprocessable
	// (RFC 5789 section 2.2) and named by its place.
	Apply(resource fhir.Value) ([]byte, error)
}

func unprocessable(message string) *fault.Error {
	return fault.New(fault.Unprocessable, message, nil)
}

func invalid(message string) *fault.Error { return fault.New(fault.Invalid, message, nil) }
