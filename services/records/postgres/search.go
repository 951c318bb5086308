package postgres

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// Page is what a search found.
type Page struct {
	Matches []record.Stored
	Total   *int64
	// Next is nil on the last page.
	Next *record.Cursor
}

// search builds one search. f is the row that stands for the resource: a
// token's, a reference's, a text's or the current row; each has patient and
// key, all but the text's have at.
type search struct {
	*sqlText
	s     *Store
	x     *record.Indexer
	q     *record.Query
	reach record.Reach

	from  string
	where []string
	// index are those of the conditions that choose a range of the index that
	// the list goes along.
	index []string
	sorts []sortKey
	joins string
	// aliases counts the tables, so that each has a name of its own.
	aliases int
	// far are filters on other resources, which wait for the whole query.
	far []record.Filter
	// forward looks at other resources from the list's; otherwise from theirs.
	forward bool
	// inside tells that the search names a compartment.
	inside bool
	// only are the resources that have the search's texts, nil without any.
	only *places
}

// Search returns a page of matches.
func (s *Store) Search(ctx context.Context, tx *sql.Tx, q *record.Query, r record.Reach) (*Page, error) {
	x, err := s.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	only, err := s.containing(ctx, tx, x, q, r)
	if err != nil {
		return nil, err
	}
	page := &Page{}
	if q.Total {
		b := &search{sqlText: &sqlText{}, s: s, x: x, q: q, reach: r, only: only}
		none, err := b.count(ctx)
		if err != nil {
			return nil, err
		}
		var n int64
		if !none {
			if err := s.on(tx).QueryRowContext(ctx, b.String(), b.args...).Scan(&n); err != nil {
				return nil, pg.Fault(err)
			}
		}
		page.Total = &n
	}
	if q.CountOnly {
		return page, nil
	}
	return page, s.page(ctx, tx, &search{sqlText: &sqlText{}, s: s, x: x, q: q, reach: r, only: only}, page)
}

func (s *Store) page(ctx context.Context, tx *sql.Tx, b *search, page *Page) error {
	q := b.q
	none, err := b.list(ctx)
	if err != nil || none {
		return err
	}
	list, more, err := s.current(ctx, tx, reading{sorted: true, bounded: true, lean: q.Partial()}, b.sqlText)
	if err != nil {
		return err
	}
	if len(list) > q.Count {
		list, more = list[:q.Count], true
	}
	if more {
		last := list[len(list)-1]
		page.Next = &record.Cursor{Key: last.Key, Value: *last.SortValue}
	}
	page.Matches = list
	return nil
}

// list writes the query of a page; none is true when nothing can match.
func (b *search) list(ctx context.Context) (none bool, err error) {
	if none, err := b.build(ctx, true); none || err != nil {
		return none, err
	}
	b.order()
	if err := b.after(b.q.Cursor); err != nil {
		return false, err
	}
	var with []string
	arms := []arm{{from: b.from, where: b.where}}
	if len(b.far) > 0 {
		if with, arms, err = b.probed(ctx); err != nil {
			return false, err
		}
	}
	with, arms = b.scoped(with, arms)
	ways := make([]string, len(arms))
	for i, a := range arms {
		ways[i] = "(" + b.way(a, b.joins) + ")"
	}
	if len(with) > 0 {
		b.WriteString("WITH " + strings.Join(with, ", ") + " ")
	}
	values := make([]string, len(b.sorts))
	for i := range b.sorts {
		values[i] = "f.s" + strconv.Itoa(i) + "::text"
	}
	b.WriteString("SELECT " + currentColumns + ", json_build_array(" + strings.Join(values, ", ") + ")::text FROM (" +
		strings.Join(ways, " UNION ALL ") + ") f JOIN records.current c ON c.patient = f.patient AND c.key = f.key ORDER BY " + b.outer())
	return false, nil
}

// outer is the order of what the arms found.
func (b *search) outer() string {
	var list []string
	for i, k := range b.sorts {
		list = append(list, "f.s"+strconv.Itoa(i)+k.direction())
	}
	return strings.Join(append(list, "f.key"+b.sorts[len(b.sorts)-1].way()), ", ")
}

// way writes an arm: the first resources of the page, each once, with the
// values of their order.
func (b *search) way(a arm, joins string) string {
	limit := " LIMIT " + strconv.Itoa(b.q.Count+1)
	if a.from == "near" {
		return "SELECT * FROM near WHERE " + strings.Join(a.where, " AND ")
	}
	var keys, named, inner []string
	for i, k := range b.sorts {
		keys = append(keys, k.expression)
		named = append(named, k.expression+" AS s"+strconv.Itoa(i))
		inner = append(inner, k.expression+k.direction())
	}
	where := a.where
	if a.each {
		where = append([]string{"f.patient = p.patient"}, where...)
	}
	text := "SELECT DISTINCT ON (" + strings.Join(keys, ", ") + ", f.key) f.patient, f.key, " + strings.Join(named, ", ") +
		" FROM " + a.from + joins + " WHERE " + strings.Join(where, " AND ") +
		" ORDER BY " + strings.Join(inner, ", ") + ", f.key" + b.sorts[len(b.sorts)-1].way() + limit
	if !a.each {
		return text
	}
	return "SELECT f.* FROM reached p CROSS JOIN LATERAL (" + text + ") f ORDER BY " + b.outer() + limit
}

