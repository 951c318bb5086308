package postgres

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// sqlText is a query under construction with its arguments.
type sqlText struct {
	strings.Builder
	args []any
	// fresh asks for a plan of its own: what a chain costs depends on its values.
	fresh bool
}

func (q *sqlText) arg(v any) string {
	q.args = append(q.args, v)
	return "$" + strconv.Itoa(len(q.args))
}

// reach returns the condition that the compartment in column is within the
// scope. It is part of every query, so that lists, totals and pages agree.
func (q *sqlText) reach(column string, r record.Reach) string {
	if r.All {
		return "true"
	}
	var or []string
	if r.Shared {
		or = append(or, column+" = 0")
	}
	if len(r.Patients) == 1 {
		or = append(or, column+" = "+q.arg(r.Patients[0]))
	} else if len(r.Patients) > 1 {
		or = append(or, column+" = ANY("+q.arg(pq.Array(r.Patients))+")")
	}
	if len(r.Communes) > 0 {
		or = append(or, "EXISTS (SELECT FROM records.compartments s WHERE s.patient = "+column+
			" AND s.commune = ANY("+q.arg(pq.Array(r.Communes))+"))")
	}
	if len(or) == 0 {
		return "false"
	}
	return "(" + strings.Join(or, " OR ") + ")"
}

// Read returns the current version, a deletion included. What is absent or
// out of reach is fault.NotFound, and the two cannot be told apart.
func (s *Store) Read(ctx context.Context, tx *sql.Tx, typ int16, id string, r record.Reach) (*record.Stored, error) {
	return s.whole(ctx, tx)(s.read(ctx, tx, typ, id, r))
}

// Outline returns the current version, or the given one if it is not 0,
// without the values that are kept apart from it.
func (s *Store) Outline(ctx context.Context, typ int16, id string, version int64, r record.Reach) (*record.Stored, error) {
	if version != 0 {
		return s.version(ctx, typ, id, version, r)
	}
	return s.read(ctx, nil, typ, id, r)
}

// whole returns a function that fills what a read found.
func (s *Store) whole(ctx context.Context, tx *sql.Tx) func(*record.Stored, error) (*record.Stored, error) {
	return func(x *record.Stored, err error) (*record.Stored, error) {
		if err != nil || len(x.Splices) == 0 {
			return x, err
		}
		list := []record.Stored{*x}
		return &list[0], s.Fill(ctx, tx, list)
	}
}

func (s *Store) on(tx *sql.Tx) querier {
	if tx != nil {
		return tx
	}
	return s.db
}

func (s *Store) named(ctx context.Context, tx *sql.Tx, x record.Stored) (*record.Stored, error) {
	list := []record.Stored{x}
	if err := s.name(ctx, s.on(tx), list); err != nil {
		return nil, err
	}
	return &list[0], nil
}

// ops are how the log writes operations.
var ops = map[string]string{"c": "create", "u": "update", "d": "delete"}

const versionColumns = `v.key, v.patient, v.type, v.id, v.version, v.at, v.op::text, v.actor, v.seq, v.encoding, v.body`

func (s *Store) scanVersion(rows *sql.Rows, more ...any) (record.Stored, error) {
	var x record.Stored
	var at int64
	var op string
	var encoding int16
	var body sql.RawBytes
	err := rows.Scan(append([]any{&x.Key, &x.Patient, &x.Type, &x.ID, &x.Version, &at, &op, &x.Actor, &x.Seq, &encoding, &body}, more...)...)
	if err != nil {
		return x, pg.Fault(err)
	}
	x.Updated, x.Op = time.UnixMicro(at).UTC(), ops[op]
	x.Deleted = x.Op == "delete"
	x.Body, x.Splices, err = s.packer.own(body, encoding)
	return x, err
}

// maxPage bounds the bytes of the bodies on one page. A page that would be
// larger ends early, with a link to the rest: 1,000 documents of 16 MB fit
// neither memory nor a message between processes.
const maxPage = 24 << 20

// room counts down what is left of a page.
type room int

// take reports whether another resource still fits; the first one always
// does. What it keeps apart counts where it is going to be filled in.
func (r *room) take(x *record.Stored, lean, first bool) bool {
	n := int64(len(x.Body))
	if !lean && len(x.Splices) > 0 {
		if whole := x.Whole(); whole <= maxWhole {
			n = whole
		}
	}
	*r -= room(n)
	return first || *r >= 0
}

