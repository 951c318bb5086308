package fhirpath

import "slices"

// collections are the functions over whole collections
// (https://hl7.org/fhirpath/N1/#functions).
func collections() map[string]function {
	return map[string]function{
		"empty":      {run: func(c *calling) ([]item, error) { return is(len(c.input) == 0) }},
		"exists":     {max: 1, run: exists},
		"all":        {min: 1, max: 1, run: all},
		"allTrue":    {run: func(c *calling) ([]item, error) { return c.every(true, true) }},
		"anyTrue":    {run: func(c *calling) ([]item, error) { return c.every(true, false) }},
		"allFalse":   {run: func(c *calling) ([]item, error) { return c.every(false, true) }},
		"anyFalse":   {run: func(c *calling) ([]item, error) { return c.every(false, false) }},
		"subsetOf":   {min: 1, max: 1, run: func(c *calling) ([]item, error) { return c.subset(false) }},
		"supersetOf": {min: 1, max: 1, run: func(c *calling) ([]item, error) { return c.subset(true) }},
		"count":      {run: func(c *calling) ([]item, error) { return one(intItem(len(c.input))) }},
		"distinct":   {run: func(c *calling) ([]item, error) { return c.distinct(c.input) }},
		"isDistinct": {run: func(c *calling) ([]item, error) {
			d, err := c.distinct(c.input)
			return []item{boolItem(len(d) == len(c.input))}, err
		}},
		"where":  {min: 1, max: 1, run: where},
		"select": {min: 1, max: 1, run: project},
		"repeat": {min: 1, max: 1, run: repeat},
		"ofType": {typed: true, run: func(c *calling) ([]item, error) { return c.asType("ofType", c.typ, c.input) }},
		"is":     {typed: true, run: func(c *calling) ([]item, error) { return c.asType("is", c.typ, c.input) }},
		"as":     {typed: true, run: func(c *calling) ([]item, error) { return c.asType("as", c.typ, c.input) }},
		"single": {run: func(c *calling) ([]item, error) {
			_, _, err := c.single()
			return c.input, err
		}},
		"first": {run: func(c *calling) ([]item, error) { return c.slice(0, 1) }},
		"last":  {run: func(c *calling) ([]item, error) { return c.slice(len(c.input)-1, len(c.input)) }},
		"tail":  {run: func(c *calling) ([]item, error) { return c.slice(1, len(c.input)) }},
		"skip": {min: 1, max: 1, run: func(c *calling) ([]item, error) {
			n, _, err := c.intArg(0)
			if err != nil {
				return nil, err
			}
			return c.slice(n, len(c.input))
		}},
		"take": {min: 1, max: 1, run: func(c *calling) ([]item, error) {
			n, _, err := c.intArg(0)
			if err != nil {
				return nil, err
			}
			return c.slice(0, n)
		}},
		"intersect": {min: 1, max: 1, run: func(c *calling) ([]item, error) { return c.pick(true) }},
		"exclude":   {min: 1, max: 1, run: func(c *calling) ([]item, error) { return c.pick(false) }},
		"union": {min: 1, max: 1, run: func(c *calling) ([]item, error) {
			other, err := c.arg(0)
			if err != nil {
				return nil, err
			}
			return c.distinct(append(slices.Clone(c.input), other...))
		}},
		"combine": {min: 1, max: 1, run: func(c *calling) ([]item, error) {
			other, err := c.arg(0)
			return append(slices.Clone(c.input), other...), err
		}},
		"aggregate":   {min: 1, max: 2, run: aggregate},
		"iif":         {min: 2, max: 3, run: iif},
		"sort":        {max: 10, run: sorted},
		"trace":       {min: 1, max: 2, run: func(c *calling) ([]item, error) { return c.input, nil }},
		"not":         {run: not},
		"children":    {run: func(c *calling) ([]item, error) { return children(c.input), nil }},
		"descendants": {run: descendants},
	}
}

func exists(c *calling) ([]item, error) {
	if len(c.args) == 0 {
		return is(len(c.input) > 0)
	}
	for i := range c.input {
		if yes, err := c.truthOf(0, i); yes || err != nil {
			return []item{boolItem(yes)}, err
		}
	}
	return is(false)
}

