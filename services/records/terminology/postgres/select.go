package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/terminology"
)

// Select returns a page of a set.
func (s *Store) Select(ctx context.Context, set *terminology.Set, w terminology.Want) ([]terminology.Entry, error) {
	q := newQuery(w)
	var text strings.Builder
	text.WriteString(`SELECT t.url, t.version, t.code, t.display, t.designations, t.inactive, t.abstract, t.language FROM (` + q.distinct(set) + `) t`)
	order := ` ORDER BY t.n, t.ord, t.url, t.code`
	if len(w.Text.Words) > 0 {
		// What was typed is a code, a whole name, the beginning of a name, or
		// stands together in one; a shorter name is nearer.
		phrase := q.arg(w.Text.Phrase)
		order = ` ORDER BY CASE WHEN lower(t.code) = ` + phrase + ` THEN 0 WHEN strpos(t.folded, E'\n' || ` + phrase + ` || E'\n') > 0 THEN 1
			WHEN starts_with(lower(t.code), ` + phrase + `) THEN 2 WHEN strpos(t.folded, E'\n' || ` + phrase + `) > 0 THEN 3
			WHEN strpos(t.folded, ' ' || ` + phrase + `) > 0 THEN 4 ELSE 5 END, length(t.display), t.n, t.ord, t.url, t.code`
	}
	text.WriteString(order + ` LIMIT ` + q.arg(w.Count) + ` OFFSET ` + q.arg(w.Offset))
	rows, err := s.db.QueryContext(ctx, text.String(), q.args...)
	if err != nil {
		return nil, filterFault(err)
	}
	defer rows.Close()
	var list []terminology.Entry
	for rows.Next() {
		var e terminology.Entry
		var designations []byte
		if err := rows.Scan(&e.System, &e.Version, &e.Code, &e.Display, &designations, &e.Inactive, &e.Abstract, &e.Language); err != nil {
			return nil, pg.Fault(err)
		}
		if err := unmarshal(designations, &e.Designations); err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, filterFault(rows.Err())
}

// Total counts the codes of a set.
func (s *Store) Total(ctx context.Context, set *terminology.Set, w terminology.Want) (int, error) {
	q := newQuery(w)
	var n int
	err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM (`+q.distinct(set)+`) t`, q.args...).Scan(&n)
	return n, filterFault(err)
}

// filterFault tells a regular expression that only PostgreSQL finds wrong.
func filterFault(err error) error {
	if e, ok := errors.AsType[*pq.Error](err); ok && e.Code == "2201B" {
		return fault.New(fault.Unprocessable, "the regular expression of a filter cannot be used here", err)
	}
	return pg.Fault(err)
}

// query builds the SQL of a set. The conditions of what is wanted stand in
// each part, so that they are found by index.
type query struct {
	want  terminology.Want
	words string // as a tsquery
	args  []any
	// named asks for the words; what only says whether a code is in another
	// set need not name it.
	named bool
}

func newQuery(w terminology.Want) *query {
	q := &query{want: w, named: len(w.Text.Words) > 0}
	for i, word := range w.Text.Words {
		if i > 0 {
			q.words += " & "
		}
		q.words += "'" + word + "':*" // a word is letters and digits only
	}
	return q
}

func (q *query) arg(v any) string {
	q.args = append(q.args, v)
	return "$" + strconv.Itoa(len(q.args))
}

// distinct returns each code of the set once, from the first part that has it.
func (q *query) distinct(set *terminology.Set) string {
	text := q.set(set)
	if len(set.Parts) == 1 && set.Parts[0].URL != "" && !set.Parts[0].Enumerated {
		return text // a code system has each code once
	}
	return `SELECT DISTINCT ON (d.url, d.code) d.* FROM (` + text + `) d ORDER BY d.url, d.code, d.n, d.ord`
}

// set returns rows (n, ord, url, version, code, display, designations, folded,
// inactive, abstract, language); n and ord are the place in the set.
func (q *query) set(set *terminology.Set) string {
	if len(set.Parts) == 0 {
		return `SELECT 0 AS n, 0::bigint AS ord, '' AS url, '' AS version, '' AS code, '' AS display, NULL::jsonb AS designations,
			'' AS folded, false AS inactive, false AS abstract, '' AS language WHERE false`
	}
	text := q.parts(set.Parts)
	var cond []string
	if len(set.Without) > 0 {
		cond = append(cond, `NOT EXISTS (SELECT FROM (`+q.unnamed(func() string { return q.parts(set.Without) })+`) w WHERE w.url = s.url AND w.code = s.code)`)
	}
	if set.ActiveOnly || q.want.Active {
		cond = append(cond, `NOT s.inactive`)
	}
	if q.want.Selectable {
		cond = append(cond, `NOT s.abstract`)
	}
	if len(q.want.ExcludeSystems) > 0 {
		cond = append(cond, `s.url <> ALL(`+q.arg(pq.Array(q.want.ExcludeSystems))+`::text[])`)
	}
	if len(cond) == 0 {
		return text
	}
	return `SELECT s.* FROM (` + text + `) s WHERE ` + strings.Join(cond, ` AND `)
}

func (q *query) parts(list []terminology.Part) string {
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = q.part(i, &list[i])
	}
	return strings.Join(texts, ` UNION ALL `)
}

func (q *query) part(n int, p *terminology.Part) string {
	if p.URL == "" && !p.Enumerated {
		text := `SELECT ` + strconv.Itoa(n) + ` AS n, (p.n::bigint << 32) + (p.ord & 4294967295) AS ord, p.url, p.version, p.code, p.display,
			p.designations, p.folded, p.inactive, p.abstract, p.language FROM (` + q.set(p.Sets[0]) + `) p`
		for i, other := range p.Sets[1:] {
			text += []string{` WHERE `, ` AND `}[min(i, 1)] + q.within(other, "p.url", "p.code")
		}
		return text
	}
	url := q.arg(p.URL) + `::text`
	var cond []string
	if q.want.System != "" {
		cond = append(cond, url+` = `+q.arg(q.want.System))
	}
	var text string
	if p.Enumerated {
		text = q.listed(n, p, url, &cond)
	} else {
		text = `SELECT ` + strconv.Itoa(n) + ` AS n, c.ordinal::bigint AS ord, ` + url + ` AS url, ` + q.arg(p.Version) + `::text AS version, c.code, c.display,
			c.designations, c.folded, c.inactive, c.abstract, ` + q.arg(p.System.Language) + `::text AS language FROM records.concepts c`
		cond = append(cond, `c.system = `+q.arg(p.System.ID))
		if q.named {
			cond = append(cond, `c.words @@ `+q.arg(q.words)+`::tsquery`)
		}
		if q.want.Code != "" {
			cond = append(cond, sameCode(p.System, "c.code", q.arg(q.want.Code)))
		}
	}
	for _, f := range p.Filters {
		cond = append(cond, q.filter(p.System, f))
	}
	code := "c.code"
	if p.Enumerated {
		code = "l.code"
	}
	for _, set := range p.Sets {
		cond = append(cond, q.within(set, url, code))
	}
	if len(cond) == 0 {
		return text
	}
	return text + ` WHERE ` + strings.Join(cond, ` AND `)
}

// within asks whether the code is in another set too.
func (q *query) within(set *terminology.Set, url, code string) string {
	return `EXISTS (SELECT FROM (` + q.unnamed(func() string { return q.set(set) }) + `) y WHERE y.url = ` + url + ` AND y.code = ` + code + `)`
}

func (q *query) unnamed(build func() string) string {
	before := q.named
	q.named = false
	text := build()
	q.named = before
	return text
}

// listed returns the rows of a part that lists its codes. Where the system is
// loaded they must be its codes, which give what the list does not say.
func (q *query) listed(n int, p *terminology.Part, url string, cond *[]string) string {
	var codes, displays, designations, folded []string
	var matched []bool
	for i := range p.Listed {
		l := &p.Listed[i]
		codes, displays, folded = append(codes, l.Code), append(displays, l.Display), append(folded, l.Folded())
		matched = append(matched, l.Matches(q.want.Text))
		d := ""
		if len(l.Designations) > 0 {
			// Designations are made of strings only, which always marshal.
			b, _ := json.Marshal(l.Designations)
			d = string(b)
		}
		designations = append(designations, d)
	}
	language, id, join := "", int32(0), "LEFT JOIN"
	if p.System != nil {
		language, id = p.System.Language, p.System.ID
		// An import may be of a part of the system, such as a country's choice
		// of LOINC; then what is listed counts.
		if p.System.Source != "import" {
			join = "JOIN"
		}
	}
	lang := q.arg(language) + `::text`
	text := `SELECT ` + strconv.Itoa(n) + ` AS n, l.ord, ` + url + ` AS url, ` + q.arg(p.Version) + `::text AS version, l.code,
		coalesce(nullif(l.display, ''), c.display, '') AS display, coalesce(nullif(l.designations, '')::jsonb, c.designations, '[]') ||
			CASE WHEN l.display <> '' AND c.display <> l.display THEN jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('language', nullif(` + lang + `, ''), 'value', c.display))) ELSE '[]' END AS designations,
		l.folded || coalesce(c.folded, '') AS folded, coalesce(c.inactive, false) AS inactive, coalesce(c.abstract, false) AS abstract,
		` + lang + ` AS language
		FROM unnest(` + q.arg(pq.Array(codes)) + `::text[], ` + q.arg(pq.Array(displays)) + `::text[], ` + q.arg(pq.Array(designations)) + `::text[], ` +
		q.arg(pq.Array(folded)) + `::text[], ` + q.arg(pq.Array(matched)) + `::bool[]) WITH ORDINALITY AS l(code, display, designations, folded, matched, ord)
		` + join + ` records.concepts c ON c.system = ` + q.arg(id) + ` AND c.code = l.code COLLATE "C"`
	if q.named {
		*cond = append(*cond, `(l.matched OR c.words @@ `+q.arg(q.words)+`::tsquery)`)
	}
	if q.want.Code != "" {
		*cond = append(*cond, sameCode(p.System, "l.code", q.arg(q.want.Code)))
	}
	return text
}
