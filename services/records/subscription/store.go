package subscription

import (
	"context"
	"database/sql"
	"time"

	"github.com/yba-health/yba/services/records/record"
)

// Place is a place in the change log.
type Place struct{ Tx, Seq uint64 }

// Before reports whether p comes before o in the log.
func (p Place) Before(o Place) bool { return p.Tx < o.Tx || p.Tx == o.Tx && p.Seq < o.Seq }

// Logged is a row of the log with its place.
type Logged struct {
	record.Stored
	Place Place
}

// Kept is a Subscription as the projection knows it.
type Kept struct {
	ID      string
	Version int64
	// Owner is the account, or "service:name", with whose rights it acts.
	Owner     string
	Status    string
	Channel   string
	Body      []byte
	Began     Place
	Heartbeat time.Duration
	End       time.Time
	Last      int64
	Sent      time.Time
	Failures  int
}

// Queued is an event.
type Queued struct {
	Subscription string
	Number       int64
	Seq          int64
	At           time.Time
	Type         int16
	ID           string
	Version      int64
	Op           string
}

// Step is what the projection commits with its cursor.
type Step struct {
	From, To Place
	// Kept are Subscriptions that came or changed; those in status off lose
	// their queue.
	Kept []Kept
	// Events get their numbers when they are stored; what is there already
	// by Subscription and Seq is left out.
	Events []Queued
}

// State is what becomes of an event.
type State string

// The states of events; one that waits has the state q.
const (
	Open     State = "s"
	Dead     State = "d"
	Withheld State = "w"
)

// Result is how a delivery ended.
type Result struct {
	// Settled are numbers of events by what became of them.
	Settled  map[State][]int64
	Failures int
	Due      time.Time
	Sent     time.Time // zero: nothing was sent
	// Status, Version and Body are set when the resource got a new status.
	Status  string
	Version int64
	Body    []byte
}

// Standing is how the delivery of one Subscription stands.
type Standing struct {
	Kept
	Waiting, Dead int64
	// Due is the next try, zero when nothing waits for one.
	Due time.Time
}

// Queue counts events for the metrics.
type Queue struct{ Waiting, Dead int64 }

// Store keeps resources, and the Subscriptions among them with their events.
// Errors are package fault's.
type Store interface {
	// Indexer returns the extractor of index rows for this installation.
	Indexer(ctx context.Context) (*record.Indexer, error)
	// Secret returns a secret of the installation.
	Secret(ctx context.Context, name string) ([]byte, error)
	// Read returns the current version, also that of a deletion;
	// fault.NotFound when it is absent or out of reach.
	Read(ctx context.Context, tx *sql.Tx, typ int16, id string, r record.Reach) (*record.Stored, error)
	// ReadVersion returns one version; fault.NotFound as Read.
	ReadVersion(ctx context.Context, typ int16, id string, version int64, r record.Reach) (*record.Stored, error)

	// Cursor returns where the projection stands.
	Cursor(ctx context.Context) (Place, error)
	// Log returns rows of the types after a place, and where to go on.
	Log(ctx context.Context, after Place, types []int16, limit int) ([]Logged, Place, error)
	// Subscribed returns Subscriptions that are told of changes: neither off nor gone.
	Subscribed(ctx context.Context) ([]Kept, error)
	// Take commits a step unless another process was faster (taken is false).
	Take(ctx context.Context, s Step) (taken bool, err error)

	// Claim leases a Subscription that has something to send, is at its end,
	// or failed before forgotten and was not mended; nil for none.
	Claim(ctx context.Context, now, forgotten time.Time, lease time.Duration) (*Kept, error)
	// Extend lets a lease last until a time.
	Extend(ctx context.Context, id string, until time.Time) error
	// Waiting returns the queue's head.
	Waiting(ctx context.Context, id string, limit int) ([]Queued, error)
	// Settle ends a lease.
	Settle(ctx context.Context, k *Kept, r Result) error

	// Get returns a Subscription, nil when the projection does not know it.
	Get(ctx context.Context, id string) (*Kept, error)
	// Events lists events after a number, those of one state or all but withheld ones.
	Events(ctx context.Context, id string, after, until int64, state State, limit int) ([]Queued, error)
	// Resend puts dead letters back into the queue, and returns their number.
	Resend(ctx context.Context, id string, numbers []int64) (int64, error)
	// Purge drops events from before a time that no queue needs.
	Purge(ctx context.Context, before time.Time) error
	// Queues tells how deliveries stand, of one Subscription where id is given,
	// or of those with dead letters or in error only.
	Queues(ctx context.Context, id string, failed bool, limit int) ([]Standing, error)
	// Queue counts.
	Queue(ctx context.Context) (Queue, error)

	// Rung returns a channel that is closed when the log may have grown.
	Rung() <-chan struct{}
	// Queued returns one that is closed when events may wait, here or by
	// another process.
	Queued() <-chan struct{}

	// Issue keeps a token's digest.
	Issue(ctx context.Context, digest []byte, id, account string, until time.Time) error
	// Redeem takes a token away and returns what it was for; fault.Unauthenticated otherwise.
	Redeem(ctx context.Context, digest []byte, now time.Time) (id, account string, err error)
}
