package stations

import (
	"context"
	"time"

	"github.com/yba-health/yba/pkg/units"
	"github.com/yba-health/yba/services/stations/due"
	"github.com/yba-health/yba/services/stations/ledger"
)

// The words of the tables stand in packages of their own, since postgres
// speaks them too.

type (
	// Claim is the intent to carry out one entry.
	Claim = ledger.Claim
	// Outcome is what became of an entry.
	Outcome = ledger.Outcome
	// Entered is an entry of the list of the day.
	Entered = ledger.Entered
	// Child is who may be due for a vaccination.
	Child = due.Child
	// Given is one dose in a record.
	Given = due.Given
	// DueChanges is what a stretch of the change log means to the list.
	DueChanges = due.Changes
)

// Store is the service's own tables.
type Store interface {
	UnitStore
	Ledger
	DueStore
}

// UnitStore keeps administrative units through time.
type UnitStore interface {
	// ImportUnits adds or replaces units and successions in one transaction. A
	// succession whose old unit has no beginning is joined to the unit of that
	// code that was in force the day before the new one began. It refuses
	// (fault.Invalid) two units of one code in force on one day. It returns the
	// keys that successions name and no unit has.
	ImportUnits(ctx context.Context, list []units.Unit, successions []units.Succession) (unknown []units.Key, err error)
	// Units lists units in force on a day by code; empty filters match all.
	Units(ctx context.Context, level units.Level, parent units.Code, on units.Date) ([]units.Unit, error)
	// Unit returns the unit with the key, or fault.NotFound.
	Unit(ctx context.Context, key units.Key) (units.Unit, error)
	// Successions lists successions; empty codes match all.
	Successions(ctx context.Context, old, young units.Code) ([]units.Succession, error)
}

// Ledger keeps what became of each client id.
type Ledger interface {
	// Claim takes the client id for this call. When it was finished before, it
	// returns the outcome. It refuses (fault.Conflict) an id that another
	// account or another request has used, and (fault.Unavailable) one that a
	// call still works on; a claim that is older than stale is taken over,
	// since the process that held it is gone.
	Claim(ctx context.Context, c Claim, stale time.Duration) (*Outcome, error)
	// Finish keeps the outcome.
	Finish(ctx context.Context, c Claim, o Outcome) error
	// Release gives a claim up after a failure, so that it may be tried again.
	Release(ctx context.Context, c Claim) error
	// Entered lists what a station entered in [from, until), newest first, at
	// most limit, and how many there are of each kind.
	Entered(ctx context.Context, station string, from, until time.Time, limit int) ([]Entered, map[string]int, error)
}

// DueStore is the read model of who is due, a projection of the change log.
type DueStore interface {
	// Cursor returns how far the log was read; empty at the beginning.
	Cursor(ctx context.Context) (string, error)
	// Apply makes the changes and moves the cursor, in one transaction. It
	// changes nothing and reports false when the cursor is not at from any
	// more: another process was faster.
	Apply(ctx context.Context, from, to string, c DueChanges) (bool, error)
	// Children lists children of the communes born in [from, until], and the
	// doses each of them has had.
	Children(ctx context.Context, communes []string, from, until time.Time) ([]Child, map[string][]Given, error)
}
