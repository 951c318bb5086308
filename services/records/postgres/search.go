package postgres

import (
	"context"
	"database/sql"
	"math"
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
	list, err := s.current(ctx, tx, true, b.sqlText)
	if err != nil {
		return err
	}
	if len(list) > q.Count {
		list = list[:q.Count]
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
		if f.Param.Type == "reference" && f.Modifier != "missing" && len(f.Values) == 1 {
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
		case f.Param.Type == "reference" && f.Values[0].Ref.Type >= 0 && f.Number != 0 && !b.named(f):
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

var tableOf = map[string]string{
	"token": "tokens", "string": "strings", "date": "dates", "reference": "refs", "uri": "uris", "number": "quantities", "quantity": "quantities",
}

// exists returns the condition that f holds for the row f.
func (b *search) exists(ctx context.Context, f record.Filter) (string, error) {
	switch f.Param.Code {
	case "_id":
		var ids array
		for _, v := range f.Values {
			ids.text(v.Code)
		}
		return "f.key = ANY(ARRAY(SELECT d.key FROM records.directory d WHERE d.type = " + b.arg(b.q.Number) +
			" AND d.id = ANY(" + b.arg(ids.arg()) + "::text[])))", nil
	case "_lastUpdated":
		var or []string
		for _, v := range f.Values {
			// A version is written at a point in time.
			or = append(or, b.dates("u.updated", "u.updated + 1", v))
		}
		return "EXISTS (SELECT FROM records.current u WHERE u.patient = f.patient AND u.key = f.key AND (" + strings.Join(or, " OR ") + "))", nil
	}
	not := ""
	cond := ""
	if f.Modifier == "missing" {
		cond = "t.param = " + b.arg(f.Number)
		if f.Values[0].Text == "true" {
			not = "NOT "
		}
	} else {
		if f.Modifier == "not" {
			not = "NOT "
		}
		c, err := b.condition(ctx, f, "t")
		if err != nil {
			return "", err
		}
		cond = c
	}
	at := ""
	// Tokens and references repeat the resource's date, which makes the
	// index key complete.
	if f.Param.Type == "token" || f.Param.Type == "reference" {
		at = " AND t.at = f.at"
	}
	return not + "EXISTS (SELECT FROM records." + tableOf[f.Param.Type] + " t WHERE t.patient = f.patient AND t.key = f.key" + at + " AND " + cond + ")", nil
}

// condition returns what a row t of the filter's table must fulfil.
func (b *search) condition(ctx context.Context, f record.Filter, t string) (string, error) {
	var or []string
	for _, v := range f.Values {
		c, err := b.value(ctx, f, v, t)
		if err != nil {
			return "", err
		}
		or = append(or, c)
	}
	return t + ".param = " + b.arg(f.Number) + " AND (" + strings.Join(or, " OR ") + ")", nil
}

func (b *search) value(ctx context.Context, f record.Filter, v record.Value, t string) (string, error) {
	switch f.Param.Type {
	case "token":
		var and []string
		if v.Code != "" {
			and = append(and, t+".code = "+b.arg(v.Code))
		}
		if v.HasSystem {
			id, err := b.s.known(ctx, v.System)
			if err != nil {
				return "", err
			}
			and = append(and, t+".system = "+b.arg(id))
		}
		return strings.Join(and, " AND "), nil
	case "string":
		switch f.Modifier {
		case "exact":
			return t + ".exact = " + b.arg(v.Text), nil
		case "contains":
			return "position(" + b.arg(v.Text) + "::text IN " + t + ".folded) > 0", nil
		}
		// U+10FFFF sorts after everything in the C collation of UTF-8.
		return t + ".folded >= " + b.arg(v.Text) + " AND " + t + ".folded < " + b.arg(v.Text+"\U0010FFFF"), nil
	case "date":
		return b.dates(t+".low", t+".high", v), nil
	case "reference":
		c := t + ".target = " + b.arg(v.Ref.Target)
		if v.Ref.Type >= 0 {
			c += " AND " + t + ".type = " + b.arg(v.Ref.Type)
		}
		return c, nil
	case "uri":
		return t + ".uri = " + b.arg(v.Text), nil
	}
	return b.quantity(ctx, v, t)
}

// dates compares ranges of time (https://hl7.org/fhir/R4/search.html#prefix):
// low and high are columns, half open.
func (b *search) dates(low, high string, v record.Value) string {
	from := func() string { return b.arg(v.Low) + "::bigint" }
	to := func() string { return b.arg(v.High) + "::bigint" }
	switch v.Prefix {
	case "ne":
		return "NOT (" + low + " >= " + from() + " AND " + high + " <= " + to() + ")"
	case "gt":
		return high + " > " + to()
	case "lt":
		return low + " < " + from()
	case "ge":
		return high + " > " + from()
	case "le":
		return low + " < " + to()
	case "sa":
		return low + " >= " + to()
	case "eb":
		return high + " <= " + from()
	}
	return "(" + low + " >= " + from() + " AND " + high + " <= " + to() + ")"
}

func (b *search) quantity(ctx context.Context, v record.Value, t string) (string, error) {
	n := t + ".value"
	exact := func(op string) string { return n + " " + op + " " + b.arg(v.Number) + "::numeric" }
	within := func() string {
		return n + " >= " + b.arg(v.NumberLow) + "::numeric AND " + n + " < " + b.arg(v.NumberHigh) + "::numeric"
	}
	var c string
	switch v.Prefix {
	case "ne":
		c = "NOT (" + within() + ")"
	case "gt", "sa":
		c = exact(">")
	case "lt", "eb":
		c = exact("<")
	case "ge":
		c = exact(">=")
	case "le":
		c = exact("<=")
	default:
		c = within()
	}
	if v.Code != "" {
		c += " AND " + t + ".code = " + b.arg(v.Code)
	}
	if v.HasSystem {
		id, err := b.s.known(ctx, v.System)
		if err != nil {
			return "", err
		}
		c += " AND " + t + ".system = " + b.arg(id)
	}
	return "(" + c + ")", nil
}

// Referring returns the current resources of a type that refer to one of
// targets by a parameter (_revinclude).
func (s *Store) Referring(ctx context.Context, param int16, targets []record.Ref, limit int, r record.Reach) ([]record.Stored, error) {
	if len(targets) == 0 {
		return nil, nil
	}
	var types, ids array
	for _, x := range targets {
		types.int(int64(x.Type))
		ids.text(x.Target)
	}
	q := &sqlText{}
	q.WriteString(`SELECT ` + currentColumns + ` FROM (SELECT DISTINCT t.patient, t.key
		FROM unnest(` + q.arg(types.arg()) + `::smallint[], ` + q.arg(ids.arg()) + `::text[]) AS n(type, id)
		JOIN records.refs t ON t.param = ` + q.arg(param) + ` AND t.target = n.id AND t.type = n.type
		WHERE ` + q.reach("t.patient", r) + ` ORDER BY t.key LIMIT ` + q.arg(limit) + `) f
		JOIN records.current c ON c.patient = f.patient AND c.key = f.key`)
	return s.current(ctx, nil, false, q)
}

// Compartment returns a page of a patient's compartment, the Patient first,
// then by type, newest first.
func (s *Store) Compartment(ctx context.Context, patient int64, types []int16, since int64, after *record.Cursor, limit int, r record.Reach) ([]record.Stored, *record.Cursor, error) {
	q := &sqlText{}
	q.WriteString(`SELECT ` + currentColumns + `, ((c.key <> c.patient)::int * 1000 + c.type)::text FROM records.current c
		WHERE c.patient = ` + q.arg(patient) + ` AND ` + q.reach("c.patient", r))
	if len(types) > 0 {
		var list array
		for _, t := range types {
			list.int(int64(t))
		}
		q.WriteString(` AND c.type = ANY(` + q.arg(list.arg()) + `::smallint[])`)
	}
	if since > 0 {
		q.WriteString(` AND c.updated >= ` + q.arg(since))
	}
	if after != nil {
		n, err := strconv.ParseInt(after.Value, 10, 32)
		if err != nil || n < 0 || n > math.MaxInt16 {
			return nil, nil, fault.New(fault.Invalid, "_cursor does not belong to this operation", nil)
		}
		q.WriteString(` AND ((c.key <> c.patient)::int * 1000 + c.type, c.key) > (` + q.arg(n) + `::int, ` + q.arg(after.Key) + `::bigint)`)
	}
	q.WriteString(` ORDER BY (c.key <> c.patient)::int * 1000 + c.type, c.key LIMIT ` + q.arg(limit+1))
	list, err := s.current(ctx, nil, true, q)
	if err != nil || len(list) <= limit {
		return list, nil, err
	}
	list = list[:limit]
	last := list[limit-1]
	return list, &record.Cursor{Key: last.Key, Value: *last.SortValue}, nil
}
