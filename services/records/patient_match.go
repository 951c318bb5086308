package records

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/match"
	"github.com/yba-health/yba/services/records/record"
)

// Limits of $match: how many candidates are compared, how many of them one
// search brings, and how many matches are returned where the caller does not
// say.
const (
	maxCandidates = 200
	perSearch     = 60
	matchCount    = 20
)

// matchGrade is the extension that tells a match's grade
// (https://hl7.org/fhir/R4/extension-match-grade.html).
const matchGrade = "http://hl7.org/fhir/StructureDefinition/match-grade"

// candidate is a Patient that was compared.
type candidate struct {
	*record.Stored
	match.Result
}

// Match returns the Patients that may be the given one, the best first
// (https://hl7.org/fhir/R4/patient-operation-match.html). Candidates are looked
// for by searches within the caller's reach, so that it answers the same
// whether somebody is out of reach or does not exist.
func (r *Records) Match(ctx context.Context, req *recordsv1.OperationRequest) (*recordsv1.Bundle, error) {
	p, err := readParameters(req, "resource", "onlyCertainMatches", "count")
	if err != nil {
		return nil, err
	}
	if caller.Deidentified(ctx) {
		return nil, fault.New(fault.Forbidden, "records without names are not looked for by person", nil)
	}
	asked := p.get("resource").Get("resource")
	if asked.Get("resourceType").Str() != "Patient" {
		return nil, fault.New(fault.Invalid, "a parameter resource with a Patient is expected", nil).In("resource")
	}
	only, err := p.flag("onlyCertainMatches")
	if err != nil {
		return nil, err
	}
	count := matchCount
	if s := p.text("count"); s != "" {
		if count, err = strconv.Atoi(s); err != nil || count < 1 {
			return nil, fault.New(fault.Invalid, "count must be a whole number above 0", nil)
		}
	}
	list, err := r.candidates(ctx, asked)
	if err != nil {
		return nil, err
	}
	found, err := compared(asked, list)
	if err != nil {
		return nil, err
	}
	if only {
		// Several that are certain are none: the caller wants to take the one.
		found = slices.DeleteFunc(found, func(c candidate) bool { return c.Grade != match.Certain })
		if len(found) > 1 {
			found = nil
		}
	}
	found = found[:min(len(found), count, maxCandidates)]
	total := int64(len(found))
	b := fhir.Bundle{Type: "searchset", Total: &total}
	for _, c := range found {
		r.touch(ctx, c.Stored)
		b.Entry = append(b.Entry, fhir.BundleEntry{
			FullURL: r.baseOf(ctx) + "/Patient/" + c.ID, Resource: c.Body, Mode: "match",
			Search: `"score":` + strconv.FormatFloat(c.Score(), 'f', 4, 64) + `,"extension":[{"url":"` + matchGrade + `","valueCode":"` + string(c.Grade) + `"}]`,
		})
	}
	return &recordsv1.Bundle{Body: b.JSON()}, nil
}

// candidates returns the Patients that are worth comparing.
func (r *Records) candidates(ctx context.Context, asked fhir.Value) ([]record.Stored, error) {
	reach, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	x, err := r.store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	var list []record.Stored
	seen := map[int64]bool{}
	for _, query := range match.Searches(asked) {
		q, err := x.ParseQuery("Patient", query, false)
		switch {
		case fault.Is(err, fault.Invalid):
			// It was made of what the caller sent: a date or a text that no
			// search can hold finds nobody.
			continue
		case err != nil:
			return nil, err
		}
		q.Count = perSearch
		page, err := r.store.Search(ctx, nil, q, reach)
		if err != nil {
			return nil, err
		}
		for i := range page.Matches {
			if c := &page.Matches[i]; !seen[c.Key] && len(list) < maxCandidates {
				seen[c.Key] = true
				list = append(list, *c)
			}
		}
	}
	return list, nil
}

// compared returns those of the list that may be the one asked for, the best
// first. One that was merged into another is left out: the other is there.
func compared(asked fhir.Value, list []record.Stored) ([]candidate, error) {
	person := match.Of(asked)
	var found []candidate
	for i := range list {
		v, err := parsed(list[i].Body)
		if err != nil {
			return nil, err
		}
		if linked(v, "replaced-by") != "" {
			continue
		}
		if c := (candidate{&list[i], match.Compare(person, match.Of(v))}); c.Grade != match.CertainlyNot {
			found = append(found, c)
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.Bits, a.Bits) })
	return found, nil
}
