package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/services/records/record"
)

// A condition on other resources can be answered from either end: by looking
// from each resource of the list whether it leads there, which is quick when
// many do, or by finding first all that do, which is quick when they are few.
// PostgreSQL cannot tell, since it knows nothing of how references and values
// hang together. So a search looks first whether there are more than few, and
// takes one way or the other; both stand in one statement, which sees one
// state of the data.
const (
	few       = 5000
	maxProbes = 3
	// handful is what few is for rows of the resource itself, since each of the
	// list's is looked at with less effort.
	handful = 2000
)

// bound is how many are few for a filter.
func bound(f record.Filter) string {
	if direct(f) {
		return strconv.Itoa(handful)
	}
	return strconv.Itoa(few)
}

// far reports whether a filter looks at other resources or at several
// parameters at once.
func far(f record.Filter) bool { return len(f.Targets) > 0 || len(f.Any) > 0 }

// apart reports whether an index tells which resources fulfil a filter on the
// resource itself, so that it can be looked at from that end as well.
func (b *search) apart(f record.Filter) bool {
	if !direct(f) {
		return false
	}
	if f.Param.Code == "_lastUpdated" {
		return b.q.Type != "" && b.q.Sort[0].By != "_lastUpdated"
	}
	switch f.Modifier {
	case "missing", "not", "not-in", "contains", "exact", "in", "above", "below":
		return false
	}
	for _, v := range f.Values {
		switch f.Rows() {
		case "token":
			if v.Code == "" || broad(f) {
				return false
			}
		case "reference":
			if v.Ref.Target == "" {
				return false
			}
		case "quantity", "number":
			if v.Code == "" {
				return false
			}
		case "date":
			if v.Prefix == "ne" {
				return false
			}
		case "composite":
			return false
		}
	}
	return f.Number != 0
}

func in(a, set string) string { return "(" + a + ".patient, " + a + ".key) IN (" + set + ")" }

// leads returns the condition that row a leads to what the filter asks for,
// looked at from a. OFFSET keeps PostgreSQL from turning it round.
func (b *search) leads(ctx context.Context, f record.Filter, a string) (string, error) {
	if direct(f) && f.Param.Code == "_lastUpdated" && b.from == "records.current f" {
		return b.updated(f, a), nil
	}
	ways, err := b.ways(ctx, f, a)
	for i, w := range ways {
		ways[i] = "EXISTS (" + w + " OFFSET 0)"
	}
	return "(" + strings.Join(ways, " OR ") + ")", err
}

// ways returns queries whose rows are the resources for which a filter holds;
// those of row a only, unless a is empty.
func (b *search) ways(ctx context.Context, f record.Filter, a string) (list []string, err error) {
	b.fresh = true
	before := b.forward
	b.forward = a != ""
	defer func() { b.forward = before }()
	if direct(f) {
		way, err := b.rows(ctx, f, a)
		return []string{way}, err
	}
	for _, end := range f.Targets {
		way, err := b.link(ctx, f, end, a)
		if err != nil {
			return nil, err
		}
		list = append(list, way)
	}
	for _, one := range f.Any {
		way, err := b.one(ctx, one, a)
		if err != nil {
			return nil, err
		}
		list = append(list, way)
	}
	return list, nil
}

// rows are the index rows of a filter that is apart; those of row a only,
// unless a is empty.
func (b *search) rows(ctx context.Context, f record.Filter, a string) (string, error) {
	t := b.alias()
	table, cond := "current", ""
	var err error
	if f.Param.Code == "_lastUpdated" {
		cond = t + ".type = " + b.types(f) + " AND " + b.updated(f, t)
	} else {
		table = tableOf[f.Rows()]
		cond, err = b.condition(ctx, f, t)
	}
	if a != "" {
		cond = same(t, a) + " AND " + cond
	}
	return "SELECT " + t + ".patient, " + t + ".key FROM records." + table + " " + t + " WHERE " + cond, err
}

// link follows a reference to resources that fulfil end, or, reversed, to
// resources that refer here and fulfil it. What is at the other end is within
// reach, or it is not seen.
func (b *search) link(ctx context.Context, f, end record.Filter, a string) (string, error) {
	t, d := b.alias(), b.alias()
	way := " FROM records.refs " + t + " JOIN records.directory " + d + " ON " + d + ".type = " + t + ".type AND " + d + ".id = " + t + ".target" +
		" WHERE " + b.params(f, t) + b.narrowed(f, t)
	here, there := t, d
	if f.Reverse {
		here, there = d, t
	} else {
		// The type of what the end is about, so that a reference to another
		// type with the same parameter is none.
		way += " AND NOT " + d + ".deleted AND " + t + ".type = " + b.types(end)
	}
	if a != "" {
		way += " AND " + same(here, a)
	}
	c, err := b.holds(ctx, end, there)
	return "SELECT " + here + ".patient, " + here + ".key" + way + " AND " + b.sqlText.reach(there+".patient", b.reach) + " AND " + c, err
}

// one is the way of a filter that is one of several.
func (b *search) one(ctx context.Context, f record.Filter, a string) (string, error) {
	t := b.alias()
	table, cond := "refs", ""
	var err error
	if direct(f) && f.Modifier == "" && f.Param.Type == "reference" {
		cond, err = b.condition(ctx, f, t)
	} else {
		table = "current"
		cond, err = b.holds(ctx, f, t)
		cond = t + ".type = " + b.types(f) + " AND " + cond
	}
	if a != "" {
		cond = same(t, a) + " AND " + cond
	}
	return "SELECT " + t + ".patient, " + t + ".key FROM records." + table + " " + t + " WHERE " + cond, err
}

// probed writes the way from the far end of each filter, up to the bound, and
// returns the arms: one for each way that has few rows, and one, the last, for
// when none has.
func (b *search) probed(ctx context.Context) (with []string, arms []arm, err error) {
	var from, seen []string
	for i, f := range b.far {
		c, err := b.leads(ctx, f, "f")
		if err != nil {
			return nil, nil, err
		}
		if from = append(from, c); i >= maxProbes {
			continue
		}
		ways, err := b.ways(ctx, f, "")
		if err != nil {
			return nil, nil, err
		}
		name := "e" + strconv.Itoa(i)
		with = append(with, name+" AS MATERIALIZED (SELECT w.patient, w.key FROM ("+strings.Join(ways, " UNION ALL ")+") w LIMIT "+bound(f)+" + 1)")
		seen = append(seen, "(SELECT count(*) FROM "+name+")")
	}
	for i := range seen {
		where := slices.Clone(b.where)
		for j := range i {
			where = append(where, seen[j]+" > "+bound(b.far[j]))
		}
		where = append(where, seen[i]+" <= "+bound(b.far[i]), in("f", "SELECT patient, key FROM e"+strconv.Itoa(i)))
		for j := range from {
			if j != i {
				where = append(where, from[j])
			}
		}
		arms = append(arms, arm{from: b.from, where: where})
	}
	last := slices.Clone(b.where)
	for i := range seen {
		last = append(last, seen[i]+" > "+bound(b.far[i]))
	}
	return with, append(arms, arm{from: b.from, where: append(last, from...)}), nil
}
