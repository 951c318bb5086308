package postgres

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
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
// token's, a reference's or the current row; each has patient, key and at.
type search struct {
	*sqlText
	s     *Store
	x     *record.Indexer
	q     *record.Query
	reach record.Reach

	from  string
	where []string
	sort  string // expression of the order
	join  string // of the sort, if need be
}

// Search returns a page of matches.
func (s *Store) Search(ctx context.Context, tx *sql.Tx, q *record.Query, r record.Reach) (*Page, error) {
	x, err := s.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	page := &Page{}
	if q.Total {
		b := &search{sqlText: &sqlText{}, s: s, x: x, q: q, reach: r}
		none, err := b.build(ctx)
		if err != nil {
			return nil, err
		}
		var n int64
		if !none {
			text := "SELECT count(DISTINCT f.key) FROM " + b.from + " WHERE " + strings.Join(b.where, " AND ")
			if err := s.on(tx).QueryRowContext(ctx, text, b.args...).Scan(&n); err != nil {
				return nil, pg.Fault(err)
			}
		}
		page.Total = &n
	}
	if q.CountOnly {
		return page, nil
	}
	return page, s.page(ctx, tx, x, q, r, page)
}

func (s *Store) page(ctx context.Context, tx *sql.Tx, x *record.Indexer, q *record.Query, r record.Reach, page *Page) error {
	b := &search{sqlText: &sqlText{}, s: s, x: x, q: q, reach: r}
	none, err := b.build(ctx)
	if err != nil || none {
		return err
	}
	b.order()
	if err := b.after(q.Cursor); err != nil {
		return err
	}
	direction := " ASC"
	if q.Sort.Descending {
		direction = " DESC"
	}
	nulls := ""
	if b.join != "" {
		nulls = " NULLS LAST"
	}
	order := b.sort + direction + nulls + ", f.key" + direction
	inner := "SELECT DISTINCT ON (" + b.sort + ", f.key) f.patient, f.key, " + b.sort + " AS sort FROM " + b.from + b.join +
		" WHERE " + strings.Join(b.where, " AND ") + " ORDER BY " + order + " LIMIT " + strconv.Itoa(q.Count+1)
	b.WriteString("SELECT " + currentColumns + ", f.sort::text FROM (" + inner + ") f" +
		" JOIN records.current c ON c.patient = f.patient AND c.key = f.key ORDER BY f.sort" + direction + nulls + ", f.key" + direction)
	list, more, err := s.current(ctx, tx, true, true, b.sqlText)
	if err != nil {
		return err
	}
	if len(list) > q.Count {
		list, more = list[:q.Count], true
	}
	if more {
		last := list[len(list)-1]
		page.Next = &record.Cursor{Key: last.Key, Null: last.SortValue == nil}
		if last.SortValue != nil {
			page.Next.Value = *last.SortValue
		}
	}
	page.Matches = list
	return nil
}

// build fills from and where; none is true when nothing can match.
func (b *search) build(ctx context.Context) (none bool, err error) {
	patients, rest, none, err := b.compartments(ctx)
	if none || err != nil {
		return none, err
	}
	driver := b.driver(rest)
	switch {
	case driver < 0:
		b.from = "records.current f"
		b.where = append(b.where, "f.type = "+b.arg(b.q.Number))
	case rest[driver].Param.Type == "token":
		b.from = "records.tokens f"
	default:
		b.from = "records.refs f"
	}
	for _, p := range patients {
		b.where = append(b.where, "f.patient = "+b.arg(p))
	}
	if c := b.sqlText.reach("f.patient", b.reach); c != "true" {
		b.where = append(b.where, c)
	}
	for i, f := range rest {
		var c string
		if i == driver {
			c, err = b.condition(ctx, f, "f")
		} else {
			c, err = b.exists(ctx, f)
		}
		if err != nil {
			return false, err
		}
		b.where = append(b.where, c)
	}
	return false, nil
}

// compartments takes the filters that name a patient out of the list and
// turns them into the compartment's key, which leads every index.
func (b *search) compartments(ctx context.Context) (keys []int64, rest []record.Filter, none bool, err error) {
	patient := b.s.defs.Number("Patient")
	for _, f := range b.q.Filters {
		decides, sole := false, false
		if f.Rows() == "reference" && f.Modifier != "missing" && f.Modifier != "above" && f.Modifier != "below" && len(f.Values) == 1 {
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
			rest = append(rest, f)
		}
	}
	return keys, rest, false, nil
}

// driver chooses the filter whose index yields matches in the list's order,
// -1 for none.
func (b *search) driver(list []record.Filter) int {
	if b.q.Sort.By != "at" {
		return -1
	}
	best := -1
	for i, f := range list {
		if f.Modifier != "" && f.Param.Type == "token" || f.Modifier == "missing" || len(f.Values) != 1 {
			continue
		}
		switch {
		case f.Param.Type == "reference" && f.Modifier != "identifier" && f.Modifier != "above" && f.Modifier != "below" && f.Values[0].Ref.Type >= 0 && f.Number != 0 && !b.named(f):
			return i
		case f.Param.Type == "token" && f.Number != 0 && f.Values[0].Code != "" && best < 0:
			best = i
		}
	}
	return best
}

// named reports whether the filter is a patient's, whose compartment is the
// better way.
func (b *search) named(f record.Filter) bool {
	decides, _ := b.x.Compartmental(f.Param)
	return decides && f.Values[0].Ref.Type == b.s.defs.Number("Patient")
}

func (b *search) order() {
	switch s := b.q.Sort; s.By {
	case "at":
		b.sort = "f.at"
	case "_lastUpdated":
		b.sort = "f.updated"
	case "_id":
		b.sort = "f.id"
	default:
		// The least value sorts upwards, the greatest downwards.
		pick := "min"
		if s.Descending {
			pick = "max"
		}
		column := map[string]string{"string": "folded", "date": "low", "token": "code"}[s.By]
		table := map[string]string{"string": "strings", "date": "dates", "token": "tokens"}[s.By]
		b.join = " LEFT JOIN LATERAL (SELECT " + pick + "(o." + column + ") AS v FROM records." + table +
			" o WHERE o.patient = f.patient AND o.param = " + b.arg(s.Number) + " AND o.key = f.key) o ON true"
		b.sort = "o.v"
	}
}

// after adds where the page before ended.
func (b *search) after(c *record.Cursor) error {
	if c == nil {
		return nil
	}
	less := ">"
	if b.q.Sort.Descending {
		less = "<"
	}
	key := b.arg(c.Key)
	if c.Null {
		b.where = append(b.where, b.sort+" IS NULL AND f.key "+less+" "+key)
		return nil
	}
	var value string
	switch b.q.Sort.By {
	case "at", "_lastUpdated", "date":
		n, err := strconv.ParseInt(c.Value, 10, 64)
		if err != nil {
			return fault.New(fault.Invalid, "_cursor does not belong to this search", nil)
		}
		value = b.arg(n)
	default:
		value = b.arg(c.Value) + "::text"
	}
	cond := "(" + b.sort + ", f.key) " + less + " (" + value + ", " + key + ")"
	if b.join != "" {
		cond = "(" + cond + " OR " + b.sort + " IS NULL)"
	}
	b.where = append(b.where, cond)
	return nil
}
