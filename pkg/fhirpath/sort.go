package fhirpath

import "slices"

// sorted orders by the arguments; "-" before one turns it.
func sorted(c *calling) ([]item, error) {
	type row struct {
		item item
		keys []item
	}
	rows := make([]row, len(c.input))
	turned := make([]bool, max(len(c.args), 1))
	for i := range c.input {
		rows[i].item = c.input[i]
		if len(c.args) == 0 {
			rows[i].keys = []item{c.input[i]}
		}
		for a, arg := range c.args {
			s := c.scope
			s.this, s.index = c.input[i:i+1], i
			if arg.form == unary && arg.name == "-" {
				turned[a] = true
				arg = arg.args[0]
			}
			list, err := c.eval(arg, s)
			if err != nil || len(list) > 1 {
				return nil, wrong("sort needs one value for each item")
			}
			key := item{}
			if len(list) == 1 {
				key = list[0]
			}
			rows[i].keys = append(rows[i].keys, key)
		}
	}
	var failed error
	slices.SortStableFunc(rows, func(a, b row) int {
		for k := range a.keys {
			n, err := rank(a.keys[k], b.keys[k])
			if err != nil {
				failed = err
			}
			// What is absent comes first in either direction.
			if n != 0 && turned[k] && a.keys[k].kind != object && b.keys[k].kind != object {
				return -n
			}
			if n != 0 {
				return n
			}
		}
		return 0
	})
	out := make([]item, len(rows))
	for i, r := range rows {
		out[i] = r.item
	}
	return out, failed
}

// rank orders two keys; what is absent comes first.
func rank(a, b item) (int, error) {
	if a.kind == object || b.kind == object {
		return int(min(a.kind, 1)) - int(min(b.kind, 1)), nil
	}
	less, err := order("<", a, b)
	if err != nil {
		return 0, err
	}
	more, err := order(">", a, b)
	switch {
	case len(less) == 1 && less[0].b:
		return -1, err
	case len(more) == 1 && more[0].b:
		return 1, err
	}
	return 0, err
}
