package records

import (
	"context"

	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// Match answers Patient/$match.
func (r *Records) Match(ctx context.Context, req *recordsv1.OperationRequest) (*recordsv1.Bundle, error) {
	return nil, nil
}
