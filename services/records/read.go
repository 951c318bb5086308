package records

import (
	"context"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// Read returns the current version (https://hl7.org/fhir/R4/http.html#read).
func (r *Records) Read(ctx context.Context, req *recordsv1.ReadRequest) (*recordsv1.Resource, error) {
	n, err := r.number(req.GetType())
	if err != nil {
		return nil, err
	}
	id, err := r.real(ctx, req.GetType(), req.GetId())
	if err != nil {
		return nil, hidden(ctx, err)
	}
	reach, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	x, err := r.store.Read(ctx, nil, n, id, reach)
	if err != nil {
		return nil, hidden(ctx, err)
	}
	r.touch(ctx, x)
	if x.Deleted {
		return nil, fault.New(fault.Gone, "the resource was deleted; its history is kept", nil)
	}
	a, err := r.answer(ctx, x, req.GetQuery())
	if err == nil && matches(req.GetIfNoneMatch(), x.Version) {
		a.Body = nil
	}
	return a, err
}

// matches reports whether a list of version tags names the version.
func matches(tags string, current int64) bool {
	for tag := range strings.SplitSeq(tags, ",") {
		if v := version(tag); v == "*" || v != "" && v == strconv.FormatInt(current, 10) {
			return true
		}
	}
	return false
}

// ReadVersion returns one version (vread).
func (r *Records) ReadVersion(ctx context.Context, req *recordsv1.ReadVersionRequest) (*recordsv1.Resource, error) {
	n, err := r.number(req.GetType())
	if err != nil {
		return nil, err
	}
	v, err := strconv.ParseInt(version(req.GetVersion()), 10, 64)
	if err != nil || !fhir.ValidID(req.GetId()) {
		return nil, hidden(ctx, fault.New(fault.NotFound, "there is no such version", nil))
	}
	id, err := r.real(ctx, req.GetType(), req.GetId())
	if err != nil {
		return nil, hidden(ctx, err)
	}
	reach, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	x, err := r.store.ReadVersion(ctx, n, id, v, reach)
	if err != nil {
		return nil, hidden(ctx, err)
	}
	r.touch(ctx, x)
	if x.Deleted {
		return nil, fault.New(fault.Gone, "this version is a deletion", nil)
	}
	return r.answer(ctx, x, req.GetQuery())
}