// build fills from and where; none is true when nothing can match. Conditions
// on other resources are left in far for a page of the population; within a
// compartment they are looked at from there.
func (b *search) build(ctx context.Context, page bool) (none bool, err error) {
	patients, rest, none, err := b.compartments(ctx)
	if none || err != nil {
		return none, err
	}
	b.inside = len(patients) > 0
	b.along("true")
	if b.only != nil {
		if len(b.only.keys) == 0 {
			return true, nil
		}
		b.fresh = true
		b.where = append(b.where, in("f", "SELECT n.patient, n.key FROM "+b.only.from(b.sqlText, 0, len(b.only.keys))))
	}
	driver := b.driver(rest)
	switch {
	case driver < 0:
		b.from = "records.current f"
		if b.q.Type != "" {
			number := b.arg(b.q.Number)
			if len(patients) > 0 {
				number = hidden(number, "smallint")
			}
			b.along("f.type = " + number)
		} else if len(b.q.Types) > 0 {
			b.along("f.type = ANY(" + b.numbers(b.q.Types) + ")")
		}
	case rest[driver].Param.Type == "token":
		b.from = "records.tokens f"
	case rest[driver].Param.Type == "string":
		b.from = "records.strings f"
	default:
		b.from = "records.refs f"
	}
	for _, p := range patients {
		b.where = append(b.where, "f.patient = "+b.arg(p))
	}
	if c := b.sqlText.reach("f.patient", b.reach); c != "true" {
		b.where = append(b.where, c)
	}
	b.forward = b.inside || b.forward || b.parted() && b.small()
	for i, f := range rest {
		if i != driver {
			if within, sure := b.own(f); within != "" {
				b.along(within)
				b.where = append(b.where, sure)
				continue
			}
		}
		if page && !b.forward && (far(f) || i != driver && b.ordered() && b.apart(f)) {
			b.far = append(b.far, f)
			continue
		}
		var c string
		switch {
		case i == driver && page && b.q.Sort[0].By == "text":
			var least string
			c, least = b.texts(f)
			b.where = append(b.where, least)
		case i == driver:
			c, err = b.condition(ctx, f, "f")
		default:
			c, err = b.holds(ctx, f, "f")
		}
		if err != nil {
			return false, err
		}
		if i == driver {
			b.along(c)
		} else {
			b.where = append(b.where, c)
		}
	}
	return false, nil
}

// ordered reports whether an index has the list's order.
func (b *search) ordered() bool {
	by := b.q.Sort[0].By
	return len(b.q.Sort) == 1 && (by == "at" || by == "text" || by == "_lastUpdated")
}

// along adds a condition that chooses a range of the index.
func (b *search) along(c string) {
	b.where, b.index = append(b.where, c), append(b.index, c)
}

// direct reports whether a filter looks at the resource itself.
func direct(f record.Filter) bool { return len(f.Targets) == 0 && len(f.Any) == 0 && len(f.Peers) == 0 }

// compartments takes the filters that name a patient out of the list and
// turns them into the compartment's key, which leads every index.
func (b *search) compartments(ctx context.Context) (keys []int64, rest []record.Filter, none bool, err error) {
	patient := b.s.defs.Number("Patient")
	for _, f := range b.q.Filters {
		decides, sole := false, false
		if direct(f) && f.Param.Type == "reference" && (f.Modifier == "" || f.Modifier == "Patient") && len(f.Values) == 1 {
			decides, sole = b.x.Compartmental(f.Param)
			ref := f.Values[0].Ref
			decides = decides && ref.Type == patient
		}
		if !decides {
			rest = append(rest, f)
			continue
		}
		id := f.Values[0].Ref.Target
		found, err := b.s.PatientKeys(ctx, []string{id})
		if err != nil {
			return nil, nil, false, err
		}
		key, ok := found[id]
		if !ok {
			return nil, nil, true, nil
		}
		keys = append(keys, key)
		if !sole {
			// Something else may have put a resource there, but not where the
			// parameter, which decides first, names a Patient at all: that is
			// a lookup by the resource, whose cost no planner misjudges.
			f.Values = []record.Value{{Ref: record.Ref{Type: patient}}}
			rest = append(rest, f)
		}
	}
	return keys, rest, false, nil
}
