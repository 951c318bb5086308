package postgres

import (
	"context"
	"math"
	"strconv"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/records/record"
)

// Referring returns the current resources that refer to one of targets by a
// parameter (_revinclude), whose rows have the given numbers.
func (s *Store) Referring(ctx context.Context, params []int16, targets []record.Ref, limit int, r record.Reach) ([]record.Stored, error) {
	if len(targets) == 0 {
		return nil, nil
	}
	var types, ids, numbers array
	for _, p := range params {
		numbers.int(int64(p))
	}
	for _, x := range targets {
		types.int(int64(x.Type))
		ids.text(x.Target)
	}
	q := &sqlText{}
	q.WriteString(`SELECT ` + currentColumns + ` FROM (SELECT DISTINCT t.patient, t.key
		FROM unnest(` + q.arg(types.arg()) + `::smallint[], ` + q.arg(ids.arg()) + `::text[]) AS n(type, id)
		JOIN records.refs t ON t.param = ANY(` + q.arg(numbers.arg()) + `::smallint[]) AND t.target = n.id AND t.type = n.type
		WHERE ` + q.reach("t.patient", r) + ` ORDER BY t.key LIMIT ` + q.arg(limit) + `) f
		JOIN records.current c ON c.patient = f.patient AND c.key = f.key ORDER BY f.key`)
	list, _, err := s.current(ctx, nil, reading{bounded: true}, q)
	return list, err
}

// Compartment returns a page of a patient's compartment, the Patient first,
// then by type, newest first.
func (s *Store) Compartment(ctx context.Context, patient int64, c record.Contents, r record.Reach) ([]record.Stored, *record.Cursor, error) {
	q := &sqlText{}
	q.WriteString(`SELECT ` + currentColumns + `, ((c.key <> c.patient)::int * 1000 + c.type)::text FROM records.current c
		WHERE c.patient = ` + q.arg(patient) + ` AND ` + q.reach("c.patient", r))
	if len(c.Types) > 0 {
		var list array
		for _, t := range c.Types {
			list.int(int64(t))
		}
		q.WriteString(` AND c.type = ANY(` + q.arg(list.arg()) + `::smallint[])`)
	}
	if c.Since > 0 {
		q.WriteString(` AND c.updated >= ` + q.arg(c.Since))
	}
	if c.Care != nil {
		if err := s.cared(ctx, q, *c.Care); err != nil {
			return nil, nil, err
		}
	}
	if after := c.After; after != nil {
		n, err := strconv.ParseInt(after.Value, 10, 32)
		if err != nil || n < 0 || n > math.MaxInt16 {
			return nil, nil, fault.New(fault.Invalid, "_cursor does not belong to this operation", nil)
		}
		q.WriteString(` AND ((c.key <> c.patient)::int * 1000 + c.type, c.key) > (` + q.arg(n) + `::int, ` + q.arg(after.Key) + `::bigint)`)
	}
	q.WriteString(` ORDER BY (c.key <> c.patient)::int * 1000 + c.type, c.key LIMIT ` + q.arg(c.Limit+1))
	list, more, err := s.current(ctx, nil, reading{sorted: true, bounded: true}, q)
	if len(list) > c.Limit {
		list, more = list[:c.Limit], true
	}
	if err != nil || !more {
		return list, nil, err
	}
	last := list[len(list)-1]
	return list, &record.Cursor{Key: last.Key, Value: *last.SortValue}, nil
}

// cared adds that a resource's own date overlaps the dates of care; what has
// none is not left out.
func (s *Store) cared(ctx context.Context, q *sqlText, care [2]int64) error {
	x, err := s.Indexer(ctx)
	if err != nil {
		return err
	}
	mains, err := x.Mains()
	if err != nil {
		return err
	}
	var params array
	for _, n := range mains {
		params.int(int64(n))
	}
	q.WriteString(` AND (c.at = ` + q.arg(int64(record.Undated)) + ` OR EXISTS (SELECT FROM records.dates d
		WHERE d.patient = c.patient AND d.key = c.key AND d.param = ANY(` + q.arg(params.arg()) + `::smallint[])
		AND d.high > ` + q.arg(care[0]) + ` AND d.low < ` + q.arg(care[1]) + `))`)
	return nil
}

// ByURL returns the current resources whose canonical URL is one of urls.
func (s *Store) ByURL(ctx context.Context, param int16, urls []string, limit int, r record.Reach) ([]record.Stored, error) {
	var list array
	for _, u := range urls {
		list.text(record.Clip(u))
	}
	q := &sqlText{}
	q.WriteString(`SELECT ` + currentColumns + ` FROM (SELECT DISTINCT t.patient, t.key FROM records.uris t
		WHERE t.param = ` + q.arg(param) + ` AND t.uri = ANY(` + q.arg(list.arg()) + `::text[]) AND ` + q.reach("t.patient", r) +
		` ORDER BY t.key LIMIT ` + q.arg(limit) + `) f JOIN records.current c ON c.patient = f.patient AND c.key = f.key`)
	found, _, err := s.current(ctx, nil, reading{bounded: true}, q)
	return found, err
}
