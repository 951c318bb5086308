package records

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// everythingCount is the page of $everything when the caller does not say.
const everythingCount = 500

// Everything returns a patient's compartment in pages
// (https://hl7.org/fhir/R4/operation-patient-everything.html).
func (r *Records) Everything(ctx context.Context, req *recordsv1.EverythingRequest) (*recordsv1.Bundle, error) {
	values, err := url.ParseQuery(req.GetQuery())
	if err != nil {
		return nil, fault.New(fault.Invalid, "the query is not URL-encoded", nil)
	}
	limit, since := everythingCount, int64(0)
	var types []int16
	sealed := ""
	for name, v := range values {
		switch name {
		case "_count":
			n, err := strconv.Atoi(v[0])
			if err != nil || n < 1 {
				return nil, fault.New(fault.Invalid, "_count must be a whole number above 0", nil)
			}
			limit = min(n, record.MaxCount)
		case "_since":
			low, _, err := fhir.TimeRange(v[0], record.Zone)
			if err != nil {
				return nil, fault.Of(err).In("_since")
			}
			since = low.UnixMicro()
		case "_type":
			for t := range strings.SplitSeq(v[0], ",") {
				n, err := r.number(t)
				if err != nil {
					return nil, fault.New(fault.Invalid, "_type lists resource types", nil)
				}
				types = append(types, n)
			}
		case "_cursor":
			sealed = v[0]
		case "_format":
		default:
			return nil, fault.New(fault.Invalid, "$everything has the parameters _count, _since and _type", nil)
		}
	}
	if caller.Deidentified(ctx) {
		return nil, fault.New(fault.Forbidden, "records without names are not read by person", nil)
	}
	reach, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	id, err := r.real(ctx, "Patient", req.GetPatient())
	if err != nil {
		return nil, caller.Hidden(ctx, err)
	}
	x, err := r.store.Read(ctx, nil, r.defs.Number("Patient"), id, reach)
	if err != nil {
		return nil, caller.Hidden(ctx, err)
	}
	if x.Deleted {
		r.touch(ctx, x)
		return nil, fault.New(fault.Gone, "the Patient was deleted; the history is kept", nil)
	}
	indexer, err := r.store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	place := "everything " + x.ID
	var after *record.Cursor
	if sealed != "" {
		if after, err = indexer.Seals.Open(sealed, place); err != nil {
			return nil, err
		}
	}
	list, next, err := r.store.Compartment(ctx, x.Key, types, since, after, limit, reach)
	if err != nil {
		return nil, err
	}
	b := fhir.Bundle{Type: "searchset"}
	self := r.baseOf(ctx) + "/Patient/" + x.ID + "/$everything"
	values.Del("_cursor")
	b.Links = append(b.Links, fhir.BundleLink{Relation: "self", URL: link(self, values.Encode(), "")})
	if next != nil {
		b.Links = append(b.Links, fhir.BundleLink{Relation: "next", URL: link(self, values.Encode(), "_cursor="+indexer.Seals.Seal(*next, place))})
	}
	if err := r.entries(ctx, &b, list, "match", nil); err != nil {
		return nil, err
	}
	return &recordsv1.Bundle{Body: b.JSON()}, nil
}
