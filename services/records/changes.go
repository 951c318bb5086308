package records

import (
	"context"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

const (
	maxChanges = 1000
	maxWait    = 30 * time.Second
)

// Changes reads the change log after a cursor. The log holds every patient's
// data, so that only a service whose scope is everything may read it.
func (r *Records) Changes(ctx context.Context, req *recordsv1.ChangesRequest) (*recordsv1.ChangesResponse, error) {
	if guard.PrincipalOf(ctx).GetService() == "" || !guard.ScopeOf(ctx).GetAll() {
		return nil, fault.New(fault.Forbidden, "the change log is for services only", nil)
	}
	var types []int16
	for _, t := range req.GetTypes() {
		n, err := r.number(t)
		if err != nil {
			return nil, fault.New(fault.Invalid, "types lists resource types", nil)
		}
		types = append(types, n)
	}
	limit := int(req.GetLimit())
	if limit <= 0 || limit > maxChanges {
		limit = maxChanges
	}
	wait := min(time.Duration(max(req.GetWaitMs(), 0))*time.Millisecond, maxWait)
	list, cursor, err := r.store.Changes(ctx, req.GetCursor(), types, limit, wait)
	if err != nil {
		return nil, err
	}
	resp := &recordsv1.ChangesResponse{Cursor: cursor, Changes: make([]*recordsv1.Change, len(list))}
	for i := range list {
		x := &list[i]
		body, err := r.whole(ctx, x)
		if err != nil {
			return nil, err
		}
		resp.Changes[i] = &recordsv1.Change{
			Seq: x.Seq, Type: r.defs.TypeOf(x.Type), Id: x.ID, Version: x.Version, Patient: x.PatientID,
			At: fhir.Instant(x.Updated), Actor: x.Actor, Op: x.Op, Body: body,
		}
	}
	return resp, nil
}
