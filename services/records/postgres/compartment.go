package postgres

import (
	"context"

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
