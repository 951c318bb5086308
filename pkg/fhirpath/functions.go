package fhirpath

import (
	"maps"
	"sync"
)

// function is a function by its name. A typed one has the name of a type
// as its argument.
type function struct {
	min, max int
	typed    bool
	run      func(c *calling) ([]item, error)
}

// calling is one call: what it is called on, and its arguments, which are
// evaluated in the scope around the call or for each item.
type calling struct {
	*evaluation
	name  string
	input []item
	args  []*expr
	typ   string
	scope scope
}

// functionNamed finds a function.
func functionNamed(name string) (function, bool) {
	f, ok := functions()[name]
	return f, ok
}

// functions lists what may be called.
var functions = sync.OnceValue(func() map[string]function {
	out := map[string]function{}
	for _, part := range []map[string]function{collections(), texts(), conversions(), math10(), elements()} {
		maps.Copy(out, part)
	}
	return out
})

func (e *evaluation) call(x *expr, input []item, s scope) ([]item, error) {
	out, err := x.function.run(&calling{e, x.name, input, x.args, x.typ, s})
	if err != nil {
		return nil, err
	}
	return e.bounded(out)
}

// arg evaluates an argument in the scope around the call.
func (c *calling) arg(i int) ([]item, error) { return c.eval(c.args[i], c.scope) }

// each evaluates an argument for the i-th item of the input.
func (c *calling) each(arg, i int) ([]item, error) {
	s := c.scope
	s.this, s.index = c.input[i:i+1], i
	return c.eval(c.args[arg], s)
}

// truthOf evaluates a criterion for an item.
func (c *calling) truthOf(arg, i int) (bool, error) {
	list, err := c.each(arg, i)
	if err != nil {
		return false, err
	}
	v, known, err := truth(list)
	return v && known, err
}

// single returns the one item of the input; ok is false for none.
func (c *calling) single() (i item, ok bool, err error) {
	if len(c.input) > 1 {
		return item{}, false, wrong("%s is called on several items", c.name)
	}
	if len(c.input) == 0 {
		return item{}, false, nil
	}
	return c.input[0], true, nil
}

// text returns the one string of the input.
func (c *calling) text() (s string, ok bool, err error) {
	i, ok, err := c.single()
	if err != nil || !ok {
		return "", false, err
	}
	if i.kind == object {
		return "", false, wrong("%s is called on a string", c.name)
	}
	return i.String(), true, nil
}

// textArg returns a string argument; ok is false for none.
func (c *calling) textArg(i int) (s string, ok bool, err error) {
	list, err := c.arg(i)
	if err != nil || len(list) == 0 {
		return "", false, err
	}
	if len(list) > 1 || list[0].kind != characters {
		return "", false, wrong("%s needs a string", c.name)
	}
	return list[0].s, true, nil
}

// intArg returns a whole number; ok is false for none.
func (c *calling) intArg(i int) (n int, ok bool, err error) {
	list, err := c.arg(i)
	if err != nil || len(list) == 0 {
		return 0, false, err
	}
	if len(list) > 1 || list[0].kind != integer || !list[0].n.r.Num().IsInt64() {
		return 0, false, wrong("%s needs a whole number", c.name)
	}
	return int(max(min(list[0].n.r.Num().Int64(), 1<<31), -1<<31)), true, nil
}

func one(i item) ([]item, error)   { return []item{i}, nil }
func is(b bool) ([]item, error)    { return one(boolItem(b)) }
func say(s string) ([]item, error) { return one(textItem(s)) }
