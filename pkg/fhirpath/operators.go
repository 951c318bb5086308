package fhirpath

import (
	"math/big"
	"strings"
)

func newRat() *big.Rat { return new(big.Rat) }

func (e *evaluation) binary(x *expr, s scope) ([]item, error) {
	left, err := e.eval(x.args[0], s)
	if err != nil {
		return nil, err
	}
	right, err := e.eval(x.args[1], s)
	if err != nil {
		return nil, err
	}
	switch x.name {
	case "and", "or", "xor", "implies":
		return logic(x.name, left, right)
	case "|":
		return e.distinct(append(append([]item(nil), left...), right...))
	case "=", "!=":
		return equals(left, right, x.name == "!=")
	case "~", "!~":
		return []item{boolItem(e.equivalent(left, right) == (x.name == "~"))}, nil
	case "in":
		return e.in(left, right)
	case "contains":
		return e.in(right, left)
	case "&":
		a, err := joined(left)
		if err != nil {
			return nil, err
		}
		b, err := joined(right)
		return []item{textItem(a + b)}, err
	}
	if len(left) == 0 || len(right) == 0 {
		return nil, nil
	}
	if len(left) > 1 || len(right) > 1 {
		return nil, wrong("%s is between single values", x.name)
	}
	if strings.ContainsAny(x.name, "<>") {
		return order(x.name, left[0], right[0])
	}
	return arithmetic(x.name, left[0], right[0])
}

func logic(op string, left, right []item) ([]item, error) {
	a, knowA, err := truth(left)
	if err != nil {
		return nil, err
	}
	b, knowB, err := truth(right)
	if err != nil {
		return nil, err
	}
	yes := func(v bool) ([]item, error) { return []item{boolItem(v)}, nil }
	switch {
	case op == "implies" && (knowA && !a || knowB && b):
		return yes(true)
	case op == "implies" && knowA && knowB:
		return yes(false)
	case op == "and" && (knowA && !a || knowB && !b):
		return yes(false)
	case op == "or" && (knowA && a || knowB && b):
		return yes(true)
	case !knowA || !knowB:
		return nil, nil
	case op == "and":
		return yes(true)
	case op == "xor":
		return yes(a != b)
	}
	return yes(false)
}

func equals(left, right []item, not bool) ([]item, error) {
	if len(left) == 0 || len(right) == 0 {
		return nil, nil
	}
	same := len(left) == len(right)
	if same {
		for i := range left {
			eq, known := equal(left[i], right[i])
			if !known {
				return nil, nil
			}
			same = same && eq
		}
	}
	return []item{boolItem(same != not)}, nil
}

