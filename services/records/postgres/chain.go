package postgres

import (
	"context"
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
)

// far reports whether a filter looks at other resources or at several
// parameters at once.
func far(f record.Filter) bool { return len(f.Targets) > 0 || len(f.Any) > 0 }

func in(a, set string) string { return "(" + a + ".patient, " + a + ".key) IN (" + set + ")" }

// leads returns the condition that row a leads to what the filter asks for,
// looked at from a. OFFSET keeps PostgreSQL from turning it round.
func (b *search) leads(ctx context.Context, f record.Filter, a string) (string, error) {
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
// returns the conditions of each arm: one for each way that has few rows, and
// one for when none has.
func (b *search) probed(ctx context.Context) (with string, arms [][]string, err error) {
	var probes, from, seen []string
	for i, f := range b.far {
		c, err := b.leads(ctx, f, "f")
		if err != nil {
			return "", nil, err
		}
		if from = append(from, c); i >= maxProbes {
			continue
		}
		ways, err := b.ways(ctx, f, "")
		if err != nil {
			return "", nil, err
		}
		name := "e" + strconv.Itoa(i)
		probes = append(probes, name+" AS MATERIALIZED (SELECT w.patient, w.key FROM ("+strings.Join(ways, " UNION ALL ")+") w LIMIT "+strconv.Itoa(few+1)+")")
		seen = append(seen, "(SELECT count(*) FROM "+name+")")
	}
	for i := range probes {
		arm := append([]string{}, b.where...)
		for j := range i {
			arm = append(arm, seen[j]+" > "+strconv.Itoa(few))
		}
		arm = append(arm, seen[i]+" <= "+strconv.Itoa(few), in("f", "SELECT patient, key FROM e"+strconv.Itoa(i)))
		for j := range from {
			if j != i {
				arm = append(arm, from[j])
			}
		}
		arms = append(arms, arm)
	}
	last := append([]string{}, b.where...)
	for i := range probes {
		last = append(last, seen[i]+" > "+strconv.Itoa(few))
	}
	return "WITH " + strings.Join(probes, ", ") + " ", append(arms, append(last, from...)), nil
}
