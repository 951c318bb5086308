package records

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// baseOf begins the links of an answer.
func (r *Records) baseOf(ctx context.Context) string { return caller.Base(ctx, r.base) }

// Search answers a FHIR search (https://hl7.org/fhir/R4/search.html) of a
// type, of a compartment, or of every type.
func (r *Records) Search(ctx context.Context, req *recordsv1.SearchRequest) (*recordsv1.Bundle, error) {
	x, err := r.store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	place := record.Place{Type: req.GetType(), Compartment: req.GetCompartment(), ID: req.GetCompartmentId()}
	q, err := x.ParseSearch(place, req.GetQuery(), req.GetLenient())
	if err != nil {
		return nil, err
	}
	if err := anonymous(ctx, q); err != nil {
		return nil, err
	}
	reach, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	page, err := r.store.Search(ctx, nil, q, reach)
	if err != nil {
		return nil, err
	}
	b := fhir.Bundle{Type: "searchset", Total: page.Total}
	base := r.baseOf(ctx) + address(place)
	b.Links = append(b.Links, fhir.BundleLink{Relation: "self", URL: link(base, q.Self, req.GetQuery())})
	b.Links = append(b.Links, fhir.BundleLink{Relation: "first", URL: link(base, q.Self, "")})
	if page.Next != nil {
		b.Links = append(b.Links, fhir.BundleLink{Relation: "next", URL: link(base, q.Self, "_cursor="+x.Seals.Seal(*page.Next, q.Place()))})
	}
	if err := r.entries(ctx, &b, page.Matches, "match", q); err != nil {
		return nil, err
	}
	r.named(ctx, q, page.Matches)
	included, issues, err := r.included(ctx, x, q, page.Matches, reach)
	if err != nil {
		return nil, err
	}
	if err := r.entries(ctx, &b, included, "include", q); err != nil {
		return nil, err
	}
	if len(q.Ignored) > 0 {
		issues = append(issues, fhir.Issue{Severity: "warning", Code: "not-supported", Diagnostics: "ignored: " + strings.Join(q.Ignored, ", ")})
	}
	if len(issues) > 0 {
		b.Entry = append(b.Entry, fhir.BundleEntry{Mode: "outcome", Resource: fhir.Outcome(issues...)})
	}
	return &recordsv1.Bundle{Body: b.JSON()}, nil
}

// address is where a search goes to, below the base.
func address(p record.Place) string {
	switch {
	case p.Compartment == "" && p.Type == "":
		return ""
	case p.Compartment == "":
		return "/" + p.Type
	case p.Type == "":
		return "/" + p.Compartment + "/" + p.ID + "/*"
	}
	return "/" + p.Compartment + "/" + p.ID + "/" + p.Type
}

// link joins the parameters that were used and the cursor of more, if it has one.
func link(base, self, more string) string {
	cursor := ""
	if v, err := url.ParseQuery(more); err == nil {
		cursor = v.Get("_cursor")
	}
	var parts []string
	if self != "" {
		parts = append(parts, self)
	}
	if cursor != "" {
		parts = append(parts, "_cursor="+cursor)
	}
	if len(parts) == 0 {
		return base
	}
	return base + "?" + strings.Join(parts, "&")
}

// named notes for the audit log whom a search asked for by name and did not
// find: they, too, shall see who asked.
func (r *Records) named(ctx context.Context, q *record.Query, found []record.Stored) {
	for _, id := range q.Patients(r.defs) {
		if !slices.ContainsFunc(found, func(x record.Stored) bool { return x.PatientID == id }) {
			guard.Touch(ctx, id, q.Type)
		}
	}
}

// entries adds resources to b, as q wants them shown, and notes each patient
// once for the audit log. q is nil where they are shown whole.
func (r *Records) entries(ctx context.Context, b *fhir.Bundle, list []record.Stored, mode string, q *record.Query) error {
	seen := map[[2]string]bool{}
	base := r.baseOf(ctx)
	for i := range list {
		x := &list[i]
		typ := r.defs.TypeOf(x.Type)
		if k := [2]string{x.PatientID, typ}; !seen[k] {
			seen[k] = true
			guard.Touch(ctx, x.PatientID, typ)
		}
		var s fhir.Subset
		if q != nil {
			s = subsetOf(q, typ, mode)
		}
		body, id, err := r.part(ctx, x, s)
		if err != nil {
			return err
		}
		b.Entry = append(b.Entry, fhir.BundleEntry{FullURL: base + "/" + typ + "/" + id, Resource: body, Mode: mode})
	}
	return nil
}
