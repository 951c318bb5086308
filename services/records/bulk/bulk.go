package bulk

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/postgres"
	"github.com/yba-health/yba/services/records/record"
)

// Deps are what the operations work with.
type Deps struct {
	Store       Store
	Definitions *fhir.Definitions
	Now         func() time.Time
	Log         *slog.Logger
	// Base is the public address of /fhir/R4.
	Base string
	// Enter asks whether the caller may use another operation than the one
	// that runs, and returns a context with its scope.
	Enter func(ctx context.Context, method string) (context.Context, error)
	// Reach turns the scope of the operation into keys.
	Reach func(ctx context.Context) (record.Reach, error)
	// Following returns the writes by which resources follow others that move
	// into another compartment; written tells what finds its place by itself.
	Following func(ctx context.Context, tx *sql.Tx, now time.Time, moves map[record.Ref]record.Move, written func(record.Ref) bool, all bool) ([]record.Follower, error)
	// Shown returns the bytes and the id that the caller may see of a part of x.
	Shown func(ctx context.Context, x *record.Stored, part fhir.Subset) (body []byte, id string, err error)
	// Anonymous refuses a search that could single out a person where the
	// caller may see no names.
	Anonymous func(ctx context.Context, q *record.Query) error
	// Valid checks what is written, as far as the installation wants it.
	Valid func(v fhir.Value) error
}

// Bulk carries out the operations. Its methods are those of the proto.
type Bulk struct {
	Deps

	// Part is how many resources one file has at most, and Lease how long an
	// export is left to a worker that may have died.
	Part  int
	Lease time.Duration

	rung chan struct{}
}

// New makes the operations; Work does the part that nobody waits for.
func New(d Deps) *Bulk {
	return &Bulk{Deps: d, Part: 50_000, Lease: 20 * time.Second, rung: make(chan struct{}, 1)}
}

// Store keeps resources and exports. Errors are package fault's.
type Store interface {
	// Indexer returns the extractor of index rows for this installation.
	Indexer(ctx context.Context) (*record.Indexer, error)
	// Keys returns n keys that no resource has.
	Keys(ctx context.Context, n int) ([]int64, error)
	// PatientKeys returns the keys of Patients by id; unknown ones are left out.
	PatientKeys(ctx context.Context, ids []string) (map[string]int64, error)
	// Homes returns in which compartments resources lie; what is not there is
	// left out.
	Homes(ctx context.Context, tx *sql.Tx, refs []record.Ref) (map[record.Ref]record.Home, error)
	// Read returns the current version, also that of a deletion;
	// fault.NotFound when it is absent or out of reach.
	Read(ctx context.Context, tx *sql.Tx, typ int16, id string, r record.Reach) (*record.Stored, error)

	// Known returns those of refs that are there, deletions included.
	Known(ctx context.Context, refs []record.Ref) (map[record.Ref]bool, error)
	// Add stores the first versions of resources, all or none; raced tells
	// that one of them is there already.
	Add(ctx context.Context, by record.Author, writes []record.Write) (raced bool, err error)
	// InTx runs f in a transaction, again when a race made it fail.
	InTx(ctx context.Context, f func(*sql.Tx) error) error
	// Lock locks resources until the transaction's end and returns them.
	Lock(ctx context.Context, tx *sql.Tx, refs []record.Ref, deletes bool) (map[record.Ref]*record.Stored, error)
	// Put stores all writes or none.
	Put(ctx context.Context, tx *sql.Tx, by record.Author, writes []record.Write, needs record.Needs) error

	// AddJob keeps a new export and fixes its snapshot.
	AddJob(ctx context.Context, j *record.Job, keep time.Duration, patients []int64) error
	// Job returns an export; fault.NotFound when it is not there.
	Job(ctx context.Context, id string) (*record.Job, error)
	// Files returns what an export consists of so far.
	Files(ctx context.Context, job string) ([]record.JobFile, error)
	// RemoveJob forgets an export.
	RemoveJob(ctx context.Context, id string) error
	// ClaimJob returns an export that nobody works at, nil when there is none.
	ClaimJob(ctx context.Context, lease time.Duration) (*record.Job, error)
	// AdvanceJob moves an export on and adds a file, both or none.
	AdvanceJob(ctx context.Context, j *record.Job, place int, after, state string, f *record.JobFile, lease time.Duration) error
	// CountExport counts the next part of an export.
	CountExport(ctx context.Context, j *record.Job, typ int16, after string, limit int, sel record.Selection) (f *record.JobFile, whole bool, err error)
	// ReadExport returns a page of a file, and the id that the next one is after.
	ReadExport(ctx context.Context, j *record.Job, f *record.JobFile, deleted bool, after string, limit int, sel record.Selection) (list []record.Stored, next string, err error)
	// FirstRead returns those patients of whom an account had nothing yet.
	FirstRead(ctx context.Context, job, account string, patients []int64) ([]int64, error)
}

var _ Store = (*postgres.Store)(nil)
