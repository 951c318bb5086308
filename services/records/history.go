package records

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/postgres"
	"github.com/yba-health/yba/services/records/record"
)

// History lists versions, newest first (https://hl7.org/fhir/R4/http.html#history).
func (r *Records) History(ctx context.Context, req *recordsv1.HistoryRequest) (*recordsv1.Bundle, error) {
	x, err := r.store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	place := "history " + req.GetType() + "/" + req.GetId()
	h, at, err := r.historyQuery(ctx, req, func(cursor string) (*record.Cursor, error) { return x.Seals.Open(cursor, place) })
	if err != nil {
		return nil, err
	}
	asked, shown, err := historyPart(x, req.GetQuery())
	if err != nil {
		return nil, err
	}
	h.Lean = !asked.Whole()
	reach, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	list, more, err := r.store.History(ctx, h, reach)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && req.GetId() != "" && h.Before == 0 && h.Since == 0 && h.During == nil {
		return nil, caller.Hidden(ctx, fault.New(fault.NotFound, "there is no such resource", nil))
	}
	base := r.baseOf(ctx)
	b := fhir.Bundle{Type: "history"}
	self := base
	for _, part := range []string{req.GetType(), req.GetId()} {
		if part != "" {
			self += "/" + part
		}
	}
	self += "/_history?_count=" + strconv.Itoa(h.Limit)
	if h.Since > 0 {
		self += "&_since=" + url.QueryEscape(fhir.Instant(time.UnixMicro(h.Since)))
	}
	self += at + shown
	b.Links = append(b.Links, fhir.BundleLink{Relation: "self", URL: self})
	if more {
		last := list[len(list)-1]
		key := last.Seq
		if req.GetId() != "" {
			key = last.Version
		}
		b.Links = append(b.Links, fhir.BundleLink{Relation: "next", URL: self + "&_cursor=" + x.Seals.Seal(record.Cursor{Key: key}, place)})
	}
	for i := range list {
		x := &list[i]
		r.touch(ctx, x)
		body, id, err := r.part(ctx, x, asked)
		if err != nil {
			return nil, err
		}
		ref := r.defs.TypeOf(x.Type) + "/" + id
		e := fhir.BundleEntry{
			FullURL: base + "/" + ref, Resource: body, Method: "PUT", URL: ref, Status: "200",
			ETag: fhir.ETag(x.Version), LastModified: fhir.Instant(x.Updated),
		}
		switch x.Op {
		case "create":
			e.Method, e.Status, e.URL = "POST", "201", r.defs.TypeOf(x.Type)
		case "delete":
			e.Method, e.Status = "DELETE", "204"
		}
		b.Entry = append(b.Entry, e)
	}
	return &recordsv1.Bundle{Body: b.JSON()}, nil
}

// during reads _at, with the prefixes of dates (https://hl7.org/fhir/R4/search.html#date).
func during(s string) (*[2]int64, error) {
	prefix := ""
	if len(s) > 2 && s[0] >= 'a' {
		prefix, s = s[:2], s[2:]
	}
	from, to, err := fhir.TimeRange(s, record.Zone)
	if err != nil {
		return nil, err
	}
	low, high := from.UnixMicro(), to.UnixMicro()
	switch prefix {
	case "", "eq":
	case "ge", "gt", "sa":
		if prefix != "ge" {
			low = high
		}
		high = fhir.FarFuture.UnixMicro()
	case "le", "lt", "eb":
		if prefix != "le" {
			high = low
		}
		low = fhir.FarPast.UnixMicro()
	default:
		return nil, fault.New(fault.Invalid, "a date has the prefix eq, ge, gt, le, lt, sa or eb", nil)
	}
	return &[2]int64{low, high}, nil
}

// historyQuery reads what a history is asked for, and how its links repeat _at.
func (r *Records) historyQuery(ctx context.Context, req *recordsv1.HistoryRequest, open func(string) (*record.Cursor, error)) (h postgres.HistoryQuery, at string, err error) {
	h = postgres.HistoryQuery{ID: req.GetId(), Limit: record.DefaultCount}
	if req.GetType() != "" {
		if h.Type, err = r.number(req.GetType()); err != nil {
			return h, at, err
		}
	}
	if req.GetId() != "" {
		if err := byID(ctx, req.GetId()); err != nil {
			return h, at, err
		}
	}
	pairs, err := record.Pairs(req.GetQuery())
	if err != nil {
		return h, at, err
	}
	given := map[string]bool{}
	for _, p := range pairs {
		name, v := p[0], p[1]
		if v == "" { // as in a search (https://hl7.org/fhir/R4/search.html#escaping)
			continue
		}
		if given[name] {
			return h, at, fault.New(fault.Invalid, "a history takes each parameter once", nil).In(name)
		}
		given[name] = true
		if name == "_at" {
			at = "&_at=" + url.QueryEscape(v)
		}
		if err := historyParameter(&h, name, v, open); err != nil {
			return h, at, fault.Of(err).In(name)
		}
	}
	return h, at, nil
}

func historyParameter(h *postgres.HistoryQuery, name, v string, open func(string) (*record.Cursor, error)) error {
	switch name {
	case "_count":
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return fault.New(fault.Invalid, "_count must be a whole number above 0", nil)
		}
		h.Limit = min(n, record.MaxCount)
	case "_since":
		low, _, err := fhir.TimeRange(zoned(v), record.Zone)
		if err != nil {
			return err
		}
		h.Since = low.UnixMicro()
	case "_at":
		var err error
		h.During, err = during(zoned(v))
		return err
	case "_cursor":
		c, err := open(v)
		if err != nil {
			return err
		}
		h.Before = c.Key
	case "_format", "_pretty", "_summary", "_elements":
	default:
		return fault.New(fault.Invalid, "a history has the parameters _count, _since, _at, _summary and _elements", nil)
	}
	return nil
}

// zoned gives a date back the plus of its zone: in a query that was not
// encoded, it is a blank.
func zoned(date string) string { return strings.ReplaceAll(date, " ", "+") }
