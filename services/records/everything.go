package records

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
)

// everythingCount is the page of $everything when the caller does not say.
const everythingCount = 500

// everythingNames are the parameters of $everything; the cursor is ours.
var everythingNames = []string{"start", "end", "_since", "_type", "_count", "_cursor"}

// contents reads what $everything is asked for, how links repeat it, and
// where the page begins.
func (r *Records) contents(req *recordsv1.EverythingRequest) (c record.Contents, self, sealed string, err error) {
	c.Limit = everythingCount
	p, err := readParameters(&recordsv1.OperationRequest{Query: req.GetQuery(), Body: req.GetBody()}, everythingNames...)
	if err != nil {
		return c, "", "", err
	}
	used := url.Values{}
	for _, name := range everythingNames {
		text := strings.Join(p.texts(name), ",")
		if name == "_cursor" {
			sealed = text
			continue
		}
		if text == "" {
			continue
		}
		if err = r.content(&c, name, text); err != nil {
			if f := fault.Of(err); f.At == "" {
				err = f.In(name)
			}
			return c, "", "", err
		}
		used.Set(name, text)
	}
	return c, used.Encode(), sealed, nil
}

func (r *Records) content(c *record.Contents, name, text string) (err error) {
	var low, high time.Time
	switch name {
	case "start", "end", "_since":
		if low, high, err = fhir.TimeRange(text, record.Zone); err != nil {
			return err
		}
	}
	switch name {
	case "start", "end":
		if c.Care == nil {
			c.Care = &[2]int64{fhir.FarPast.UnixMicro(), fhir.FarFuture.UnixMicro()}
		}
		if name == "start" {
			c.Care[0] = low.UnixMicro()
		} else {
			c.Care[1] = high.UnixMicro()
		}
	case "_since":
		c.Since = low.UnixMicro()
	case "_count":
		if c.Limit, err = strconv.Atoi(text); err != nil || c.Limit < 1 {
			return fault.New(fault.Invalid, "_count must be a whole number above 0", nil)
		}
		c.Limit = min(c.Limit, record.MaxCount)
	case "_type":
		for t := range strings.SplitSeq(text, ",") {
			n := r.defs.Number(t)
			if n == 0 {
				return fault.New(fault.Invalid, "_type lists resource types", nil)
			}
			c.Types = append(c.Types, n)
		}
	}
	return err
}

// Everything returns a patient's compartment in pages, and then the shared
// resources that it refers to
// (https://hl7.org/fhir/R4/operation-patient-everything.html).
func (r *Records) Everything(ctx context.Context, req *recordsv1.EverythingRequest) (*recordsv1.Bundle, error) {
	c, used, sealed, err := r.contents(req)
	if err != nil {
		return nil, err
	}
	if caller.Deidentified(ctx) {
		return nil, fault.New(fault.Forbidden, "records without names are not read by person", nil)
	}
	reach, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	id := req.GetPatient()
	if err := byID(ctx, id); err != nil {
		return nil, err
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
	if sealed != "" {
		if c.After, err = indexer.Seals.Open(sealed, place); err != nil {
			return nil, err
		}
	}
	list, next, err := r.store.Compartment(ctx, x.Key, c, reach)
	if err != nil {
		return nil, err
	}
	b := fhir.Bundle{Type: "searchset"}
	self := r.baseOf(ctx) + "/Patient/" + x.ID + "/$everything"
	b.Links = append(b.Links, fhir.BundleLink{Relation: "self", URL: link(self, used, "")})
	if next != nil {
		b.Links = append(b.Links, fhir.BundleLink{Relation: "next", URL: link(self, used, "_cursor="+indexer.Seals.Seal(*next, place))})
	}
	// What only supports the record belongs to nobody and stands at the end.
	own := slices.IndexFunc(list, func(s record.Stored) bool { return s.Patient == 0 })
	if own < 0 {
		own = len(list)
	}
	if err := r.entries(ctx, &b, list[:own], "match", nil); err != nil {
		return nil, err
	}
	if err := r.entries(ctx, &b, list[own:], "include", nil); err != nil {
		return nil, err
	}
	return &recordsv1.Bundle{Body: b.JSON()}, nil
}
