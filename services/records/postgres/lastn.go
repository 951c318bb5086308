package postgres

import (
	"context"
	"strings"

	"github.com/yba-health/yba/services/records/record"
)

// LastN returns of each patient and code the latest limit Observations that match q, by
// their own date; equal dates rank alike. An Observation with several codes
// must be among the latest of each. One without a code goes by its code's text.
func (s *Store) LastN(ctx context.Context, q *record.Query, limit int, r record.Reach) (list []record.Stored, more bool, err error) {
	x, err := s.Indexer(ctx)
	if err != nil {
		return nil, false, err
	}
	b := &search{sqlText: &sqlText{}, s: s, x: x, q: q, reach: r}
	none, err := b.build(ctx, false)
	if none || err != nil {
		return nil, false, err
	}
	code := b.arg(x.Number("Observation", "code"))
	token := "records.tokens t WHERE t.patient = f.patient AND t.param = " + code + " AND t.at = f.at AND t.key = f.key"
	b.WriteString("WITH f AS (SELECT DISTINCT f.patient, f.key, f.at FROM " + b.from + " WHERE " + strings.Join(b.where, " AND ") + `),
		coded AS (
			SELECT f.patient, f.key, f.at, t.system, t.code FROM f, LATERAL (SELECT t.system, t.code FROM ` + token + `) t
			UNION ALL SELECT f.patient, f.key, f.at, -1, t.folded FROM f JOIN records.strings t ON t.patient = f.patient AND t.param = ` +
		b.arg(x.Number("Observation", "code:text")) + ` AND t.key = f.key WHERE NOT EXISTS (SELECT FROM ` + token + `)),
		ranked AS (SELECT key, rank() OVER (PARTITION BY patient, system, code ORDER BY at DESC) AS place FROM coded),
		last AS (SELECT key FROM ranked GROUP BY key HAVING max(place) <= ` + b.arg(limit) + `)
		SELECT ` + currentColumns + ` FROM last JOIN f ON f.key = last.key JOIN records.current c ON c.patient = f.patient AND c.key = f.key
		ORDER BY f.at DESC, f.key DESC LIMIT ` + b.arg(q.Count+1))
	list, more, err = s.current(ctx, nil, reading{bounded: true}, b.sqlText)
	if len(list) > q.Count {
		list, more = list[:q.Count], true
	}
	return list, more, err
}
