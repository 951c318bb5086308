package bulk

import (
	"context"

	"github.com/yba-health/yba/services/records/record"
)

// Step counts the next file of a job.
func Step(ctx context.Context, b *Bulk, j *record.Job) error { return b.step(ctx, j) }

// Count finds out what a job's files are.
func Count(ctx context.Context, b *Bulk, j *record.Job) error { return b.count(ctx, j) }

// Searches parts the value of a _typeFilter.
func Searches(value string) []string { return searches(value) }
