// Package relation holds what joins an account with a patient: guardians and
// those who treat.
package relation

import (
	"context"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/access/merge"
)

// The kinds of relation.
const (
	Guardian = "guardian"
	Treating = "treating"
)

// Relation lets an account reach a patient for a period and a reason.
type Relation struct {
	ID      string
	Account string
	Patient string
	// Merged is whom the patient was merged into since.
	Merged merge.Line
	Kind   string
	From   time.Time
	// Until is where it ends, not included; zero has no end.
	Until time.Time
	// Reason is what it rests on: "consultation/9", "birth certificate".
	Reason  string
	Granted time.Time
	// Granter is the account or service that granted it.
	Granter string
}

// Check says what is wrong with a new relation.
func (r Relation) Check() error {
	switch {
	case r.Kind != Guardian && r.Kind != Treating:
		return fault.New(fault.Invalid, "a relation is guardian or treating", nil).In("kind")
	case r.Account == "":
		return fault.New(fault.Invalid, "the account is missing", nil).In("account")
	case r.Patient == "":
		return fault.New(fault.Invalid, "the patient is missing", nil).In("patient")
	case r.Reason == "":
		return fault.New(fault.Invalid, "say what the relation rests on", nil).In("reason")
	case !r.Until.IsZero() && !r.Until.After(r.From):
		return fault.New(fault.Invalid, "the period ends before it begins", nil).In("until")
	}
	return nil
}

// Store keeps relations.
type Store interface {
	// AddRelation keeps a relation.
	AddRelation(ctx context.Context, r Relation) error
	// EndRelation ends a relation now; one that ended earlier stays as it is.
	EndRelation(ctx context.Context, id string, now time.Time) error
	// Relation finds one; else fault.NotFound.
	Relation(ctx context.Context, id string) (Relation, error)
	// Relations lists those of an account and of a patient, or of who was merged
	// into that one, newest first; an empty argument means any.
	Relations(ctx context.Context, account, patient string) ([]Relation, error)
	// RelationsAt lists those of an account that hold at a moment.
	RelationsAt(ctx context.Context, account string, at time.Time) ([]Relation, error)
}
