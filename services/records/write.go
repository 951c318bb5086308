package records

import (
	"context"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// Create stores a new resource (https://hl7.org/fhir/R4/http.html#create).
func (r *Records) Create(ctx context.Context, req *recordsv1.CreateRequest) (*recordsv1.Resource, error) {
	n, err := r.number(req.GetType())
	if err != nil {
		return nil, err
	}
	v, err := r.parse(req.GetType(), req.GetBody())
	if err != nil {
		return nil, err
	}
	c := &change{verb: "create", typ: req.GetType(), number: n, body: v}
	if c.id, err = record.NewID(); err != nil {
		return nil, err
	}
	if req.GetIfNoneExist() != "" {
		if c.match, err = r.criteria(ctx, c.typ, req.GetIfNoneExist()); err != nil {
			return nil, err
		}
	}
	return r.single(ctx, c)
}

// Update replaces the current version, or creates the resource under the
// client's id (https://hl7.org/fhir/R4/http.html#update).
func (r *Records) Update(ctx context.Context, req *recordsv1.UpdateRequest) (*recordsv1.Resource, error) {
	n, err := r.number(req.GetType())
	if err != nil {
		return nil, err
	}
	v, err := r.parse(req.GetType(), req.GetBody())
	if err != nil {
		return nil, err
	}
	c := &change{verb: "update", typ: req.GetType(), number: n, id: req.GetId(), body: v}
	if err = r.target(ctx, c, req.GetQuery()); err != nil {
		return nil, err
	}
	if c.ifMatch, err = tags(req.GetIfMatch(), "If-Match"); err != nil {
		return nil, err
	}
	if c.ifNoneMatch, err = tags(req.GetIfNoneMatch(), "If-None-Match"); err != nil {
		return nil, err
	}
	return r.single(ctx, c)
}

// Patch changes the current version (https://hl7.org/fhir/R4/http.html#patch).
func (r *Records) Patch(ctx context.Context, req *recordsv1.PatchRequest) (*recordsv1.Resource, error) {
	n, err := r.number(req.GetType())
	if err != nil {
		return nil, err
	}
	c := &change{verb: "patch", typ: req.GetType(), number: n, id: req.GetId()}
	if c.patch, err = r.readPatch(req.GetContentType(), req.GetBody()); err != nil {
		return nil, err
	}
	if err = r.target(ctx, c, req.GetQuery()); err != nil {
		return nil, err
	}
	if c.ifMatch, err = tags(req.GetIfMatch(), "If-Match"); err != nil {
		return nil, err
	}
	return r.single(ctx, c)
}

// Delete marks the resource as deleted; its history stays. Deleting what is
// deleted already changes nothing.
func (r *Records) Delete(ctx context.Context, req *recordsv1.DeleteRequest) (*recordsv1.Resource, error) {
	n, err := r.number(req.GetType())
	if err != nil {
		return nil, err
	}
	c := &change{verb: "delete", typ: req.GetType(), number: n, id: req.GetId()}
	if err = r.target(ctx, c, req.GetQuery()); err != nil {
		return nil, err
	}
	if c.ifMatch, err = tags(req.GetIfMatch(), "If-Match"); err != nil {
		return nil, err
	}
	return r.single(ctx, c)
}

// target reads what a change is about: an id, or criteria in its place.
func (r *Records) target(ctx context.Context, c *change, query string) (err error) {
	switch {
	case c.id != "" && query != "":
		return fault.New(fault.Invalid, "a resource is named by its id or by criteria, not by both", nil)
	case c.id != "" && c.verb == "update":
		return sameID(c.body, c.id)
	case c.id != "":
		if !fhir.ValidID(c.id) {
			return caller.Hidden(ctx, fault.New(fault.NotFound, "there is no such resource", nil))
		}
		return nil
	}
	if c.match, err = r.criteria(ctx, c.typ, query); err != nil {
		return err
	}
	switch c.verb {
	case "delete":
		c.limit, err = r.deleteLimit(c.match, query)
	case "update":
		if id := c.body.Get("id"); id.Exists() {
			c.id, c.own = id.Str(), true
			return nil
		}
		c.id, err = record.NewID()
	}
	return err
}

func (r *Records) single(ctx context.Context, c *change) (*recordsv1.Resource, error) {
	if err := r.write(ctx, []*change{c}); err != nil {
		return nil, err
	}
	if c.stored == nil { // a conditional delete without a match
		return &recordsv1.Resource{Type: c.typ, Deleted: true}, nil
	}
	a, err := r.answer(ctx, c.stored, "")
	if err != nil {
		return nil, err
	}
	a.Created = c.created
	if c.verb == "delete" && c.match != nil {
		a.Count = int32(c.deleted()) //nolint:gosec // at most maxDelete
	}
	return a, nil
}
