package record

import "time"

// Job is a bulk export.
type Job struct {
	ID string
	// Principal and Scope are who asked and what they could reach then, as
	// JSON of the access service's messages.
	Principal, Scope []byte
	// Account is the asker's account, or the name of the service.
	Account string
	// Request is the address that was asked.
	Request string
	// Level is system, patient or group.
	Level string
	Types []int16
	// Since and Until are in microseconds since 1970; 0 means from the
	// beginning, and without end.
	Since, Until int64
	// Filters are searches (Type?criteria): of their types the export has what
	// one of them finds.
	Filters []string
	// Elements are what is shown of resources, as in a search; empty for all.
	Elements string
	// Ignored are parameters that a lenient request asked for in vain.
	Ignored []string
	// Snapshot names the transactions whose versions the export consists of.
	Snapshot string
	// Horizon is a time before which nothing is missing, shortly before the
	// asking.
	Horizon, Expires time.Time
	State            string // active, complete, refused
	// Place and After are where the count stands: an index into Types, and
	// the last id that was looked at.
	Place int
	After string
}

// JobFile is a part of an export: the resources of a type with After < id <= Upto.
type JobFile struct {
	File        int
	Type        int16
	After, Upto string
	// Count are the resources in it, Deleted the deletions.
	Count, Deleted int64
}

// Selection is what an export has of the resources of a type.
type Selection struct {
	// Reaches must all hold.
	Reaches []Reach
	// Finds tells whether a version is asked for; nil means that every one is.
	Finds func(*Stored) (bool, error)
	// Outlined leaves out the values that are kept apart: only a part of each
	// resource is shown.
	Outlined bool
}
