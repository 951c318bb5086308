package record

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

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

// Home is where a resource lies by what it says itself. The zero Home is the
// shared compartment.
type Home struct {
	// Patient is the id of the compartment's Patient.
	Patient string
	// Proxied tells that it lies where Proxy lies: a Binary whose
	// securityContext is another resource than a Patient.
	Proxied bool
	Proxy   Ref
	// Nobodys: it lies in the closed compartment.
	Nobodys bool
}

// Home returns where a resource with the id lies. It is the one rule for
// writes, imports and the work on what older programs stored. What would lie
// in no compartment by a mistake of its author is refused.
func (x *Indexer) Home(resource fhir.Value, id string) (h Home, err error) {
	h.Patient = x.Patient(resource, id)
	if h.Proxy, h.Proxied, err = x.Proxy(resource); err != nil || h.Proxied || h.Patient != "" {
		return h, err
	}
	if at, found := x.Elsewhere(resource); found {
		return h, elsewhere(at)
	}
	h.Nobodys = x.Closes(resource)
	return h, nil
}

// Movable reports whether resources of the type may lie elsewhere than in the
// shared compartment.
func (x *Indexer) Movable(typ int16) bool {
	name := x.defs.TypeOf(typ)
	t := x.types[name]
	return t != nil && len(t.compartment) > 0 || slices.Contains(wrapped, name) || Personal(name)
}

// Follows reports whether resources of the type may lie where another lies.
func (x *Indexer) Follows(typ int16) bool { return x.defs.TypeOf(typ) == "Binary" }

// Personal reports whether resources of the type belong to the account that
// made them: a Subscription holds what its owner wants to know, and of whom.
func Personal(typ string) bool { return typ == "Subscription" }

// Account is the compartment of what belongs to an account: below 0, where no
// patient's is.
func Account(actor string) int64 {
	sum := sha256.Sum256([]byte("account/" + actor))
	return -1 - int64(binary.BigEndian.Uint64(sum[:8])>>1) //nolint:gosec // 63 bits fit
}

// NoContext refuses a Binary whose securityContext leads into no compartment.
func NoContext() error {
	return fault.New(fault.Unprocessable, "what the securityContext refers to is not here, or in nobody's record: write it first, or in the same transaction", nil).In("Binary.securityContext")
}

// NotHere refuses what belongs to a Patient who is not here.
func NotHere(typ string) error {
	return fault.Newf(fault.Unprocessable, "the Patient that the %s belongs to is not here", typ)
}

// Partial refuses a part of a resource, which would replace the whole
// (https://hl7.org/fhir/R4/search.html#summary).
func Partial() error {
	return fault.New(fault.Unprocessable, "the resource is tagged SUBSETTED: it is a part of one, which would replace the whole; read it whole and change that", nil).In("meta.tag")
}

// elsewhere refuses what would lie in no compartment, and be open to all.
func elsewhere(at fhir.Value) error {
	return fault.New(fault.Unprocessable, "a Patient is referred to as Patient/id; what belongs to a person on another server cannot be kept here", nil).In(at.Path())
}
