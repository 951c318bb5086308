package record

import (
	"github.com/google/uuid"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// NewID returns an id that no resource has; it begins with the time, so that
// index pages fill one after another.
func NewID() (string, error) {
	u, err := uuid.NewV7()
	return u.String(), err
}

// Personal reports whether resources of the type belong to the account that
// made them: a Subscription holds what its owner wants to know, and of whom.
func Personal(typ string) bool { return typ == "Subscription" }

// NoContext refuses a Binary whose securityContext leads into no compartment.
func NoContext() error {
	f := fault.New(fault.Unprocessable, "what the securityContext refers to is not here, or in nobody's record: write it first, or in the same transaction", nil)
	f.At = "Binary.securityContext"
	return f
}

// NotHere refuses what belongs to a Patient who is not here.
func NotHere(typ string) error {
	return fault.Newf(fault.Unprocessable, "the Patient that the %s belongs to is not here", typ)
}

// Elsewhere refuses what would lie in no compartment, and be open to all.
func Elsewhere(at fhir.Value) error {
	f := fault.New(fault.Unprocessable, "a Patient is referred to as Patient/id; what belongs to a person on another server cannot be kept here", nil)
	f.At = at.Path()
	return f
}
