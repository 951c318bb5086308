package fhirpath

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// math10 are the functions over numbers (https://hl7.org/fhirpath/N1/#math).
func math10() map[string]function {
	return map[string]function{
		"abs": {run: func(c *calling) ([]item, error) {
			i, ok, err := c.single()
			if err != nil || !ok {
				return nil, err
			}
			if !isNumber(i) && i.kind != quantity {
				return nil, wrong("abs is called on a number")
			}
			i.n, i.node = number10{newRat().Abs(i.n.r), i.n.scale}, nil
			return one(i)
		}},
		"ceiling": towards(func(floor *big.Int, exact bool) *big.Int {
			return new(big.Int).Add(floor, big.NewInt(map[bool]int64{false: 1}[exact]))
		}),
		"floor":    towards(func(floor *big.Int, _ bool) *big.Int { return floor }),
		"truncate": {run: truncate},
		"round":    {max: 1, run: round},
		"exp":      floating(func(x, _ float64) float64 { return math.Exp(x) }, 0),
		"ln":       floating(func(x, _ float64) float64 { return math.Log(x) }, 0),
		"log":      floating(func(x, y float64) float64 { return math.Log(x) / math.Log(y) }, 1),
		"sqrt":     floating(func(x, _ float64) float64 { return math.Sqrt(x) }, 0),
		"power":    floating(math.Pow, 1),

		"precision":    {run: precision},
		"lowBoundary":  {max: 1, run: func(c *calling) ([]item, error) { return c.boundary(false) }},
		"highBoundary": {max: 1, run: func(c *calling) ([]item, error) { return c.boundary(true) }},
		"comparable": {min: 1, max: 1, run: func(c *calling) ([]item, error) {
			i, ok, err := c.single()
			other, err2 := c.arg(0)
			if err != nil || err2 != nil || !ok || len(other) != 1 {
				return nil, err
			}
			a, ok := i.asQuantity()
			b, ok2 := other[0].asQuantity()
			return is(ok && ok2 && unitOf(a.unit).of == unitOf(b.unit).of)
		}},
		"now":       {run: func(c *calling) ([]item, error) { return one(momentItem(c.moment(dateTime, partSecond))) }},
		"today":     {run: func(c *calling) ([]item, error) { return one(momentItem(c.moment(date, partDay))) }},
		"timeOfDay": {run: func(c *calling) ([]item, error) { return one(momentItem(c.moment(clock, partSecond))) }},
	}
}

// moment is the time of the evaluation.
func (e *evaluation) moment(k kind, known int) instant {
	_, zone := e.now.Zone()
	t := instant{kind: k, known: known, zone: zone / 60}.at(e.now)
	t.zoned, t.millis = k == dateTime, k != date
	if k != dateTime {
		t.zone = 0
	}
	return t
}

func towards(f func(floor *big.Int, exact bool) *big.Int) function {
	return function{run: func(c *calling) ([]item, error) {
		i, ok, err := c.single()
		if err != nil || !ok {
			return nil, err
		}
		if !isNumber(i) {
			return nil, wrong("%s is called on a number", c.name)
		}
		floor := new(big.Int).Div(i.n.r.Num(), i.n.r.Denom())
		return one(item{kind: integer, n: number10{r: newRat().SetInt(f(floor, i.n.r.IsInt()))}})
	}}
}

func truncate(c *calling) ([]item, error) {
	i, ok, err := c.single()
	if err != nil || !ok {
		return nil, err
	}
	if !isNumber(i) {
		return nil, wrong("truncate is called on a number")
	}
	return one(item{kind: integer, n: number10{r: newRat().SetInt(new(big.Int).Quo(i.n.r.Num(), i.n.r.Denom()))}})
}

func round(c *calling) ([]item, error) {
	i, ok, err := c.single()
	if err != nil || !ok {
		return nil, err
	}
	digits := 0
	if len(c.args) > 0 {
		if digits, _, err = c.intArg(0); err != nil {
			return nil, err
		}
	}
	if !isNumber(i) || digits < 0 || digits > 28 {
		return nil, wrong("round is called on a number, to 0 to 28 digits")
	}
	n, _ := parseDecimal(i.n.r.FloatString(digits))
	return one(item{kind: decimal, n: n})
}

