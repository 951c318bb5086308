package postgres

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/services/records/record"
)

// dates compares ranges of time by the words of
// https://hl7.org/fhir/R4/search.html#prefix: low and high are columns, half open.
func (b *search) dates(low, high string, v record.Value) string {
	from := func() string { return b.arg(v.Low) + "::bigint" }
	to := func() string { return b.arg(v.High) + "::bigint" }
	switch v.Prefix {
	case "ne": // the search does not contain the target
		return "(" + low + " < " + from() + " OR " + high + " > " + to() + ")"
	case "gt": // what is above the search overlaps with the target
		return high + " > " + to()
	case "lt":
		return low + " < " + from()
	case "ge": // as gt, or the search contains the target
		return "(" + low + " >= " + from() + " OR " + high + " > " + to() + ")"
	case "le":
		return "(" + low + " < " + from() + " OR " + high + " <= " + to() + ")"
	case "sa":
		return low + " >= " + to()
	case "eb":
		return high + " <= " + from()
	case "ap": // the ranges overlap
		return "(" + low + " < " + to() + " AND " + high + " > " + from() + ")"
	}
	return "(" + low + " >= " + from() + " AND " + high + " <= " + to() + ")"
}

// dated compares the range of a row t of dates. It adds what follows from a
// range's end not being before its beginning, and from few ranges being longer
// than a day (dates_long): with one end alone an index would be read from
// there to its end, however few rows match.
func (b *search) dated(t string, v record.Value) string {
	low, high := t+".low", t+".high"
	c := b.dates(low, high, v)
	if b.forward { // the resource is known
		return c
	}
	long := func(end int64) string {
		return high + " - " + low + " > " + strconv.Itoa(day) + " AND " + high + " > " + b.arg(end) + "::bigint"
	}
	switch v.Prefix {
	case "eq", "le":
		return "(" + c + " AND " + low + " <= " + b.arg(v.High) + "::bigint)"
	case "eb":
		return "(" + c + " AND " + low + " <= " + b.arg(v.Low) + "::bigint)"
	case "ge":
		return "(" + low + " >= " + b.arg(min(v.Low, v.High-day)) + "::bigint AND " + c + " OR " + long(v.High) + ")"
	case "gt":
		return "(" + low + " >= " + b.arg(v.High-day) + "::bigint AND " + c + " OR " + long(v.High) + ")"
	case "ap":
		return "(" + low + " >= " + b.arg(v.Low-day) + "::bigint AND " + c + " OR " + long(v.Low) + " AND " + c + ")"
	}
	return c
}

// own returns the condition of a filter on the parameter that the resource's
// own date is from: the range of that date, so that a list in its order begins
// and ends in the index where the filter does, and what must hold besides; ""
// for other filters. The date is one end of the only range: its beginning, or
// its end where the beginning is unknown. It therefore lies within what the
// range has to lie in, and where it says by itself that the filter holds, the
// range is not looked at. OFFSET keeps PostgreSQL from beginning with the
// ranges.
func (b *search) own(f record.Filter) (within, holds string) {
	p := f.Param
	if !direct(f) || p.Type != "date" || f.Modifier != "" || !p.Single || len(f.Values) != 1 || len(f.Also) > 0 || b.q.Type == "" || p.Code != b.x.Main(b.q.Type) {
		return "", ""
	}
	v := f.Values[0]
	if b.inside && !slices.Contains([]string{"eq", "sa", "eb"}, v.Prefix) {
		return "", "" // the other bounds must be asked for, which is not worth it there
	}
	from := func(at string) string { return "f.at >= " + at }
	to := func(at string) string { return "f.at > " + strconv.Itoa(record.Undated) + " AND f.at <= " + at }
	var sure string
	switch v.Prefix {
	case "eq":
		within = from(b.arg(v.Low)) + " AND " + to(b.arg(v.High))
	case "sa":
		within = from(b.arg(v.High))
	case "eb":
		within = to(b.arg(v.Low))
	case "ge", "gt":
		within, sure = from(b.since(f, min(v.Low, v.High-day), v.High)), "f.at > "+b.arg(v.High)
	case "le":
		within, sure = to(b.until(f, v.High)), "f.at < "+b.arg(v.Low)
	case "lt":
		within, sure = to(b.until(f, v.Low)), "f.at < "+b.arg(v.Low)
	case "ap":
		within = from(b.since(f, v.Low-day, v.Low)) + " AND " + to(b.until(f, v.High))
	default:
		return "", ""
	}
	t := b.alias()
	holds = "EXISTS (SELECT FROM records.dates " + t + " WHERE " + same(t, "f") + " AND " + b.params(f, t) + " AND " + b.dates(t+".low", t+".high", v) + " OFFSET 0)"
	if sure != "" {
		holds = "(" + sure + " OR " + holds + ")"
	}
	return within, holds
}

// day is the length from which dates_long has a range, in microseconds.
const day = 86_400_000_000

