package fhirpath

import (
	"math/big"
	"strings"
)

// conversions are toInteger and its like, each with its convertsTo
// (https://hl7.org/fhirpath/N1/#conversion).
func conversions() map[string]function {
	out := map[string]function{}
	for name, convert := range map[string]func(item) (item, bool){
		"Boolean": toBoolean, "Integer": toInteger, "Decimal": toDecimal, "String": toString,
		"Date": toMoment(date), "DateTime": toMoment(dateTime), "Time": toMoment(clock),
	} {
		out["to"+name] = function{run: func(c *calling) ([]item, error) {
			i, ok, err := c.single()
			if err != nil || !ok {
				return nil, err
			}
			if i, ok = convert(i); !ok {
				return nil, nil
			}
			return one(i)
		}}
		out["convertsTo"+name] = function{run: func(c *calling) ([]item, error) {
			i, ok, err := c.single()
			if err != nil || !ok {
				return nil, err
			}
			_, ok = convert(i)
			return is(ok)
		}}
	}
	out["toQuantity"] = function{max: 1, run: func(c *calling) ([]item, error) {
		i, ok, err := c.single()
		if err != nil || !ok {
			return nil, err
		}
		if i, ok = toQuantity(i); !ok {
			return nil, nil
		}
		return one(i)
	}}
	out["convertsToQuantity"] = function{max: 1, run: func(c *calling) ([]item, error) {
		i, ok, err := c.single()
		if err != nil || !ok {
			return nil, err
		}
		_, ok = toQuantity(i)
		return is(ok)
	}}
	return out
}

func toBoolean(i item) (item, bool) {
	switch i.kind {
	case boolean:
		return boolItem(i.b), true
	case integer, decimal:
		if i.n.r.Cmp(big.NewRat(1, 1)) == 0 || i.n.r.Sign() == 0 {
			return boolItem(i.n.r.Sign() != 0), true
		}
	case characters:
		switch strings.ToLower(i.s) {
		case "true", "t", "yes", "y", "1", "1.0":
			return boolItem(true), true
		case "false", "f", "no", "n", "0", "0.0":
			return boolItem(false), true
		}
	default: // cannot be converted
	}
	return i, false
}

func toInteger(i item) (item, bool) {
	switch i.kind {
	case integer:
		return item{kind: integer, n: i.n}, true
	case boolean:
		return intItem(map[bool]int{true: 1}[i.b]), true
	case characters:
		digits := strings.TrimLeft(i.s, "+-")
		if n, ok := parseDecimal(i.s); ok && len(i.s)-len(digits) < 2 && strings.Trim(digits, "0123456789") == "" {
			return item{kind: integer, n: n}, n.r.Num().IsInt64()
		}
	default: // cannot be converted
	}
	return i, false
}

func toDecimal(i item) (item, bool) {
	switch i.kind {
	case integer, decimal:
		return item{kind: decimal, n: i.n}, true
	case boolean:
		n, ok := parseDecimal(map[bool]string{true: "1.0", false: "0.0"}[i.b])
		return item{kind: decimal, n: n}, ok
	case characters:
		n, ok := parseDecimal(i.s)
		bad := strings.ContainsAny(i.s, "eE") || strings.HasPrefix(i.s, ".") || strings.HasSuffix(i.s, ".")
		return item{kind: decimal, n: n}, ok && !bad
	default: // cannot be converted
	}
	return i, false
}

func toString(i item) (item, bool) {
	if i.kind == object {
		q, ok := i.asQuantity()
		return textItem(q.n.text() + " " + q.unit), ok
	}
	return textItem(i.String()), true
}

// text is how the number is written, "" without one.
func (n number10) text() string {
	if n.r == nil {
		return ""
	}
	return n.String()
}

// toMoment reads strings, and takes a dateTime's date.
func toMoment(want kind) func(item) (item, bool) {
	return func(i item) (item, bool) {
		t := i.t
		switch {
		case i.kind == characters:
			s := i.s
			if want == clock && !strings.HasPrefix(s, "T") {
				s = "T" + s
			}
			var ok bool
			if t, ok = parseMoment(s, false); !ok || (t.kind == clock) != (want == clock) {
				return i, false
			}
			if want == date && t.kind != date {
				return i, false
			}
		case !isMoment(i) || (i.kind == clock) != (want == clock):
			return i, false
		}
		if want == date {
			t.known, t.zoned, t.zone, t.millis = min(t.known, partDay), false, 0, false
			t.part[3], t.part[4], t.part[5] = 0, 0, 0
		}
		t.kind = want
		return momentItem(t), true
	}
}

func toQuantity(i item) (item, bool) {
	switch i.kind {
	case boolean:
		n, ok := parseDecimal(map[bool]string{true: "1.0", false: "0.0"}[i.b])
		return item{kind: quantity, n: n, unit: "'1'"}, ok
	case characters:
		return parseQuantity(i.s)
	default:
		return i.asQuantity()
	}
}
