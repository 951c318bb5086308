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
	if err := onlyServices(ctx); err != nil {
		return nil, err
	}
	var types []int16
	for _, t := range req.GetTypes() {
		n, err := r.number(t)
		if err != nil {
			return nil, fault.New(fault.Invalid, "types lists resource types", nil)
		}
		types = append(types, n)
	}
	limit, wait := bounds(req)
	list, cursor, more, err := r.store.Changes(ctx, req.GetCursor(), types, limit, wait)
	if err != nil {
		return nil, err
	}
	resp := &recordsv1.ChangesResponse{Cursor: cursor, More: more, Changes: make([]*recordsv1.Change, len(list))}
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

// Merges tells which Patients were merged, and whose merge was undone, after a
// cursor. Access follows it: who is bound to a merged Patient reaches the
// record that holds theirs. It is not read from links in Patients, which
// whoever may write one of two Patients could write.
func (r *Records) Merges(ctx context.Context, req *recordsv1.MergesRequest) (*recordsv1.MergesResponse, error) {
	if err := onlyServices(ctx); err != nil {
		return nil, err
	}
	limit, wait := bounds(req)
	list, cursor, more, err := r.store.Merged(ctx, req.GetCursor(), limit, wait)
	if err != nil {
		return nil, err
	}
	resp := &recordsv1.MergesResponse{Cursor: cursor, More: more}
	for _, x := range list {
		resp.Patients = append(resp.Patients, &recordsv1.MergedPatient{Patient: x.Patient, Into: x.Into})
	}
	return resp, nil
}

// onlyServices refuses whoever is no service that reaches everything.
func onlyServices(ctx context.Context) error {
	if guard.PrincipalOf(ctx).GetService() == "" || !guard.ScopeOf(ctx).GetAll() {
		return fault.New(fault.Forbidden, "the change log is for services only", nil)
	}
	return nil
}

// bounds returns how many rows a reader of a log gets at most, and how long it waits.
func bounds(req interface {
	GetLimit() int32
	GetWaitMs() int32
},
) (limit int, wait time.Duration) {
	if limit = int(req.GetLimit()); limit <= 0 || limit > maxChanges {
		limit = maxChanges
	}
	return limit, min(time.Duration(max(req.GetWaitMs(), 0))*time.Millisecond, maxWait)
}
