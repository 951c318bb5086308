package records

import (
	"context"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
)

// labels are the parts of Meta that the $meta operations are about
// (https://hl7.org/fhir/R4/resource.html#Meta).
var labels = []string{"profile", "security", "tag"}

// Meta answers $meta on a resource
// (https://hl7.org/fhir/R4/resource-operation-meta.html).
func (r *Records) Meta(ctx context.Context, req *recordsv1.OperationRequest) (*recordsv1.Resource, error) {
	if _, err := readParameters(req); err != nil {
		return nil, err
	}
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
	x, err := r.store.Read(ctx, nil, n, id, reach)
	if err != nil {
		return nil, caller.Hidden(ctx, err)
	}
	r.touch(ctx, x)
	if x.Deleted {
		return nil, fault.New(fault.Gone, "the resource was deleted; its history is kept", nil)
	}
	return labelsOf(x.Body)
}

// MetaAdd answers $meta-add (https://hl7.org/fhir/R4/resource-operation-meta-add.html).
func (r *Records) MetaAdd(ctx context.Context, req *recordsv1.OperationRequest) (*recordsv1.Resource, error) {
	return r.label(ctx, req, true)
}

// MetaDelete answers $meta-delete
// (https://hl7.org/fhir/R4/resource-operation-meta-delete.html).
func (r *Records) MetaDelete(ctx context.Context, req *recordsv1.OperationRequest) (*recordsv1.Resource, error) {
	return r.label(ctx, req, false)
}

// label changes labels. It makes a new version, unless nothing changes: up to
// STU3 the operations had to change the version in place, R4 leaves it open,
// and a log that does not tell who took a security label away, or whose
// readers do not hear of it, would not be worth much.
func (r *Records) label(ctx context.Context, req *recordsv1.OperationRequest, add bool) (*recordsv1.Resource, error) {
	p, err := readParameters(req, "meta")
	if err != nil {
		return nil, err
	}
	meta := p.get("meta").Get("valueMeta")
	if !meta.Exists() {
		return nil, fault.New(fault.Invalid, "a parameter meta with a valueMeta is expected", nil)
	}
	n, err := r.number(req.GetType())
	if err != nil {
		return nil, err
	}
	c := &change{verb: "patch", typ: req.GetType(), number: n, id: req.GetId(), patch: labelling{meta, add}}
	if err := r.target(ctx, c, ""); err != nil {
		return nil, err
	}
	x, err := r.single(ctx, c)
	if err != nil {
		return nil, err
	}
	return labelsOf(x.GetBody())
}

// labelsOf is what the operations answer with.
func labelsOf(body []byte) (*recordsv1.Resource, error) {
	v, err := parsed(body)
	if err != nil {
		return nil, err
	}
	b := append([]byte(`{"resourceType":"Parameters","parameter":[{"name":"return","valueMeta":`), v.Get("meta").Raw()...)
	return &recordsv1.Resource{Type: "Parameters", Body: append(b, `}]}`...)}, nil
}

// labelling is a patch that adds labels or takes them away.
type labelling struct {
	meta fhir.Value
	add  bool
}

// Apply returns the resource with its labels changed. They are sets: what is
// there is not added again.
func (l labelling) Apply(resource fhir.Value) ([]byte, error) {
	meta := resource.Get("meta")
	text := string(meta.Raw())
	if text == "" {
		text = "{}"
	}
	for _, name := range labels {
		v, err := parsed([]byte(text))
		if err != nil {
			return nil, err
		}
		var items []string
		for old := range v.Get(name).Items() {
			if l.add || !among(l.meta, name, old) {
				items = append(items, string(old.Raw()))
			}
		}
		if l.add {
			for fresh := range l.meta.Get(name).Items() {
				if !among(v, name, fresh) {
					items = append(items, string(fresh.Raw()))
				}
			}
		}
		if l.meta.Get(name).Exists() {
			text = string(set(v, name, items))
		}
	}
	e := fhir.Edit(resource)
	if text != "{}" || meta.Exists() {
		e.Put(resource, "meta", text)
	}
	return e.Bytes(), nil
}

// among reports whether a Meta has a label: a profile by its whole URL, a tag
// or security label by system and code.
func among(meta fhir.Value, name string, label fhir.Value) bool {
	for v := range meta.Get(name).Items() {
		if name == "profile" && v.Str() == label.Str() ||
			name != "profile" && v.Get("system").Str() == label.Get("system").Str() && v.Get("code").Str() == label.Get("code").Str() {
			return true
		}
	}
	return false
}
