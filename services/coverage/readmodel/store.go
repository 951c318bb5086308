package readmodel

import (
	"context"
	"errors"
	"time"

	"github.com/yba-health/yba/pkg/projection"
)

// ErrMoved says that another process applied the batch first.
var ErrMoved = errors.New("coverage: another process moved the cursor")

// Generation is one build of the read model.
type Generation struct {
	ID int64
	// Live answers reports; the other one, if any, is being built.
	Live    bool
	Cursor  string
	Applied int64
	// AsOf: everything written up to here is counted; zero before the first batch.
	AsOf time.Time
}

// Batch is what one reading of the log gave.
type Batch struct {
	// From and Next are the cursors before and after it.
	From, Next string
	Facts      []Fact
	// Changes is the number of rows, with those that meant nothing.
	Changes int
	AsOf    time.Time
	// Today is the clock's day; counters older than the oldest report are
	// folded together.
	Today Day
}

// Count is an indicator's number at a place on two days.
type Count struct {
	Commune, Hamlet string
	Now, Before     int
}

// KnownFacility is a facility with its first day, and the first day of its
// offers of remote care that still stand (empty: none).
type KnownFacility struct {
	Commune          string
	Created, Offered Day
}

// Population is the official population of a unit on a day.
type Population struct {
	Unit           string
	Day            Day
	People, Adults int
	Source         string
}

// Target is a share to be reached by a day.
type Target struct {
	Indicator, Level, Source string
	By                       Day
	Share                    float64
}

// Store keeps the read model and what the department entered.
type Store interface {
	// Hold takes the lock of the projection, which one process at a time has.
	// It returns nil when another has it.
	Hold(ctx context.Context) (*projection.Lock, error)
	// Generations lists the live generation first, then the one being built.
	Generations(ctx context.Context) ([]Generation, error)
	// Apply commits the batch's effects on the generation together with the
	// cursor, or nothing; ErrMoved when the cursor is not at batch.From.
	Apply(ctx context.Context, generation int64, batch Batch) error
	// Build begins a new generation; one that is being built goes on.
	Build(ctx context.Context) error
	// Switch makes the generation that was built the live one and drops the old.
	Switch(ctx context.Context, generation int64) error

	// Counts returns the indicator's numbers by place on the two days, from
	// the live generation. Days are not older than KeepDays before today.
	Counts(ctx context.Context, indicator string, now, before Day) ([]Count, error)
	Facilities(ctx context.Context) ([]KnownFacility, error)
	// Since returns the day of the first record that the live generation
	// counted; empty when there is none.
	Since(ctx context.Context) (Day, error)

	// SetPopulation replaces rows of the same unit and day.
	SetPopulation(ctx context.Context, rows []Population) error
	// Populations returns the latest row of each unit on or before the day.
	Populations(ctx context.Context, on Day) (map[string]Population, error)
	// SetTargets replaces targets of the same indicator, level and day.
	SetTargets(ctx context.Context, targets []Target) error
	Targets(ctx context.Context) ([]Target, error)
}

// KeepDays is how far back counters keep single days.
const KeepDays = 62
