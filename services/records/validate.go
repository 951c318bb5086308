package records

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/record"
)

// baseProfile begins the canonical of a type's own definition.
const baseProfile = "http://hl7.org/fhir/StructureDefinition/"

// Validate tells what is wrong with a resource
// (https://hl7.org/fhir/R4/resource-operation-validate.html). What is wrong
// are issues of the answer; only who may not ask gets an error. With a mode the
// interaction is carried out and taken back.
func (r *Records) Validate(ctx context.Context, req *recordsv1.ValidateRequest) (*recordsv1.Resource, error) {
	if _, err := r.number(req.GetType()); err != nil {
		return nil, err
	}
	q := trial{mode: req.GetMode(), profile: req.GetProfile()}
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
		if len(issues.Errors()) == 0 && q.mode != "" {
			failed, err := r.rehearse(ctx, q, req)
			if err != nil {
				return nil, err
			}
			issues = append(failed, issues...)
		}
	}
	if len(issues) == 0 {
		issues = fhir.Issues{{Severity: "information", Code: "informational", Diagnostics: "all ok"}}
	}
	return &recordsv1.Resource{Body: fhir.Outcome(issues...)}, nil
}

// trial is what $validate is asked about.
type trial struct {
	resource      fhir.Value
	mode, profile string
}

// read takes the resource from the body, or out of Parameters.
func (q *trial) read(req *recordsv1.ValidateRequest) fhir.Issues {
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
func (r *Records) examine(q trial, req *recordsv1.ValidateRequest) fhir.Issues {
	var issues fhir.Issues
	wrong := func(code, message string) {
		issues = append(issues, fhir.Issue{Severity: "error", Code: code, Diagnostics: message})
	}
	if !slices.Contains([]string{"", "create", "update", "delete"}, q.mode) {
		wrong("not-supported", "mode is create, update or delete")
	}
	if !based(q.profile, req.GetType()) {
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
	return append(append(issues, r.defs.Check(q.resource)...), claims(q.resource)...)
}

// claims tells which profiles a resource says that it conforms to without
// having been checked against them (https://hl7.org/fhir/R4/resource.html#Meta).
func claims(resource fhir.Value) fhir.Issues {
	var issues fhir.Issues
	for p := range resource.Get("meta").Get("profile").Items() {
		if !based(p.Str(), resource.Get("resourceType").Str()) {
			issues = append(issues, fhir.Issue{
				Severity: "warning", Code: "not-supported", Diagnostics: "this profile is not known here, so it was not checked", Expression: p.Path(),
			})
		}
	}
	return issues
}

// based reports whether a profile is no other than the base definition, of
// which every resource is an instance.
func based(profile, typ string) bool {
	name, version, versioned := strings.Cut(profile, "|")
	if versioned && version != "4.0.1" {
		return false
	}
	name, own := strings.CutPrefix(name, baseProfile)
	if !own || typ == "" {
		return profile == ""
	}
	nested := typ == "Bundle" || typ == "Binary" || typ == "Parameters"
	return name == typ || name == "Resource" || name == "DomainResource" && !nested
}

// errRehearsed takes back what would have succeeded.
var errRehearsed = errors.New("records: a rehearsal")

// rehearse carries out the interaction that the mode names and takes it back,
// so that whatever would refuse it tells.
func (r *Records) rehearse(ctx context.Context, q trial, req *recordsv1.ValidateRequest) (fhir.Issues, error) {
	ctx, err := r.enter(ctx, map[string]string{"create": "Create", "update": "Update", "delete": "Delete"}[q.mode])
	if err != nil {
		return nil, err
	}
	n, err := r.number(req.GetType())
	if err != nil {
		return nil, err
	}
	c := &change{verb: q.mode, typ: req.GetType(), number: n, id: req.GetId(), body: q.resource}
	switch {
	case q.mode == "create":
		if c.id, err = record.NewID(); err != nil {
			return nil, err
		}
	case c.id == "":
		c.id = q.resource.Get("id").Str()
	}
	c.given = c.id
	err = r.store.InTx(ctx, func(tx *sql.Tx) error {
		c.reset()
		if err := r.attempt(ctx, tx, []*change{c}); err != nil {
			return err
		}
		return errRehearsed
	})
	if errors.Is(err, errRehearsed) {
		return nil, nil
	}
	f := fault.Of(r.dangling(ctx, err))
	if f.Class == fault.Internal || f.Class == fault.Unavailable || f.Class == fault.Forbidden {
		return nil, f
	}
	if invalid, ok := errors.AsType[*fhir.InvalidError](f); ok {
		return invalid.Issues, nil
	}
	return issue(fhir.IssueOf[f.Class], f), nil
}

func issue(code string, f *fault.Error) fhir.Issues {
	return fhir.Issues{{Severity: "error", Code: code, Diagnostics: f.Message, Expression: f.At}}
}
