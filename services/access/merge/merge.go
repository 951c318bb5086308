// Package merge holds which Patients' records became part of others'. Accounts
// and relations stay bound to the Patient whom they were given for; who
// reaches that one reaches the record that holds theirs, as long as the merge
// stands.
package merge

import (
	"context"
	"errors"

	"github.com/yba-health/yba/pkg/projection"
)

// Merged is a Patient that was merged once, and the one that it is merged into
// now: "" when that was undone.
type Merged struct{ Patient, Into string }

// Line is whom a Patient was merged into, one after the other.
type Line []string

// Living is the Patient whose record holds that of the one at the beginning of
// the line.
func (l Line) Living(patient string) string {
	if n := len(l); n > 0 {
		return l[n-1]
	}
	return patient
}

// Patients are the one at the beginning and all of the line: each of their
// records may hold something, since a history stays where it was written.
func (l Line) Patients(patient string) []string {
	if patient == "" {
		return nil
	}
	return append([]string{patient}, l...)
}

// ErrMoved is returned when another process followed the merges meanwhile.
var ErrMoved = errors.New("access: the merges were followed by another process")

// Store keeps merges as records tells them.
type Store interface {
	// HoldMerges takes the lock of whoever follows them, nil when another has it.
	HoldMerges(ctx context.Context) (*projection.Lock, error)
	// MergesCursor is how far they were followed.
	MergesCursor(ctx context.Context) (string, error)
	// ApplyMerges takes what was read after the cursor from; else ErrMoved.
	ApplyMerges(ctx context.Context, from, next string, list []Merged) error
}
