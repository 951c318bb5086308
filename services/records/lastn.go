package records

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// shaping are the parameters of a search that decide how its list is shown;
// $lastn has its own way.
var shaping = []string{"_sort", "_count", "_summary", "_elements", "_total", "_include", "_revinclude", "_type", "_cursor"}

// LastN returns a patient's latest Observations of each code
// (https://hl7.org/fhir/R4/observation-operation-lastn.html). Two Observations
// are of the same code where a coding of the one is among those of the other;
// of those with the same time as the last one all are returned.
func (r *Records) LastN(ctx context.Context, req *recordsv1.OperationRequest) (*recordsv1.Bundle, error) {
	p, err := readParameters(req, anyName)
	if err != nil {
		return nil, err
	}
	if caller.Deidentified(ctx) {
		return nil, fault.New(fault.Forbidden, "records without names are not read by person", nil)
	}
	values := url.Values{}
	for _, name := range p.names() {
		base, _, _ := strings.Cut(name, ":")
		if slices.Contains(shaping, base) {
			return nil, fault.New(fault.Invalid, "$lastn has the parameter max and those that a search of Observation filters by", nil)
		}
		values[name] = p.texts(name)
	}
	limit := 1
	if v := values["max"]; len(v) > 0 {
		if limit, err = strconv.Atoi(strings.Join(v, ",")); err != nil || limit < 1 || limit > record.MaxCount {
			return nil, fault.Newf(fault.Invalid, "max must be a whole number from 1 to %d", record.MaxCount)
		}
	}
	self := values.Encode()
	values.Del("max")
	if len(values["status"]) == 0 {
		values.Add("status:not", "entered-in-error")
	}
	x, err := r.store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	q, err := x.ParseQuery("Observation", values.Encode(), false)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(q.Filters, func(f record.Filter) bool {
		return f.Param != nil && (f.Param.Code == "patient" || f.Param.Code == "subject") && f.Modifier != "missing" && f.Modifier != "not"
	}) {
		return nil, fault.New(fault.Invalid, "patient or subject is expected", nil)
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
	r.named(ctx, q, list)
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