// floating makes a function of floating-point numbers.
func floating(f func(x, y float64) float64, args int) function {
	return function{min: args, max: args, run: func(c *calling) ([]item, error) {
		i, ok, err := c.single()
		if err != nil || !ok {
			return nil, err
		}
		y, whole := 0.0, i.kind == integer
		if args > 0 {
			list, err := c.arg(0)
			if err != nil || len(list) == 0 {
				return nil, err
			}
			if len(list) > 1 || !isNumber(list[0]) {
				return nil, wrong("%s needs a number", c.name)
			}
			y, _ = list[0].n.r.Float64()
			whole = whole && list[0].kind == integer && y >= 0
		}
		if !isNumber(i) {
			return nil, wrong("%s is called on a number", c.name)
		}
		x, _ := i.n.r.Float64()
		out := f(x, y)
		if math.IsNaN(out) || math.IsInf(out, 0) {
			return nil, nil
		}
		s := strconv.FormatFloat(out, 'f', -1, 64)
		k := decimal
		if whole && c.name == "power" {
			k = integer
		} else if !strings.Contains(s, ".") {
			s += ".0"
		}
		n, ok := parseDecimal(s)
		if !ok {
			return nil, nil
		}
		return one(item{kind: k, n: n})
	}}
}

// digitsOf is the precision of a date or time, in digits.
func (t instant) digitsOf() int {
	n := []int{0, 4, 6, 8, 10, 12, 17}[t.known]
	if t.known == partSecond && !t.millis {
		n = 14
	}
	if t.kind == clock {
		n -= 8
	}
	return n
}

func precision(c *calling) ([]item, error) {
	i, ok, err := c.single()
	if err != nil || !ok {
		return nil, err
	}
	switch {
	case isNumber(i):
		return one(intItem(i.n.scale))
	case isMoment(i):
		return one(intItem(i.t.digitsOf()))
	}
	return nil, nil
}

// boundary is the least or greatest value that a value of its precision may
// stand for.
func (c *calling) boundary(high bool) ([]item, error) {
	i, ok, err := c.single()
	if err != nil || !ok {
		return nil, err
	}
	digits := -1
	if len(c.args) > 0 {
		n, has, err := c.intArg(0)
		if err != nil {
			return nil, err
		}
		if digits = n; has && n < 0 {
			return nil, nil
		}
	}
	switch {
	case isNumber(i) || i.kind == quantity:
		if digits < 0 {
			digits = 8
		}
		if digits > 28 {
			return nil, nil
		}
		i.n, i.node = i.n.bound(digits, high), nil
		if i.kind == integer {
			i.kind = decimal
		}
		return one(i)
	case isMoment(i):
		return i.t.bound(digits, high)
	}
	return nil, nil
}

func (n number10) bound(digits int, high bool) number10 {
	ten := func(k int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(k)), nil) }
	half := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Mul(big.NewInt(2), ten(n.scale)))
	if !high {
		half.Neg(half)
	}
	x := newRat().Mul(newRat().Add(n.r, half), newRat().SetInt(ten(digits)))
	floor := new(big.Int).Div(x.Num(), x.Denom())
	if high && !x.IsInt() {
		floor.Add(floor, big.NewInt(1))
	}
	return number10{new(big.Rat).SetFrac(floor, ten(digits)), digits}
}

func (t instant) bound(digits int, high bool) ([]item, error) {
	full := map[kind]int{date: 8, dateTime: 17, clock: 9}[t.kind]
	if digits < 0 {
		digits = full
	}
	if digits > full {
		return nil, nil
	}
	if high {
		last := [6]int{0, 12, 0, 23, 59, 59_999}
		for k := t.known; k < 6; k++ {
			t.part[k] = last[k]
		}
		if t.known < partDay {
			t.part[2] = time.Date(t.part[0], time.Month(t.part[1])+1, 0, 0, 0, 0, 0, time.UTC).Day()
		}
		if t.known == partSecond && !t.millis {
			t.part[5] += 999
		}
	}
	if t.kind == clock {
		digits += 8
	}
	t.known = map[int]int{4: 1, 6: 2, 8: 3, 10: 4, 12: 5, 14: 6, 17: 6}[digits]
	if t.known == 0 {
		return nil, nil
	}
	t.millis = digits == 17
	switch {
	case t.kind == dateTime && t.known < partHour:
		t.kind, t.zoned, t.zone = date, false, 0
	case t.kind == dateTime && !t.zoned:
		t.zoned, t.zone = true, 14*60
		if high {
			t.zone = -12 * 60
		}
	}
	return one(momentItem(t))
}
