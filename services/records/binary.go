package records

import (
	"context"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/binary"
	"github.com/yba-health/yba/services/records/caller"
)

// binary opens a Binary for a caller who wants its raw content, or the
// resource that may be larger than memory.
func (r *Records) binary(ctx context.Context, id, v string, raw bool) (*binary.Content, error) {
	n, err := r.number("Binary")
	if err != nil {
		return nil, err
	}
	number := numbered(v)
	if v != "" && number == 0 {
		return nil, caller.Hidden(ctx, fault.New(fault.NotFound, "there is no such version", nil))
	}
	if caller.Deidentified(ctx) && raw {
		return nil, fault.New(fault.Forbidden, "the content of a Binary is not read without names", nil)
	}
	if err := byID(ctx, id); err != nil {
		return nil, err
	}
	reach, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	x, err := r.store.Outline(ctx, n, id, number, reach)
	if err != nil {
		return nil, caller.Hidden(ctx, err)
	}
	r.touch(ctx, x)
	if x.Deleted {
		return nil, fault.New(fault.Gone, "the resource was deleted; its history is kept", nil)
	}
	b := &binary.Content{Stored: x, Store: r.store, Body: x.Body}
	if caller.Deidentified(ctx) {
		b.Body, _, err = r.shown(ctx, x)
		b.Splices = nil
		return b, err
	}
	doc, err := fhir.Parse(x.Body)
	if err != nil {
		return nil, err
	}
	b.MIME, b.Context = doc.Root().Get("contentType").Str(), doc.Root().At("securityContext", "reference").Str()
	b.Data = doc.Root().Get("data")
	return b, nil
}