// versions runs a query of versionColumns. A lean one leaves out the values
// that are kept apart.
func (s *Store) versions(ctx context.Context, q *sqlText, lean bool) (list []record.Stored, cut bool, err error) {
	rows, err := s.db.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return nil, false, pg.Fault(err)
	}
	defer rows.Close()
	left := room(maxPage)
	for rows.Next() {
		x, err := s.scanVersion(rows)
		if err != nil {
			return nil, false, err
		}
		if cut = !left.take(&x, lean, len(list) == 0); cut {
			break
		}
		list = append(list, x)
	}
	if err := rows.Err(); err != nil {
		return nil, false, pg.Fault(err)
	}
	rows.Close()
	if !lean {
		if err := s.Fill(ctx, nil, list); err != nil {
			return nil, false, err
		}
	}
	return list, cut, s.name(ctx, s.db, list)
}

// ReadVersion returns one version. The compartment that the resource has now
// decides who may see it, also where an old version lay in another one.
func (s *Store) ReadVersion(ctx context.Context, typ int16, id string, version int64, r record.Reach) (*record.Stored, error) {
	return s.whole(ctx, nil)(s.version(ctx, typ, id, version, r))
}

func (s *Store) version(ctx context.Context, typ int16, id string, version int64, r record.Reach) (*record.Stored, error) {
	q := &sqlText{}
	q.WriteString(`SELECT ` + versionColumns + ` FROM records.directory d JOIN records.versions v ON v.key = d.key AND v.version = ` + q.arg(version) +
		` WHERE d.type = ` + q.arg(typ) + ` AND d.id = ` + q.arg(id) + ` AND ` + q.reach("d.patient", r) + ` AND ` + q.reach("v.patient", r))
	list, _, err := s.versions(ctx, q, true)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fault.New(fault.NotFound, "there is no such version", nil)
	}
	return &list[0], nil
}

// ReadMany returns the current resources of the given types and ids that are
// within reach, in no order.
func (s *Store) ReadMany(ctx context.Context, tx *sql.Tx, refs []record.Ref, r record.Reach) ([]record.Stored, error) {
	return s.readMany(ctx, tx, refs, r, reading{bounded: tx == nil})
}

func (s *Store) readMany(ctx context.Context, tx *sql.Tx, refs []record.Ref, r record.Reach, how reading) ([]record.Stored, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	var types, ids array
	for _, x := range refs {
		types.int(int64(x.Type))
		ids.text(x.Target)
	}
	q := &sqlText{}
	q.WriteString(`SELECT ` + currentColumns + ` FROM unnest(` + q.arg(types.arg()) + `::smallint[], ` + q.arg(ids.arg()) + `::text[]) AS n(type, id)
		JOIN records.directory d ON d.type = n.type AND d.id = n.id
		JOIN records.current c ON c.patient = d.patient AND c.key = d.key
		WHERE ` + q.reach("d.patient", r))
	// What a Bundle writes is no larger than the Bundle.
	list, _, err := s.current(ctx, tx, how, q)
	return list, err
}

const currentColumns = `c.key, c.patient, c.type, c.id, c.version, c.updated, c.encoding, c.body`

// reading is how a list is read.
type reading struct {
	// sorted: the sort's value follows the columns.
	sorted bool
	// bounded: the list ends when the page is full.
	bounded bool
	// lean: values that are kept apart are left out.
	lean bool
}

// current runs a query of currentColumns. cut tells that the page is full.
func (s *Store) current(ctx context.Context, tx *sql.Tx, how reading, q *sqlText) (list []record.Stored, cut bool, err error) {
	keep := !q.fresh && tx == nil && len(q.args) < 40
	rows, err := s.query(ctx, s.on(tx), keep, q.String(), q.args...)
	if err != nil {
		return nil, false, pg.Fault(err)
	}
	defer rows.Close()
	left := room(maxPage)
	for rows.Next() {
		var x record.Stored
		var updated int64
		var encoding int16
		var body sql.RawBytes
		to := []any{&x.Key, &x.Patient, &x.Type, &x.ID, &x.Version, &updated, &encoding, &body}
		if how.sorted {
			to = append(to, &x.SortValue)
		}
		if err := rows.Scan(to...); err != nil {
			return nil, false, pg.Fault(err)
		}
		x.Updated = time.UnixMicro(updated).UTC()
		if x.Body, x.Splices, err = s.packer.own(body, encoding); err != nil {
			return nil, false, err
		}
		if cut = how.bounded && !left.take(&x, how.lean, len(list) == 0); cut {
			break
		}
		list = append(list, x)
	}
	if err := rows.Err(); err != nil {
		return nil, false, pg.Fault(err)
	}
	rows.Close()
	if !how.lean {
		if err := s.Fill(ctx, tx, list); err != nil {
			return nil, false, err
		}
	}
	return list, cut, s.name(ctx, s.on(tx), list)
}
