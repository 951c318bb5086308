package records

import (
	"context"
	"slices"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// baseProfile begins the canonical of a type's own definition.
const baseProfile = "http://hl7.org/fhir/StructureDefinition/"

// Validate tells what is wrong with a resource
// (https://hl7.org/fhir/R4/resource-operation-validate.html). What is wrong
// are issues of the answer; only who may not ask gets an error.
func (r *Records) Validate(ctx context.Context, req *recordsv1.ValidateRequest) (*recordsv1.Resource, error) {
	if _, err := r.number(req.GetType()); err != nil {
		return nil, err
	}
	q := question{mode: req.GetMode(), profile: req.GetProfile()}
	issues := q.read(req)
	if req.GetId() != "" {
		// A stored resource is validated only for whoever may read it.
		stored, err := r.Read(ctx, &recordsv1.ReadRequest{Type: req.GetType(), Id: req.GetId()})
		if err != nil {
			return nil, err
		}
		if len(issues) == 0 && !q.resource.Exists() {
			doc, err := fhir.Parse(stored.GetBody())
			if err != nil {
				return nil, err
			}
			q.resource = doc.Root()
		}
	}
	if len(issues) == 0 {
		issues = r.examine(q, req)
	}
	if len(issues) == 0 {
		issues = fhir.Issues{{Severity: "information", Code: "informational", Diagnostics: "all ok"}}
	}
	return &recordsv1.Resource{Body: fhir.Outcome(issues...)}, nil
}

// question is what $validate is asked.
type question struct {
	resource      fhir.Value
	mode, profile string
}

// read takes the resource from the body, or out of Parameters.
func (q *question) read(req *recordsv1.ValidateRequest) fhir.Issues {
	if len(req.GetBody()) == 0 {
		return nil
	}
	doc, err := fhir.Parse(req.GetBody())
	if err != nil {
		return issue("structure", fault.Of(err))
	}
	root := doc.Root()
	if root.Get("resourceType").Str() != "Parameters" {
		q.resource = root
		return nil
	}
	wrapped := false
	for p := range root.Get("parameter").Items() {
		switch p.Get("name").Str() {
		case "resource":
			q.resource, wrapped = p.Get("resource"), true
		case "mode":
			q.mode, wrapped = p.Get("valueCode").Str(), true
		case "profile":
			q.profile, wrapped = p.Get("valueUri").Str()+p.Get("valueCanonical").Str(), true
		}
	}
	if !wrapped && req.GetType() == "Parameters" {
		q.resource = root
	}
	return nil
}

// examine answers the question.
func (r *Records) examine(q question, req *recordsv1.ValidateRequest) fhir.Issues {
	var issues fhir.Issues
	wrong := func(code, message string) {
		issues = append(issues, fhir.Issue{Severity: "error", Code: code, Diagnostics: message})
	}
	if !slices.Contains([]string{"", "create", "update", "delete"}, q.mode) {
		wrong("not-supported", "mode is create, update or delete")
	}
	if q.profile != "" && q.profile != baseProfile+req.GetType() {
		wrong("not-supported", "only the base definitions of R4 are known, no other profile")
	}
	if q.mode == "delete" && req.GetId() == "" {
		wrong("required", "a deletion is of one resource: ask at Type/id/$validate")
	}
	if len(issues) > 0 || q.mode == "delete" {
		return issues
	}
	if !q.resource.Exists() {
		wrong("required", "a resource is expected, by itself or as the parameter resource")
		return issues
	}
	if q.resource.Get("resourceType").Str() != req.GetType() {
		wrong("structure", "resourceType must be "+req.GetType())
		return issues
	}
	if q.mode == "update" {
		id := req.GetId()
		if id == "" {
			id = q.resource.Get("id").Str()
		}
		if err := sameID(q.resource, id); err != nil {
			issues = append(issues, issue("value", fault.Of(err))...)
		}
	}
	return append(issues, r.defs.Check(q.resource)...)
}

func issue(code string, f *fault.Error) fhir.Issues {
	return fhir.Issues{{Severity: "error", Code: code, Diagnostics: f.Message, Expression: f.At}}
}
