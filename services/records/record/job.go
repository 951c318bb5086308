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
	// Since is in microseconds since 1970; 0 means from the beginning.
	Since int64
	// Snapshot names the transactions whose versions the export consists of.
	Snapshot string
	// Horizon is a time before which nothing is missing.
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
