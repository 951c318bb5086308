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
	// securityContext is another resource than a Patient, or what has a device
	// or a group as its subject.
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
	return x.unnamed(resource), nil
}

// Movable reports whether resources of the type may lie elsewhere than in the
// shared compartment.
func (x *Indexer) Movable(typ int16) bool {
	name := x.defs.TypeOf(typ)
	t := x.types[name]
	return t != nil && len(t.compartment) > 0 || slices.Contains(wrapped, name) || Personal(name)
}

// Content reports whether resources of the type lie with what their
// securityContext names.
func (x *Indexer) Content(typ int16) bool { return x.defs.TypeOf(typ) == "Binary" }

// leaders are the types whose resources may be the subject of others, which
// lie with them. They lie with their own Patient, or with none, so that one
// look tells where a follower lies.
var leaders = []string{"Device", "Group"}

// Leads reports whether others lie with resources of the type as their subject.
func (x *Indexer) Leads(typ int16) bool { return slices.Contains(leaders, x.defs.TypeOf(typ)) }

// Subjects returns the numbers of the parameters by which resources refer to a
// subject that they may lie with.
func (x *Indexer) Subjects() []int16 {
	var list []int16
	for typ, t := range x.types {
		if len(t.compartment) == 0 || typ == "Group" {
			continue
		}
		p := t.compartment[0]
		if slices.ContainsFunc(p.Paths, func(q fhir.Path) bool { return q.Target == "" }) {
			list = append(append(list, x.Number(typ, p.Code)), x.Also(typ, p.Code)...)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Settle finds where resources lie that lie where others do: proxies, by the
// resource, with homes of what they name and of what is written along. What
// follows a device or a group comes first, since the content of a document may
// follow that. Whose proxy lies nowhere is Nobodys; a device that is nobody's
// any more opens nothing to all: what homes says of the follower itself, where
// it lay before, holds then.
func (x *Indexer) Settle(homes map[Ref]Home, proxies map[Ref]Ref) {
	for _, content := range []bool{false, true} {
		for ref, proxy := range proxies {
			if x.Content(ref.Type) != content {
				continue
			}
			home, found := homes[proxy]
			if home = (Home{Patient: home.Patient, Nobodys: home.Nobodys || !found}); home == (Home{}) && !content {
				continue
			}
			homes[ref] = home
		}
	}
}

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
func (x *Indexer) NotHere(resource fhir.Value, patient string) error {
	f := fault.Newf(fault.Unprocessable, "the Patient that the %s belongs to is not here", resource.Get("resourceType").Str())
	for v := range resource.Strings() {
		if ref, ok := x.Literal(v.Str()); ok && v.Named("reference") && ref.Target == patient && x.defs.TypeOf(ref.Type) == "Patient" {
			f.At = v.Path()
			break
		}
	}
	return f
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