// equivalent compares collections without their order.
func (e *evaluation) equivalent(left, right []item) bool {
	if len(left) != len(right) {
		return false
	}
	used := make([]bool, len(right))
	for _, a := range left {
		found := false
		for j, b := range right {
			e.left--
			if !used[j] && e.left > 0 && equivalent(a, b) {
				used[j], found = true, true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

func (e *evaluation) in(left, right []item) ([]item, error) {
	if len(left) == 0 {
		return nil, nil
	}
	if len(left) > 1 {
		return nil, wrong("one item is looked for, not several")
	}
	return []item{boolItem(e.holds(right, left[0]))}, nil
}

// holds reports whether a collection has an item.
func (e *evaluation) holds(list []item, i item) bool {
	for _, x := range list {
		if e.left--; e.left < 0 {
			return false // Evaluate refuses the result
		}
		if same, known := equal(x, i); same && known {
			return true
		}
	}
	return false
}

func (e *evaluation) distinct(list []item) ([]item, error) {
	var out []item
	for _, i := range list {
		if e.left < 0 {
			return nil, errTooLong()
		}
		if !e.holds(out, i) {
			out = append(out, i)
		}
	}
	return e.bounded(out)
}

// joined reads one string, or none as the empty one.
func joined(list []item) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	if len(list) > 1 || list[0].kind != characters || len(list[0].s) > maxText {
		return "", wrong("one string is expected")
	}
	return list[0].s, nil
}

// order compares (https://hl7.org/fhirpath/N1/#comparison).
func order(op string, a, b item) ([]item, error) {
	c, known := 0, true
	switch {
	case isNumber(a) && isNumber(b):
		c = a.n.r.Cmp(b.n.r)
	case isMoment(a) && isMoment(b) && (a.kind == clock) == (b.kind == clock):
		c, known = compareMoments(a.t, b.t)
	case a.kind == characters && b.kind == characters:
		c = strings.Compare(a.s, b.s)
	default:
		x, ok := a.asQuantity()
		y, ok2 := b.asQuantity()
		if !ok || !ok2 || a.kind == boolean || b.kind == boolean {
			return nil, wrong("%s is not between such values", op)
		}
		var alike bool
		c, known, alike = compareQuantities(x, y)
		known = known && alike
	}
	if !known {
		return nil, nil
	}
	return []item{boolItem(op == "<" && c < 0 || op == ">" && c > 0 || op == "<=" && c <= 0 || op == ">=" && c >= 0)}, nil
}

func arithmetic(op string, a, b item) ([]item, error) {
	switch {
	case isNumber(a) && isNumber(b):
		return numbers(op, a, b)
	case op == "+" && a.kind == characters && b.kind == characters && len(a.s)+len(b.s) <= maxText:
		return []item{textItem(a.s + b.s)}, nil
	case isMoment(a) && b.kind == quantity && (op == "+" || op == "-"):
		return shifted(op, a, b)
	}
	x, ok := a.asQuantity()
	y, ok2 := b.asQuantity()
	if !ok || !ok2 {
		return nil, wrong("%s is not between such values", op)
	}
	switch op {
	case "+", "-":
		ux, uy := unitOf(x.unit), unitOf(y.unit)
		if ux.of != uy.of {
			return nil, nil
		}
		other := newRat().Quo(newRat().Mul(y.n.r, uy.factor), ux.factor)
		if op == "-" {
			other.Neg(other)
		}
		x.n = number10{newRat().Add(x.n.r, other), max(x.n.scale, y.n.scale)}
		return []item{x}, nil
	case "*", "/":
		if out, ok := times(x, y, op == "/"); ok {
			return []item{out}, nil
		}
		return nil, nil
	}
	return nil, wrong("%s is not between quantities", op)
}

// shifted adds a duration to a date or time. Only the calendar's words and
// the definite units of UCUM may be added.
func shifted(op string, a, b item) ([]item, error) {
	n := b.n
	if op == "-" {
		n = number10{newRat().Neg(n.r), n.scale}
	}
	u := strings.Trim(b.unit, "'")
	if word := wordOf(u); word != "" {
		u = word
	} else {
		u = map[string]string{"wk": "week", "d": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond"}[u]
	}
	if u == "" {
		return nil, wrong("%s cannot be added to a date or time", b.unit)
	}
	t, ok := a.t.plus(n, u)
	if !ok {
		return nil, nil
	}
	return []item{momentItem(t)}, nil
}

func numbers(op string, a, b item) ([]item, error) {
	out := item{kind: decimal}
	if a.kind == integer && b.kind == integer {
		out.kind = integer
	}
	x, y := a.n, b.n
	switch op {
	case "+":
		out.n = number10{newRat().Add(x.r, y.r), max(x.scale, y.scale)}
	case "-":
		out.n = number10{newRat().Sub(x.r, y.r), max(x.scale, y.scale)}
	case "*":
		out.n = number10{newRat().Mul(x.r, y.r), x.scale + y.scale}
	case "/", "div", "mod":
		if y.r.Sign() == 0 {
			return nil, nil
		}
		q := newRat().Quo(x.r, y.r)
		whole := new(big.Int).Quo(q.Num(), q.Denom())
		switch op {
		case "/":
			out.kind = decimal
			out.n = rounded(q, 8)
		case "div":
			out.kind = integer
			out.n = number10{r: newRat().SetInt(whole)}
		default:
			out.n = number10{newRat().Sub(x.r, newRat().Mul(y.r, newRat().SetInt(whole))), max(x.scale, y.scale)}
		}
	default:
		return nil, wrong("%s is not between numbers", op)
	}
	if out.n.r.Num().BitLen() > 1000 || out.n.r.Denom().BitLen() > 1000 {
		return nil, wrong("a number is too large")
	}
	return []item{out}, nil
}

// rounded cuts a quotient to so many digits, without zeros at its end.
func rounded(r *big.Rat, scale int) number10 {
	s := strings.TrimRight(r.FloatString(scale), "0")
	s = strings.TrimSuffix(s, ".")
	n, ok := parseDecimal(s)
	if !ok {
		return number10{r: r, scale: scale}
	}
	return n
}
