package records

import (
	"context"
	"net/url"
	"slices"
	"strconv"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// lastNames are the parameters of $lastn: of the search of Observation those
// that the standard's description needs.
var lastNames = []string{"max", "patient", "subject", "category", "code", "status", "date", "value-concept"}

// LastN returns a patient's latest Observations of each code
// (https://hl7.org/fhir/R4/observation-operation-lastn.html). Two Observations
// are of the same code where a coding of the one is among those of the other;
// of those with the same time as the last one all are returned.
func (r *Records) LastN(ctx context.Context, req *recordsv1.OperationRequest) (*recordsv1.Bundle, error) {
	p, err := readParameters(req, lastNames...)
	if err != nil {
		return nil, err
	}
	if caller.Deidentified(ctx) {
		return nil, fault.New(fault.Forbidden, "records without names are not read by person", nil)
	}
	values := url.Values{}
	for _, name := range lastNames {
		list := slices.Clone(p.query[name])
		for _, v := range p.all(name) {
			if s := simple(v); s != "" {
				list = append(list, s)
			}
		}
		if len(list) > 0 {
			values[name] = list
		}
	}
	limit := 1
	if v := values["max"]; len(v) > 0 {
		if limit, err = strconv.Atoi(v[0]); err != nil || limit < 1 || limit > record.MaxCount {
			return nil, fault.Newf(fault.Invalid, "max must be a whole number from 1 to %d", record.MaxCount)
		}
	}
	if len(values["patient"])+len(values["subject"]) == 0 {
		return nil, fault.New(fault.Invalid, "patient or subject is expected", nil)
	}
	self := values.Encode()
	values.Del("max")
	if len(values["status"]) == 0 {
		values.Set("status:not", "entered-in-error")
	}
	x, err := r.store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	q, err := x.ParseQuery("Observation", values.Encode(), false)
	if err != nil {
		return nil, err
	}
	q.Count = record.MaxCount
	reach, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	list, more, err := r.store.LastN(ctx, q, limit, reach)
	if err != nil {
		return nil, err
	}
	b := fhir.Bundle{Type: "searchset", Links: []fhir.BundleLink{{Relation: "self", URL: r.baseOf(ctx) + "/Observation/$lastn?" + self}}}
	if err := r.entries(ctx, &b, list, "match", nil); err != nil {
		return nil, err
	}
	if more {
		b.Entry = append(b.Entry, fhir.BundleEntry{Mode: "outcome", Resource: fhir.Outcome(fhir.Issue{
			Severity: "warning", Code: "incomplete", Diagnostics: "there are more Observations than one answer holds; ask by category or code",
		})})
	}
	return &recordsv1.Bundle{Body: b.JSON()}, nil
}
