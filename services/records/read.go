package records

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// Read returns the current version (https://hl7.org/fhir/R4/http.html#read).
func (r *Records) Read(ctx context.Context, req *recordsv1.ReadRequest) (*recordsv1.Resource, error) {
	n, err := r.number(req.GetType())
	if err != nil {
		return nil, err
	}
	id := req.GetId()
	if err := byID(ctx, id); err != nil {
		return nil, err
	}
	reach, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	x, err := r.store.Outline(ctx, n, id, 0, reach)
	if err != nil {
		return nil, caller.Hidden(ctx, err)
	}
	r.touch(ctx, x)
	if x.Deleted {
		return nil, fault.New(fault.Gone, "the resource was deleted; its history is kept", nil)
	}
	if unchanged(req, x) {
		x.Body, x.Splices = nil, nil
	}
	return r.answer(ctx, x, req.GetQuery())
}

// unchanged reports whether the caller has the version already
// (https://hl7.org/fhir/R4/http.html#cread). If-None-Match decides where it is
// given, as it knows versions within a second.
func unchanged(req *recordsv1.ReadRequest, x *record.Stored) bool {
	if req.GetIfNoneMatch() != "" {
		list, err := tags(req.GetIfNoneMatch(), "If-None-Match")
		return err == nil && current(list, x) // what is no tag names no version
	}
	if req.GetIfModifiedSince() == "" {
		return false
	}
	since, err := http.ParseTime(req.GetIfModifiedSince())
	if err != nil {
		if since, err = time.Parse(time.RFC3339, req.GetIfModifiedSince()); err != nil {
			return false // what is no date is ignored (RFC 9110 section 13.1.3)
		}
		return !x.Updated.After(since)
	}
	return !x.Updated.Truncate(time.Second).After(since)
}

// ReadVersion returns one version (vread).
func (r *Records) ReadVersion(ctx context.Context, req *recordsv1.ReadVersionRequest) (*recordsv1.Resource, error) {
	n, err := r.number(req.GetType())
	if err != nil {
		return nil, err
	}
	v, id := numbered(req.GetVersion()), req.GetId()
	if v == 0 {
		return nil, caller.Hidden(ctx, fault.New(fault.NotFound, "there is no such version", nil))
	}
	if err := byID(ctx, id); err != nil {
		return nil, err
	}
	reach, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	x, err := r.store.Outline(ctx, n, id, v, reach)
	if err != nil {
		return nil, caller.Hidden(ctx, err)
	}
	r.touch(ctx, x)
	if x.Deleted {
		return nil, fault.New(fault.Gone, "this version is a deletion", nil)
	}
	return r.answer(ctx, x, req.GetQuery())
}

// numbered returns the number of a version in an address, 0 for what is none.
func numbered(s string) int64 {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || strconv.FormatUint(n, 10) != s { // 01 names no version
		return 0
	}
	return int64(n) //nolint:gosec // it has 63 bits
}
