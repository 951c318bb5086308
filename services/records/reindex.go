package records

import (
	"context"
	"time"

	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// Indexing tells which types are being indexed again.
func (r *Records) Indexing(ctx context.Context, _ *recordsv1.IndexingRequest) (*recordsv1.IndexingResponse, error) {
	list, err := r.store.Indexing(ctx)
	if err != nil {
		return nil, err
	}
	out := &recordsv1.IndexingResponse{}
	for _, p := range list {
		out.Types = append(out.Types, &recordsv1.IndexingResponse_Progress{Type: p.Type, Done: p.Done, Total: p.Total})
	}
	return out, nil
}

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