func all(c *calling) ([]item, error) {
	for i := range c.input {
		if yes, err := c.truthOf(0, i); !yes || err != nil {
			return []item{boolItem(yes)}, err
		}
	}
	return is(true)
}

// every asks whether all items are the boolean, or any.
func (c *calling) every(want, allOf bool) ([]item, error) {
	for _, i := range c.input {
		if i.kind != boolean {
			return nil, wrong("%s is called on booleans", c.name)
		}
		if (i.b == want) != allOf {
			return is(!allOf)
		}
	}
	return is(allOf)
}

func (c *calling) subset(swap bool) ([]item, error) {
	other, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	small, large := c.input, other
	if swap {
		small, large = other, c.input
	}
	for _, i := range small {
		if !c.holds(large, i) {
			return is(false)
		}
	}
	return is(true)
}

func (c *calling) slice(from, to int) ([]item, error) {
	from, to = max(from, 0), min(to, len(c.input))
	if from >= to {
		return nil, nil
	}
	return c.input[from:to], nil
}

// pick keeps what another collection has, or what it has not.
func (c *calling) pick(want bool) ([]item, error) {
	other, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	var out []item
	for _, i := range c.input {
		if c.holds(other, i) == want && (!want || !c.holds(out, i)) {
			out = append(out, i)
		}
	}
	return out, nil
}

func where(c *calling) ([]item, error) {
	var out []item
	for i := range c.input {
		yes, err := c.truthOf(0, i)
		if err != nil {
			return nil, err
		}
		if yes {
			out = append(out, c.input[i])
		}
	}
	return out, nil
}

func project(c *calling) ([]item, error) {
	var out []item
	for i := range c.input {
		list, err := c.each(0, i)
		if err != nil {
			return nil, err
		}
		if out, err = c.bounded(append(out, list...)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// repeat projects until nothing new is found.
func repeat(c *calling) ([]item, error) {
	var out []item
	round := *c
	for len(round.input) > 0 {
		list, err := project(&round)
		if err != nil {
			return nil, err
		}
		round.input = nil
		for _, i := range list {
			if c.left < 0 {
				return nil, errTooLong()
			}
			if !c.holds(out, i) {
				out = append(out, i)
				round.input = append(round.input, i)
			}
		}
	}
	return out, nil
}

func aggregate(c *calling) ([]item, error) {
	s := c.scope
	s.total = nil
	if len(c.args) > 1 {
		var err error
		if s.total, err = c.arg(1); err != nil {
			return nil, err
		}
	}
	for i := range c.input {
		s.this, s.index = c.input[i:i+1], i
		var err error
		if s.total, err = c.eval(c.args[0], s); err != nil {
			return nil, err
		}
	}
	return s.total, nil
}

// iif evaluates only the branch that is asked for.
func iif(c *calling) ([]item, error) {
	if len(c.input) > 1 {
		return nil, wrong("iif is called on several items")
	}
	s := c.scope
	if len(c.input) == 1 {
		s.this = c.input
	}
	list, err := c.eval(c.args[0], s)
	if err != nil {
		return nil, err
	}
	if len(list) > 1 || len(list) == 1 && list[0].kind != boolean {
		return nil, wrong("the criterion of iif is a boolean")
	}
	switch {
	case len(list) == 1 && list[0].b:
		return c.eval(c.args[1], s)
	case len(c.args) > 2:
		return c.eval(c.args[2], s)
	}
	return nil, nil
}

func not(c *calling) ([]item, error) {
	v, known, err := truth(c.input)
	if err != nil || !known {
		return nil, err
	}
	return is(!v)
}

func children(list []item) []item {
	var out []item
	for _, i := range list {
		if i.node != nil {
			out = append(out, fromNodes(i.node.Children(""))...)
		}
	}
	return out
}

func descendants(c *calling) ([]item, error) {
	var out []item
	for list := children(c.input); len(list) > 0; list = children(list) {
		var err error
		if out, err = c.bounded(append(out, list...)); err != nil {
			return nil, err
		}
	}
	return out, nil
}
