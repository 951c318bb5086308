package records

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
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
	id, err := r.real(ctx, req.GetType(), req.GetId())
	if err != nil {
		return nil, caller.Hidden(ctx, err)
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
		return matches(req.GetIfNoneMatch(), x.Version)
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
	v := numbered(req.GetVersion())
	if v < 1 || !fhir.ValidID(req.GetId()) {
		return nil, caller.Hidden(ctx, fault.New(fault.NotFound, "there is no such version", nil))
	}
	id, err := r.real(ctx, req.GetType(), req.GetId())
	if err != nil {
		return nil, caller.Hidden(ctx, err)
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

// numbered returns the version's number, 0 for what is none.
func numbered(tag string) int64 {
	v := version(tag)
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != v { // 01 names no version
		return 0
	}
	return n
}
