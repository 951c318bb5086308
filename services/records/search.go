package records

import (
	"context"
	"net/url"
	"strings"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/record"
)

// baseKey carries the address of the FHIR face that the request came to.
type baseKey struct{}

// WithBase returns a context in which links begin with base.
func WithBase(ctx context.Context, base string) context.Context {
	return context.WithValue(ctx, baseKey{}, base)
}

func (r *Records) baseOf(ctx context.Context) string {
	if b, ok := ctx.Value(baseKey{}).(string); ok {
		return b
	}
	return r.base
}

// maxIncluded bounds the resources that one page brings along.
const maxIncluded = 1000

// Search answers a FHIR search (https://hl7.org/fhir/R4/search.html).
func (r *Records) Search(ctx context.Context, req *recordsv1.SearchRequest) (*recordsv1.Bundle, error) {
	x, err := r.store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	q, err := x.ParseQuery(req.GetType(), req.GetQuery(), req.GetLenient())
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
	base := r.baseOf(ctx) + "/" + q.Type
	b.Links = append(b.Links, fhir.BundleLink{Relation: "self", URL: link(base, q.Self, req.GetQuery())})
	if page.Next != nil {
		b.Links = append(b.Links, fhir.BundleLink{Relation: "next", URL: link(base, q.Self, "_cursor="+page.Next.String())})
	}
	if err := r.entries(ctx, &b, page.Matches, "match"); err != nil {
		return nil, err
	}
	included, err := r.included(ctx, x, q, page.Matches, reach)
	if err != nil {
		return nil, err
	}
	if err := r.entries(ctx, &b, included, "include"); err != nil {
		return nil, err
	}
	if len(q.Ignored) > 0 {
		b.Entry = append(b.Entry, fhir.BundleEntry{Mode: "outcome", Resource: fhir.Outcome(fhir.Issue{
			Severity: "warning", Code: "not-supported", Diagnostics: "ignored: " + strings.Join(q.Ignored, ", "),
		})})
	}
	return &recordsv1.Bundle{Body: b.JSON()}, nil
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

// entries adds resources to b and notes each patient once for the audit log.
func (r *Records) entries(ctx context.Context, b *fhir.Bundle, list []record.Stored, mode string) error {
	seen := map[[2]string]bool{}
	base := r.baseOf(ctx)
	for i := range list {
		x := &list[i]
		typ := r.defs.TypeOf(x.Type)
		if k := [2]string{x.PatientID, typ}; !seen[k] {
			seen[k] = true
			guard.Touch(ctx, x.PatientID, typ)
		}
		body, id, err := r.shown(ctx, x)
		if err != nil {
			return err
		}
		b.Entry = append(b.Entry, fhir.BundleEntry{FullURL: base + "/" + typ + "/" + id, Resource: body, Mode: mode})
	}
	return nil
}

// included returns what _include and _revinclude bring along, within the
// same scope as the matches.
func (r *Records) included(ctx context.Context, x *record.Indexer, q *record.Query, matches []record.Stored, reach record.Reach) ([]record.Stored, error) {
	if len(q.Includes) == 0 || len(matches) == 0 {
		return nil, nil
	}
	have := map[record.Ref]bool{}
	var own []record.Ref
	for i := range matches {
		ref := record.Ref{Type: matches[i].Type, Target: matches[i].ID}
		have[ref] = true
		own = append(own, ref)
	}
	var out []record.Stored
	add := func(list []record.Stored) {
		for i := range list {
			ref := record.Ref{Type: list[i].Type, Target: list[i].ID}
			if !have[ref] && len(out) < maxIncluded {
				have[ref] = true
				out = append(out, list[i])
			}
		}
	}
	wanted, err := r.targets(x, q, matches, have)
	if err != nil {
		return nil, err
	}
	list, err := r.store.ReadMany(ctx, nil, wanted, reach)
	if err != nil {
		return nil, err
	}
	add(list)
	for _, inc := range q.Includes {
		if !inc.Reverse {
			continue
		}
		list, err := r.store.Referring(ctx, inc.Number, own, maxIncluded, reach)
		if err != nil {
			return nil, err
		}
		add(list)
	}
	return out, nil
}

// targets reads from the matches' own bytes what they refer to.
func (r *Records) targets(x *record.Indexer, q *record.Query, matches []record.Stored, have map[record.Ref]bool) ([]record.Ref, error) {
	var wanted []record.Ref
	seen := map[record.Ref]bool{}
	for i := range matches {
		var doc *fhir.Doc
		for _, inc := range q.Includes {
			if inc.Reverse {
				continue
			}
			if doc == nil {
				var err error
				if doc, err = fhir.Parse(matches[i].Body); err != nil {
					return nil, err
				}
			}
			for _, path := range inc.Param.Paths {
				path.Walk(doc.Root(), func(v fhir.Value) {
					ref := x.ParseReference(v.Get("reference").Str())
					typed := path.Target == "" || r.defs.Number(path.Target) == ref.Type
					if ref.Type > 0 && typed && (inc.Target == "" || r.defs.TypeOf(ref.Type) == inc.Target) && !have[ref] && !seen[ref] && len(wanted) < maxIncluded {
						seen[ref] = true
						wanted = append(wanted, ref)
					}
				})
			}
		}
	}
	return wanted, nil
}
