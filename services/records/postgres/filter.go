package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/services/records/record"
)

// holds returns the condition that a filter holds for the resource of row a,
// which has patient and key. Whatever it looks at on the way, of this
// resource or of another, is within reach: a condition tells what it sees.
func (b *search) holds(ctx context.Context, f record.Filter, a string) (string, error) {
	switch {
	case far(f) && b.forward:
		return b.leads(ctx, f, a)
	case far(f):
		ways, err := b.ways(ctx, f, "")
		return in(a, strings.Join(ways, " UNION ALL ")), err
	case f.Param.Code == "_id":
		var ids array
		for _, v := range f.Values {
			ids.text(v.Code)
		}
		found := in(a, "SELECT d.patient, d.key FROM records.directory d WHERE d.type = "+b.types(f)+" AND d.id = ANY("+b.arg(ids.arg())+"::text[])")
		if f.Modifier == "not" {
			return "NOT " + found, nil
		}
		return found, nil
	case f.Param.Code == "_lastUpdated":
		if a == "f" && b.from == "records.current f" {
			return b.updated(f, a), nil
		}
		u := b.alias()
		return "EXISTS (SELECT FROM records.current " + u + " WHERE " + same(u, a) + " AND " + b.updated(f, u) + ")", nil
	}
	if f.Modifier == "missing" {
		return b.missing(f, a), nil
	}
	not := ""
	// What lacks the element is not the value either
	// (https://hl7.org/fhir/R4/search.html#token).
	if f.Modifier == "not" || f.Modifier == "not-in" {
		not = "NOT "
	}
	t := b.alias()
	cond, err := b.condition(ctx, f, t)
	return not + b.hasRow(f.Rows(), a, t, cond), err
}

// updated is the condition on the row u of current that its version was
// written then, which is a point in time.
func (b *search) updated(f record.Filter, u string) string {
	var or []string
	for _, v := range f.Values {
		switch v.Prefix {
		case "gt", "sa":
			or = append(or, u+".updated >= "+b.arg(v.High))
		case "ge":
			or = append(or, u+".updated >= "+b.arg(v.Low))
		case "lt", "eb":
			or = append(or, u+".updated < "+b.arg(v.Low))
		case "le":
			or = append(or, u+".updated < "+b.arg(v.High))
		case "ne":
			or = append(or, "("+u+".updated < "+b.arg(v.Low)+" OR "+u+".updated >= "+b.arg(v.High)+")")
		default:
			or = append(or, "("+u+".updated >= "+b.arg(v.Low)+" AND "+u+".updated < "+b.arg(v.High)+")")
		}
	}
	return "(" + strings.Join(or, " OR ") + ")"
}

// hasRow is the condition that the resource of row a has an index row t. Where
// the resource was reached from one that is known, OFFSET keeps PostgreSQL from
// beginning again with the rows for each.
func (b *search) hasRow(rows, a, t, cond string) string {
	// Tokens, references and composites repeat the resource's date, which
	// makes the index key complete.
	if a == "f" && (rows == "token" || rows == "reference" || rows == "composite") {
		cond += " AND " + t + ".at = f.at"
	}
	if b.forward && a != "f" {
		cond += " OFFSET 0"
	}
	return "EXISTS (SELECT FROM records." + tableOf[rows] + " " + t + " WHERE " + same(t, a) + " AND " + cond + ")"
}

// missing is the condition that a resource has no row of the parameter, or
// that it has one. A code may be a text alone, a reference an identifier.
func (b *search) missing(f record.Filter, a string) string {
	var or []string
	for _, x := range append([]record.Filter{f}, f.Besides...) {
		t := b.alias()
		or = append(or, b.hasRow(x.Rows(), a, t, b.params(x, t)+b.narrowed(x, t)))
	}
	has := "(" + strings.Join(or, " OR ") + ")"
	if f.Values[0].Text == "true" {
		return "NOT " + has
	}
	return has
}

// narrowed adds the type to which a reference parameter's rows, which are
// those of another parameter, are narrowed.
func (b *search) narrowed(f record.Filter, t string) string {
	if f.Narrowed == 0 || f.Rows() != "reference" {
		return ""
	}
	return " AND " + t + ".type = " + b.arg(f.Narrowed)
}

func same(t, a string) string {
	return t + ".patient = " + a + ".patient AND " + t + ".key = " + a + ".key"
}

func (b *search) alias() string {
	b.aliases++
	return "t" + strconv.Itoa(b.aliases)
}

// types returns what the type of a resource that the filter is about is
// compared with.
func (b *search) types(f record.Filter) string {
	if len(f.Peers) == 0 {
		return b.arg(b.s.defs.Number(f.Of))
	}
	list := []int16{b.s.defs.Number(f.Of)}
	for _, o := range f.Peers {
		list = append(list, b.s.defs.Number(o.Of))
	}
	return "ANY(" + b.numbers(list) + ")"
}

// numbers returns an argument that is a list of types or parameters.
func (b *search) numbers(list []int16) string {
	var a array
	for _, n := range slices.Compact(slices.Sorted(slices.Values(list))) {
		a.int(int64(n))
	}
	return b.arg(a.arg()) + "::smallint[]"
}
