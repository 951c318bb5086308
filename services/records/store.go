package records

import (
	"context"
	"database/sql"
	"io"
	"time"

	"github.com/yba-health/yba/services/records/postgres"
	"github.com/yba-health/yba/services/records/record"
)

// Store keeps resources. Errors are package fault's. Where a transaction may
// be given, nil means none.
type Store interface {
	// Indexer returns the extractor of index rows for this installation.
	Indexer(ctx context.Context) (*record.Indexer, error)
	// Keys returns n keys that no resource has.
	Keys(ctx context.Context, n int) ([]int64, error)
	// Secret returns a secret of the installation.
	Secret(ctx context.Context, name string) ([]byte, error)
	// PatientKeys returns the keys of Patients by id; unknown ones are left out.
	PatientKeys(ctx context.Context, ids []string) (map[string]int64, error)
	// Compartments returns where Patients live now; unknown ones are left out.
	Compartments(ctx context.Context, tx *sql.Tx, ids []string) (map[string]record.Compartment, error)

	// Read returns the current version, also that of a deletion;
	// fault.NotFound when it is absent or out of reach.
	Read(ctx context.Context, tx *sql.Tx, typ int16, id string, r record.Reach) (*record.Stored, error)
	// Outline reads as Read, or a version that is not 0 as ReadVersion, without
	// the values that are kept apart: Splices tells what Body lacks.
	Outline(ctx context.Context, typ int16, id string, version int64, r record.Reach) (*record.Stored, error)
	// Fill puts values that are kept apart back into the bodies, but for those
	// of resources that are too large to be held in memory. All other reads
	// do so by themselves, but for Lock and partial searches.
	Fill(ctx context.Context, tx *sql.Tx, list []record.Stored) error
	// Part returns a part of a value that is kept apart, of PartSize bytes but
	// for the last one.
	Part(ctx context.Context, patient int64, x record.Splice, part int64) ([]byte, error)
	PartSize() int64
	// Keep stores a value of a compartment; the write that names it belongs
	// into the same transaction.
	Keep(ctx context.Context, tx *sql.Tx, patient int64, x record.Splice, content io.Reader) error
	// ReadMany returns those current resources that are within reach.
	ReadMany(ctx context.Context, tx *sql.Tx, refs []record.Ref, r record.Reach) ([]record.Stored, error)
	// ReadVersion returns one version; fault.NotFound as Read.
	ReadVersion(ctx context.Context, typ int16, id string, version int64, r record.Reach) (*record.Stored, error)
	// History returns versions, newest first; more tells that there are others.
	History(ctx context.Context, h postgres.HistoryQuery, r record.Reach) (list []record.Stored, more bool, err error)
	// Search returns a page in the query's order; ties are broken by key.
	Search(ctx context.Context, tx *sql.Tx, q *record.Query, r record.Reach) (*postgres.Page, error)
	// Referring returns resources that refer to targets by a parameter, whose
	// rows have the given numbers.
	Referring(ctx context.Context, params []int16, targets []record.Ref, limit int, r record.Reach) ([]record.Stored, error)
	// ByURL returns resources by their canonical URL, which a parameter indexes.
	ByURL(ctx context.Context, param int16, urls []string, limit int, r record.Reach) ([]record.Stored, error)
	// Compartment returns a page of a patient's compartment.
	Compartment(ctx context.Context, patient int64, c record.Contents, r record.Reach) ([]record.Stored, *record.Cursor, error)

	// Following returns at most limit resources that refer to one of the
	// targets by one of the parameters; of one type only, unless that is 0.
	Following(ctx context.Context, tx *sql.Tx, params []int16, typ int16, targets []record.Ref, limit int) ([]record.Ref, error)
	// CopyValues copies values that are kept apart into another compartment.
	CopyValues(ctx context.Context, tx *sql.Tx, from, to int64, list []record.Splice) error
	// Homes returns in which compartments resources lie; what is not there is
	// left out. Within a transaction they stay there until it ends.
	Homes(ctx context.Context, tx *sql.Tx, refs []record.Ref) (map[record.Ref]record.Home, error)

	// InTx runs f in a transaction, again when a race made it fail.
	InTx(ctx context.Context, f func(*sql.Tx) error) error
	// Hold makes others that use the same criteria wait for the transaction's end.
	Hold(ctx context.Context, tx *sql.Tx, types []int16, criteria []string) error
	// Lock locks resources until the transaction's end and returns them.
	// deletes keeps also those waiting who write references to them.
	Lock(ctx context.Context, tx *sql.Tx, refs []record.Ref, deletes bool) (map[record.Ref]*record.Stored, error)
	// Put stores all writes or none. What they need is kept from deletion
	// until the transaction ends; without it nothing is stored and
	// postgres.Dangling is true of the error.
	Put(ctx context.Context, tx *sql.Tx, by record.Author, writes []record.Write, needs record.Needs) error
	// Live returns which of the needed resources are there.
	Live(ctx context.Context, n record.Needs) (map[record.Ref]bool, error)
	// Referrers returns the types of resources that refer to the targets, but
	// for those with the given keys. Locked targets get no new ones.
	Referrers(ctx context.Context, tx *sql.Tx, params []int16, targets []record.Ref, except []int64, r record.Reach) ([]postgres.Referrer, error)

	// Bound returns what lies in a Patient's compartment or refers to the
	// Patient by one of the parameters, without bodies and without the Patient.
	Bound(ctx context.Context, tx *sql.Tx, patient *record.Stored, params []int16, limit int, r record.Reach) ([]record.Stored, error)
	// KeepMerge notes a merge of two Patients.
	KeepMerge(ctx context.Context, tx *sql.Tx, m record.Merge) error
	// ExtendMerge adds to a merge what was moved since.
	ExtendMerge(ctx context.Context, tx *sql.Tx, m *record.Merge, more []record.Moved) error
	// OpenMerge returns the merge that replaced the Patient with the key and
	// was not undone, nil for none; others wait who want to undo it.
	OpenMerge(ctx context.Context, tx *sql.Tx, source int64) (*record.Merge, error)
	// CloseMerge notes that a merge was undone.
	CloseMerge(ctx context.Context, tx *sql.Tx, m *record.Merge, at time.Time, by record.Author) error
	// Before returns the versions that a merge replaced, by key.
	Before(ctx context.Context, tx *sql.Tx, m *record.Merge, r record.Reach) (map[int64]*record.Stored, error)
	// Since returns what was created in a compartment after a point in time
	// and is still there, without bodies.
	Since(ctx context.Context, tx *sql.Tx, patient int64, at time.Time, limit int, r record.Reach) ([]record.Stored, error)
	// LastN returns of each code the latest limit Observations that match q,
	// newest first; more tells that there are others beyond the page.
	LastN(ctx context.Context, q *record.Query, limit int, r record.Reach) (list []record.Stored, more bool, err error)

	// Changes returns rows of the log after cursor and the next cursor; more
	// tells that the log may go on there.
	Changes(ctx context.Context, cursor string, types []int16, limit int, wait time.Duration) (list []record.Stored, next string, more bool, err error)
	// Merged returns how Patients stand that were merged, or whose merge was
	// undone, after cursor, and the next cursor.
	Merged(ctx context.Context, cursor string, limit int, wait time.Duration) (list []record.Merged, next string, more bool, err error)
	// Reindex makes index rows again where the program makes other ones than
	// are stored, until none is left.
	Reindex(ctx context.Context) error
	// Indexing returns the types that this is being done for.
	Indexing(ctx context.Context) ([]postgres.Progress, error)
	// Run carries notices of changes between processes until ctx is done.
	Run(ctx context.Context) error
}

var _ Store = (*postgres.Store)(nil)
