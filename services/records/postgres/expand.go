package postgres

import (
	"context"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/records/record"
)

// coded returns what a token must fulfil that is in a value set, or above or
// below a code.
func (b *search) coded(ctx context.Context, f record.Filter, v record.Value, t string) (string, error) {
	var codes []record.Coding
	var err error
	switch f.Modifier {
	case "in", "not-in":
		codes, err = b.s.Expander.Expand(ctx, v.Text)
	default:
		if v.System == "" {
			return "", fault.Newf(fault.Invalid, ":%s needs system|code", f.Modifier)
		}
		codes, err = b.s.Expander.Related(ctx, record.Coding{System: v.System, Code: v.Code}, f.Modifier == "below")
	}
	if err != nil {
		return "", err
	}
	var systems, list array
	for _, c := range codes {
		id, err := b.s.known(ctx, c.System)
		if err != nil {
			return "", err
		}
		if id >= 0 {
			systems.int(int64(id))
			list.text(record.Clip(c.Code))
		}
		if record.Implies(f.Param, c) { // code elements have no system of their own
			systems.int(0)
			list.text(record.Clip(c.Code))
		}
	}
	return "(" + t + ".system, " + t + ".code) IN (SELECT * FROM unnest(" + b.arg(systems.arg()) + "::int[], " + b.arg(list.arg()) + "::text[]))", nil
}
