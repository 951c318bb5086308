package postgres

import (
	"context"
	"database/sql"
	"errors"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// needs adds what a write needs to the statement, and returns what it selects:
// 1, or the failure of the whole. The rows are locked against deletion, which
// is the only writer that takes FOR UPDATE; under READ COMMITTED a row that
// was deleted while the statement waited is looked at again and left out.
func (w *statement) needs(n record.Needs) string {
	if len(n.Refs) == 0 {
		return "1"
	}
	q := &sqlText{args: w.args}
	q.needed(n)
	q.WriteString(" ORDER BY d.type, d.id FOR KEY SHARE OF d")
	w.args = q.args
	w.part("needed AS MATERIALIZED (" + q.String() + ")")
	return "CASE WHEN (SELECT count(*) FROM needed) < " + w.arg(len(n.Refs)) + "::bigint THEN records.dangling() END"
}

// needed selects what is there of the needed resources.
func (q *sqlText) needed(n record.Needs) {
	var types, ids array
	for _, x := range n.Refs {
		types.int(int64(x.Type))
		ids.text(x.Target)
	}
	q.WriteString("SELECT d.type, d.id FROM unnest(" + q.arg(types.arg()) + "::smallint[], " + q.arg(ids.arg()) + "::text[]) AS n(type, id)" +
		" JOIN records.directory d ON d.type = n.type AND d.id = n.id WHERE NOT d.deleted AND " + q.reach("d.patient", n.Reach))
}

// Dangling reports whether a write failed because a resource that it needs is
// not there.
func Dangling(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && e.Code == "YB422"
}

// Live returns which of the needed resources are there.
func (s *Store) Live(ctx context.Context, n record.Needs) (map[record.Ref]bool, error) {
	q := &sqlText{}
	q.needed(n)
	rows, err := s.db.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	live := map[record.Ref]bool{}
	for rows.Next() {
		var x record.Ref
		if err := rows.Scan(&x.Type, &x.Target); err != nil {
			return nil, pg.Fault(err)
		}
		live[x] = true
	}
	return live, pg.Fault(rows.Err())
}

// Following returns at most limit resources that refer to one of the targets
// by one of the parameters; of one type only, unless that is 0.
func (s *Store) Following(ctx context.Context, tx *sql.Tx, params []int16, typ int16, targets []record.Ref, limit int) ([]record.Ref, error) {
	var types, ids, numbers array
	for _, p := range params {
		numbers.int(int64(p))
	}
	for _, x := range targets {
		types.int(int64(x.Type))
		ids.text(x.Target)
	}
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT c.type, c.id FROM unnest($1::smallint[], $2::text[]) AS n(type, id)
		JOIN records.refs t ON t.param = ANY($3::smallint[]) AND t.target = n.id AND t.type = n.type
		JOIN records.current c ON c.patient = t.patient AND c.key = t.key WHERE ($4::smallint = 0 OR c.type = $4::smallint) ORDER BY c.type, c.id LIMIT $5`,
		types.arg(), ids.arg(), numbers.arg(), typ, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []record.Ref
	for rows.Next() {
		var x record.Ref
		if err := rows.Scan(&x.Type, &x.Target); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// Referrer is a type of resources that refer to a target.
type Referrer struct {
	Target record.Ref
	Type   int16
	// Visible tells whether one of them is within reach.
	Visible bool
}

// Referrers returns the types of resources that refer to the targets by one
// of the parameters, but for those with the given keys.
func (s *Store) Referrers(ctx context.Context, tx *sql.Tx, params []int16, targets []record.Ref, except []int64, r record.Reach) ([]Referrer, error) {
	var types, ids, numbers, keys array
	for _, x := range targets {
		types.int(int64(x.Type))
		ids.text(x.Target)
	}
	for _, p := range params {
		numbers.int(int64(p))
	}
	for _, k := range except {
		keys.int(k)
	}
	q := &sqlText{}
	q.WriteString(`SELECT n.type, n.id, c.type, bool_or(` + q.reach("t.patient", r) + `)
		FROM unnest(` + q.arg(types.arg()) + `::smallint[], ` + q.arg(ids.arg()) + `::text[]) AS n(type, id)
		JOIN records.refs t ON t.param = ANY(` + q.arg(numbers.arg()) + `::smallint[]) AND t.target = n.id AND t.type = n.type
		JOIN records.current c ON c.patient = t.patient AND c.key = t.key
		WHERE NOT t.key = ANY(` + q.arg(keys.arg()) + `::bigint[]) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`)
	rows, err := s.on(tx).QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var out []Referrer
	for rows.Next() {
		var x Referrer
		if err := rows.Scan(&x.Target.Type, &x.Target.Target, &x.Type, &x.Visible); err != nil {
			return nil, pg.Fault(err)
		}
		out = append(out, x)
	}
	return out, pg.Fault(rows.Err())
}
