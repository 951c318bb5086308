package postgres

import (
	"context"
	"math"
	"strconv"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/records/record"
)

// supporting is the place in the order of $everything of what belongs to
// nobody: behind all types of the compartment.
const supporting = 2000

// Compartment returns a page of a patient's compartment, the Patient first,
// then by type in the order of keys; behind it, by type, the shared resources
// that it refers to, such as organizations, practitioners and locations.
func (s *Store) Compartment(ctx context.Context, patient int64, c record.Contents, r record.Reach) (list []record.Stored, next *record.Cursor, err error) {
	place := 0
	if c.After != nil {
		if place, err = strconv.Atoi(c.After.Value); err != nil || place < 0 || place > math.MaxInt16 {
			return nil, nil, fault.New(fault.Invalid, "_cursor does not belong to this operation", nil)
		}
	}
	more := false
	if place < supporting {
		q, err := s.own(ctx, patient, c, r, place)
		if err != nil {
			return nil, nil, err
		}
		if list, more, err = s.contents(ctx, q, c.Limit); err != nil {
			return nil, nil, err
		}
		c.After, place = nil, supporting
	}
	if !more {
		// One more than there is room for tells whether there is another page.
		left := c.Limit - len(list)
		var shared []record.Stored
		if shared, more, err = s.contents(ctx, s.supports(patient, c, r, place, left), left); err != nil {
			return nil, nil, err
		}
		list = append(list, shared...)
	}
	if !more || len(list) == 0 {
		return list, nil, nil
	}
	last := list[len(list)-1]
	return list, &record.Cursor{Key: last.Key, Value: *last.SortValue}, nil
}

// contents reads a page whose query asks for one more than the limit.
func (s *Store) contents(ctx context.Context, q *sqlText, limit int) (list []record.Stored, more bool, err error) {
	list, more, err = s.current(ctx, nil, reading{sorted: true, bounded: true}, q)
	if len(list) > limit {
		list, more = list[:limit], true
	}
	return list, more, err
}

// own is the query of the compartment itself.
func (s *Store) own(ctx context.Context, patient int64, c record.Contents, r record.Reach, place int) (*sqlText, error) {
	q := &sqlText{}
	const order = `(c.key <> c.patient)::int * 1000 + c.type`
	q.WriteString(`SELECT ` + currentColumns + `, (` + order + `)::text FROM records.current c
		WHERE c.patient = ` + q.arg(patient) + ` AND ` + q.reach("c.patient", r))
	if len(c.Types) > 0 {
		q.WriteString(` AND c.type = ANY(` + q.types(c.Types) + `)`)
	}
	if c.Care != nil {
		if err := s.cared(ctx, q, *c.Care); err != nil {
			return nil, err
		}
	}
	q.since(c, order, place, c.Limit)
	return q, nil
}

// supports is the query of the shared resources that the compartment refers
// to: the standard wants along what is needed to understand a record
// (https://hl7.org/fhir/R4/patient-operation-everything.html).
func (s *Store) supports(patient int64, c record.Contents, r record.Reach, place, limit int) *sqlText {
	q := &sqlText{}
	order := strconv.Itoa(supporting) + ` + c.type`
	q.WriteString(`SELECT ` + currentColumns + `, (` + order + `)::text FROM (SELECT DISTINCT t.type, t.target FROM records.refs t
		WHERE t.patient = ` + q.arg(patient) + ` AND ` + q.reach("t.patient", r))
	if len(c.Types) > 0 {
		q.WriteString(` AND t.type = ANY(` + q.types(c.Types) + `)`)
	}
	q.WriteString(`) n JOIN records.directory d ON d.type = n.type AND d.id = n.target AND d.patient = 0 AND NOT d.deleted
		JOIN records.current c ON c.patient = 0 AND c.key = d.key WHERE ` + q.reach("c.patient", r))
	q.since(c, order, place, limit)
	return q
}

func (q *sqlText) types(list []int16) string {
	var a array
	for _, t := range list {
		a.int(int64(t))
	}
	return q.arg(a.arg()) + `::smallint[]`
}

// since adds when resources were written, where the page begins, its order and
// its end.
func (q *sqlText) since(c record.Contents, order string, place, limit int) {
	if c.Since > 0 {
		q.WriteString(` AND c.updated >= ` + q.arg(c.Since))
	}
	if c.After != nil {
		q.WriteString(` AND (` + order + `, c.key) > (` + q.arg(place) + `::int, ` + q.arg(c.After.Key) + `::bigint)`)
	}
	q.WriteString(` ORDER BY ` + order + `, c.key LIMIT ` + q.arg(limit+1))
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
