package postgres

import (
	"context"
	"strings"

	"github.com/yba-health/yba/services/records/record"
)

var tableOf = map[string]string{
	"token": "tokens", "string": "strings", "date": "dates", "reference": "refs", "uri": "uris", "number": "quantities", "quantity": "quantities",
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
	return t + ".param = " + b.params(f) + " AND (" + strings.Join(or, " OR ") + ")", nil
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
