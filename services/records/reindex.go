package records

import (
	"context"
	"time"
)

// reindex brings the index rows of stored resources up to the program. It
// begins again a while after a failure.
func (r *Records) reindex(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.store.Reindex(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		r.log.Error("search parameters are not indexed yet; trying again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
		}
	}
}
