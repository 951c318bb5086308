package postgres

import (
	"context"
	"strings"

	"github.com/yba-health/yba/services/records/record"
)

var tableOf = map[string]string{
	"token": "tokens", "string": "strings", "date": "dates", "reference": "refs", "uri": "uris", "number": "quantities", "quantity": "quantities",
	"composite": "composites",
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
	return b.params(f, t) + " AND (" + strings.Join(or, " OR ") + ")", nil
}

// params chooses the rows of the filter's parameter.
func (b *search) params(f record.Filter, t string) string {
	list := append([]int16{f.Number}, f.Also...)
	for _, o := range f.Peers {
		list = append(append(list, o.Number), o.Also...)
	}
	if len(list) == 1 {
		return t + ".param = " + b.arg(f.Number)
	}
	return t + ".param = ANY(" + b.numbers(list) + ")"
}

func (b *search) value(ctx context.Context, f record.Filter, v record.Value, t string) (string, error) {
	switch f.Rows() {
	case "token":
		return b.token(ctx, f, v, t)
	case "string":
		switch f.Modifier {
		case "exact":
			var forms array
			for _, s := range v.Exact {
				forms.text(s)
			}
			// By the index of folded texts: none is of exact ones.
			return t + ".folded = " + b.arg(v.Text) + " AND " + t + ".exact = ANY(" + b.arg(forms.arg()) + "::text[])", nil
		case "contains":
			return "position(" + b.arg(v.Text) + "::text IN " + t + ".folded) > 0", nil
		}
		return b.begins(t+".folded", v.Text), nil
	case "date":
		return b.dated(t, v), nil
	case "reference":
		return b.refers(f, v, t), nil
	case "uri":
		return b.uri(f, v, t), nil
	case "composite":
		return b.composite(ctx, f, v, t)
	}
	return b.quantity(ctx, v, t)
}

// lastRune sorts after everything in the C collation of UTF-8.
const lastRune = "\U0010FFFF"

// begins compares the beginning of a text.
func (b *search) begins(column, text string) string {
	return "(" + column + " >= " + b.arg(text) + " AND " + column + " < " + b.arg(text+lastRune) + ")"
}

func (b *search) token(ctx context.Context, f record.Filter, v record.Value, t string) (string, error) {
	switch f.Modifier {
	case "in", "not-in", "above", "below":
		return b.coded(ctx, f, v, t)
	}
	return b.code(ctx, v, t+".system", t+".code")
}

func (b *search) code(ctx context.Context, v record.Value, system, code string) (string, error) {
	var and []string
	if v.Code != "" {
		and = append(and, code+" = "+b.arg(v.Code))
	}
	if v.HasSystem {
		id, err := b.s.known(ctx, v.System)
		if err != nil {
			return "", err
		}
		and = append(and, system+" = "+b.arg(id))
	}
	return strings.Join(and, " AND "), nil
}

func (b *search) refers(f record.Filter, v record.Value, t string) string {
	switch {
	case v.Tree != 0:
		return b.within(f, v, t)
	case f.Modifier == "above":
		// A canonical of this version or an older one of the same line.
		return t + ".target = ANY(" + b.arg(textArray(record.Lines(v.Text))) + "::text[]) AND " + t + ".type = 0"
	case f.Modifier == "below":
		text := record.Clip(v.Text)
		return "(" + t + ".target = " + b.arg(text) + " OR " + b.begins(t+".target", text+".") + " OR " + b.begins(t+".target", text+"|") + ") AND " + t + ".type = 0"
	}
	if v.Ref.Target == "" { // any of the type
		return t + ".type = " + b.arg(v.Ref.Type)
	}
	c := t + ".target = " + b.arg(v.Ref.Target)
	if v.Ref.Type >= 0 {
		c += " AND " + t + ".type = " + b.arg(v.Ref.Type)
	}
	return c
}

// within is the condition that a reference points at a resource, or at one
// that it is part of (:above), or that is part of it (:below), however far;
// each is within reach. A circle ends, since what was found is not followed
// again.
func (b *search) within(f record.Filter, v record.Value, t string) string {
	typ, param := b.arg(v.Ref.Type), b.arg(v.Tree)
	step := `SELECT r.target FROM h JOIN records.directory d ON d.type = ` + typ + ` AND d.id = h.id AND NOT d.deleted
		JOIN records.refs r ON r.patient = d.patient AND r.param = ` + param + ` AND r.key = d.key AND r.type = ` + typ
	if f.Modifier == "below" {
		step = `SELECT d.id FROM h JOIN records.refs r ON r.param = ` + param + ` AND r.type = ` + typ + ` AND r.target = h.id
			JOIN records.directory d ON d.key = r.key AND d.type = ` + typ + ` AND NOT d.deleted`
	}
	return t + ".type = " + typ + " AND " + t + `.target = ANY(ARRAY(WITH RECURSIVE h(id) AS (SELECT ` + b.arg(v.Ref.Target) + `::text COLLATE "C" UNION ` +
		step + " WHERE " + b.sqlText.reach("d.patient", b.reach) + ") SELECT id FROM h))"
}

func (b *search) uri(f record.Filter, v record.Value, t string) string {
	switch f.Modifier {
	case "above":
		return t + ".uri = ANY(" + b.arg(textArray(record.Above(v.Text))) + "::text[])"
	case "below":
		path := strings.TrimSuffix(v.Text, "/") + "/"
		c := "(" + t + ".uri = " + b.arg(record.Clip(v.Text)) + " OR " + b.begins(t+".uri", path)
		if f.Versions(&v) {
			c += " OR " + b.begins(t+".uri", v.Text+"|")
		}
		return c + ")"
	}
	if f.Versions(&v) {
		return "(" + t + ".uri = " + b.arg(v.Text) + " OR " + b.begins(t+".uri", v.Text+"|") + ")"
	}
	return t + ".uri = " + b.arg(v.Text)
}

func textArray(list []string) any {
	var a array
	for _, s := range list {
		a.text(record.Clip(s))
	}
	return a.arg()
}
