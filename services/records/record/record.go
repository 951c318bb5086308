package record

import (
	"errors"
	"slices"
	"time"

	"github.com/yba-health/yba/pkg/fault"
)

// Stored is one version of a resource as it comes from the store.
type Stored struct {
	Key     int64
	Patient int64 // the compartment's key, 0 for a shared resource
	// PatientID is the id of the compartment's Patient, "" for a shared resource.
	PatientID string
	Type      int16
	ID        string
	Version   int64
	Updated   time.Time
	Deleted   bool
	Op        string // of a version: create, update, delete
	Actor     string
	Seq       int64
	Body      []byte
	// Splices are values that Body lacks. Where a whole resource is expected
	// they are only there when it is too large to be held in memory.
	Splices []Splice
	// SortValue is where a list sorted it.
	SortValue *string
}

// MaxSize is how large a resource may be that is sent as one, in bytes.
const MaxSize = 16 << 20

// Write is a new version of a resource to be stored.
type Write struct {
	Type    int16
	ID      string
	Key     int64
	Patient int64
	Version int64
	Updated time.Time
	At      int64
	Op      string // create, update, delete
	// By numbers the author among those of one statement.
	By   int
	Body []byte
	// Splices are values that Body lacks because they are stored already; of
	// other writes the store takes large values out by itself.
	Splices []Splice
	Rows    Rows
	// Commune is where a Patient lives; other types leave it empty.
	Commune string
	// Old is what the version replaces, nil when the resource was not there.
	Old *Old
}

// Old are the current row and the index rows that a write replaces.
type Old struct {
	Patient int64
	At      int64
	Rows    Rows
}

// Move is a write that puts a resource into another compartment.
type Move struct {
	// From is where it lay, To where it lies; Fresh tells that it was not there.
	From, To int64
	Fresh    bool
	// PatientID is the id of the new compartment's Patient, "" where it has none.
	PatientID string
}

// Follower is a resource that lies where another lies, and moves along.
type Follower struct {
	Leader Ref
	Old    *Stored
	Write  Write
}

// Needs are resources that must be there for a write to take place, within
// the writer's reach.
type Needs struct {
	Refs  []Ref
	Reach Reach
}

// ErrAgain asks for the transaction to be run again: what it had found was
// changed before it was locked.
var ErrAgain = fault.New(fault.Conflict, "somebody else changed the same data at the same time; try again", nil)

// ErrTooCostly is the cause of a refusal for what a search would have to read.
var ErrTooCostly = errors.New("records: too much to read")

// Author says who writes and why, for the log.
type Author struct{ Actor, Reason string }

// Compartment is a patient's compartment.
type Compartment struct {
	Key     int64
	ID      string
	Commune string
	Deleted bool
}

// Reach is a scope in terms of compartments' keys: what a query may show.
type Reach struct {
	All      bool
	Shared   bool
	Patients []int64
	Communes []string
}

// Equal reports whether two scopes are the same, written alike.
func (r Reach) Equal(o Reach) bool {
	return r.All == o.All && r.Shared == o.Shared && slices.Equal(r.Patients, o.Patients) && slices.Equal(r.Communes, o.Communes)
}

// Merge is what a merge of two Patients changed: of each resource the version
// before it and the one after it.
type Merge struct {
	ID string
	// Source and Target are the keys of the Patients.
	Source, Target int64
	At             time.Time
	By             Author
	Moved          []Moved
}

// Merged is how a Patient stands who was merged once: the ids of the Patient
// and of the one that it is merged into now, "" for none.
type Merged struct{ Patient, Into string }

// Moved is a resource that a merge gave a new version.
type Moved struct{ Key, Before, After int64 }
