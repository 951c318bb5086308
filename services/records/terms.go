package records

import (
	"context"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/record"
	"github.com/yba-health/yba/services/records/terminology"
)

// Expand answers ValueSet/$expand.
func (r *Records) Expand(ctx context.Context, req *recordsv1.TerminologyRequest) (*recordsv1.Resource, error) {
	if req.GetType() != "ValueSet" {
		return nil, fault.New(fault.Invalid, "a ValueSet is expanded", nil).In("type")
	}
	instance, err := r.shared(ctx, req)
	if err != nil {
		return nil, err
	}
	b, err := r.terms.Expand(ctx, req.GetQuery(), req.GetBody(), instance, r.now())
	return &recordsv1.Resource{Type: "ValueSet", Body: b}, err
}

// Lookup answers CodeSystem/$lookup.
func (r *Records) Lookup(ctx context.Context, req *recordsv1.TerminologyRequest) (*recordsv1.Resource, error) {
	if req.GetType() != "CodeSystem" || req.GetId() != "" {
		return nil, fault.New(fault.Invalid, "a code is looked up on the type CodeSystem", nil).In("type")
	}
	b, err := r.terms.Lookup(ctx, req.GetQuery(), req.GetBody())
	return &recordsv1.Resource{Type: "Parameters", Body: b}, err
}

// ValidateCode answers $validate-code of CodeSystem and ValueSet.
func (r *Records) ValidateCode(ctx context.Context, req *recordsv1.TerminologyRequest) (*recordsv1.Resource, error) {
	validate := r.terms.ValidateInSet
	switch req.GetType() {
	case "ValueSet":
	case "CodeSystem":
		validate = r.terms.ValidateInSystem
	default: // before anything is read: of other types nothing is told
		return nil, fault.New(fault.Invalid, "a code is checked against a CodeSystem or a ValueSet", nil).In("type")
	}
	instance, err := r.shared(ctx, req)
	if err != nil {
		return nil, err
	}
	b, err := validate(ctx, req.GetQuery(), req.GetBody(), instance)
	return &recordsv1.Resource{Type: "Parameters", Body: b}, err
}

// shared returns the resource that the operation is called on, nil for none.
// Whoever is signed in may use it: code systems and value sets lie in no
// compartment, and only such are reached.
func (r *Records) shared(ctx context.Context, req *recordsv1.TerminologyRequest) ([]byte, error) {
	if req.GetId() == "" {
		return nil, nil
	}
	n, err := r.number(req.GetType())
	if err != nil {
		return nil, err
	}
	x, err := r.store.Read(ctx, nil, n, req.GetId(), record.Reach{Shared: true})
	if err != nil {
		return nil, err
	}
	if x.Deleted {
		return nil, fault.New(fault.Gone, "the resource was deleted; its history is kept", nil)
	}
	return x.Body, nil
}

// canonical returns the canonical address of a stored ValueSet.
func (r *Records) canonical(ctx context.Context, id string) (string, error) {
	body, err := r.shared(ctx, &recordsv1.TerminologyRequest{Type: "ValueSet", Id: id})
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
		return "", fault.New(fault.Unprocessable, "there is no such ValueSet here", err)
	}
	if err != nil {
		return "", err
	}
	v, err := parsed(body)
	if err != nil {
		return "", err
	}
	url := v.Get("url").Str()
	if url == "" {
		return "", fault.New(fault.Unprocessable, "a ValueSet is searched by when it has a url", nil)
	}
	if version := v.Get("version").Str(); version != "" {
		url += "|" + version
	}
	return url, nil
}

// expander tells searches the codes of value sets and the codes above and
// below others.
type expander struct {
	terms *terminology.Server
	// canonical returns the canonical address of a stored ValueSet.
	canonical func(ctx context.Context, id string) (string, error)
	base      string
}

// Expand returns the codes of a value set, which is named by its canonical
// address or by where it is stored
// (https://hl7.org/fhir/R4/search.html#token, the modifier in).
func (e expander) Expand(ctx context.Context, url string) ([]record.Coding, error) {
	if id, ok := strings.CutPrefix(strings.TrimPrefix(url, e.base+"/"), "ValueSet/"); ok && fhir.ValidID(id) {
		named, err := e.canonical(ctx, id)
		if err != nil {
			return nil, err
		}
		url = named
	}
	list, err := e.terms.Codes(ctx, url)
	if err != nil {
		return nil, err
	}
	out := make([]record.Coding, len(list))
	for i, c := range list {
		out[i] = record.Coding{System: c.System, Code: c.Code}
	}
	return out, nil
}

// Related returns the code and all codes above or below it.
func (e expander) Related(ctx context.Context, c record.Coding, below bool) ([]record.Coding, error) {
	related := e.terms.Above
	if below {
		related = e.terms.Below
	}
	list, err := related(ctx, c.System, c.Code)
	if err != nil {
		return nil, err
	}
	out := make([]record.Coding, len(list))
	for i, code := range list {
		out[i] = record.Coding{System: c.System, Code: code}
	}
	return out, nil
}
