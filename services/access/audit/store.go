package audit

import "context"

// Store keeps the log.
type Store interface {
	// AppendAudit numbers, chains and keeps entries, all or none. One writer
	// at a time extends the chain, across all processes.
	AppendAudit(ctx context.Context, entries []Entry) error
	// Audit lists entries before a seq (0: from the newest), newest first.
	Audit(ctx context.Context, q Query) ([]Entry, error)
	// WalkAudit calls f with every entry in order.
	WalkAudit(ctx context.Context, f func(Entry) error) error
}

// Query selects entries of the log.
type Query struct {
	// Patients, unless empty, are whose compartments were touched.
	Patients []string
	// Denied selects refused attempts only.
	Denied bool
	Before int64
	Limit  int
}