// since is the own date that the oldest match of a list may have whose ranges
// reach beyond end: those of at most a day begin at short or later. Longer ones
// are few, and found by their end: the first of them to begin is it, or nothing
// is bounded where they are more than few.
func (b *search) since(f record.Filter, short, end int64) string {
	return "(SELECT CASE WHEN count(*) > " + strconv.Itoa(few) + " THEN " + strconv.Itoa(record.Undated) +
		" ELSE least(" + b.arg(short) + "::bigint, min(l.low)) END FROM (SELECT d.low FROM records.dates d WHERE d.param = " + b.arg(f.Number) +
		" AND d.high - d.low > " + strconv.Itoa(day) + " AND d.high > " + b.arg(end) + "::bigint LIMIT " + strconv.Itoa(few+1) + ") l)"
}

// until is the own date that the newest match of a list may have whose ranges
// begin before end: that itself, or the latest end of those whose beginning is
// unknown, which are few, or nothing is bounded.
func (b *search) until(f record.Filter, end int64) string {
	return "(SELECT CASE WHEN count(*) > " + strconv.Itoa(few) + " THEN " + strconv.Itoa(math.MaxInt64) +
		" ELSE greatest(" + b.arg(end) + "::bigint, max(l.high)) END FROM (SELECT d.high FROM records.dates d WHERE d.param = " + b.arg(f.Number) +
		" AND d.low <= " + b.arg(fhir.FarPast.UnixMicro()) + "::bigint LIMIT " + strconv.Itoa(few+1) + ") l)"
}

// number compares a column with a number of a search
// (https://hl7.org/fhir/R4/search.html#number): equality leaves the digits
// open that are not given, comparisons take the number as it stands.
func (b *search) number(column, prefix, number, low, high string) string {
	exact := func(op string) string { return column + " " + op + " " + b.arg(number) + "::numeric" }
	switch prefix {
	case "ne":
		return "(" + column + " < " + b.arg(low) + "::numeric OR " + column + " >= " + b.arg(high) + "::numeric)"
	case "gt", "sa":
		return exact(">")
	case "lt", "eb":
		return exact("<")
	case "ge":
		return exact(">=")
	case "le":
		return exact("<=")
	case "ap":
		return "(" + column + " >= " + b.arg(low) + "::numeric AND " + column + " <= " + b.arg(high) + "::numeric)"
	}
	return "(" + column + " >= " + b.arg(low) + "::numeric AND " + column + " < " + b.arg(high) + "::numeric)"
}

// measure are the columns of a quantity.
type measure struct{ system, code, base, amount, value string }

func (b *search) quantity(ctx context.Context, v record.Value, t string) (string, error) {
	return b.measured(ctx, v, measure{t + ".system", t + ".code", t + ".base", t + ".amount", t + ".value"})
}

func (b *search) measured(ctx context.Context, v record.Value, m measure) (string, error) {
	var and []string
	if v.HasSystem {
		id, err := b.s.known(ctx, v.System)
		if err != nil {
			return "", err
		}
		and = append(and, m.system+" = "+b.arg(id))
	}
	if v.HasSystem && v.Code != "" {
		// In this unit or another of the same dimension.
		and = append(and, m.base+" = "+b.arg(v.Base), b.number(m.amount, v.Prefix, v.Amount, v.AmountLow, v.AmountHigh))
		return "(" + strings.Join(and, " AND ") + ")", nil
	}
	if v.Code != "" {
		// The code or the human readable unit, whatever the system.
		and = append(and, m.base+" = ANY("+b.arg(textArray([]string{v.Base, v.Code}))+"::text[])", m.code+" = "+b.arg(v.Code))
	}
	and = append(and, b.number(m.value, v.Prefix, v.Number, v.NumberLow, v.NumberHigh))
	return "(" + strings.Join(and, " AND ") + ")", nil
}

// composite returns what a row of composites must fulfil.
func (b *search) composite(ctx context.Context, f record.Filter, v record.Value, t string) (string, error) {
	first, err := b.code(ctx, v.Parts[0], t+".system", t+".code")
	if err != nil {
		return "", err
	}
	components := f.Param.Composites[0].Components
	second := v.Parts[1]
	var c string
	switch components[1].Type {
	case "token":
		c, err = b.code(ctx, second, t+`."with"`, t+".text")
	case "string":
		c = b.begins(t+".text", second.Text)
	case "date":
		c = b.dates(t+".low", t+".high", second)
	case "reference":
		c = t + ".text = ANY(" + b.arg(textArray(b.x.Spellings(second.Ref))) + "::text[])"
	case "quantity":
		c, err = b.measured(ctx, second, measure{t + `."with"`, t + ".text", t + ".base", t + ".low", t + ".high"})
	case "number":
		third := v.Parts[2]
		c = b.number(t+".low", second.Prefix, second.Number, second.NumberLow, second.NumberHigh) +
			" AND " + b.number(t+".high", third.Prefix, third.Number, third.NumberLow, third.NumberHigh)
	default:
		return "", fault.Newf(fault.Invalid, "a component of type %s is not supported", components[1].Type)
	}
	return "(" + first + " AND " + c + ")", err
}
