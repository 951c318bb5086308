package fhirpath

import (
	"math/big"
	"strings"
)

// unit is what a unit of UCUM measures, and by which factor it does so in the
// base unit of that.
type unit struct {
	of     string
	factor *big.Rat
}

// unitOf knows the units that clinical expressions compare; others are
// comparable with themselves only (https://ucum.org).
func unitOf(code string) unit {
	if word := wordOf(code); word != "" {
		code = map[string]string{"week": "'wk'", "day": "'d'", "hour": "'h'", "minute": "'min'", "second": "'s'", "millisecond": "'ms'"}[word]
		if code == "" {
			return unit{word, big.NewRat(1, 1)} // a year of the calendar has no fixed length
		}
	}
	code = strings.Trim(code, "'")
	for _, u := range []struct {
		code, of string
		num, den int64
	}{
		{"wk", "time", 604_800, 1},
		{"d", "time", 86_400, 1},
		{"h", "time", 3600, 1},
		{"min", "time", 60, 1},
		{"s", "time", 1, 1},
		{"ms", "time", 1, 1000},
		{"kg", "mass", 1000, 1},
		{"g", "mass", 1, 1},
		{"mg", "mass", 1, 1000},
		{"ug", "mass", 1, 1_000_000},
		{"[lb_av]", "mass", 45_359_237, 100_000},
		{"lbs", "mass", 45_359_237, 100_000},
		{"km", "length", 1000, 1},
		{"m", "length", 1, 1},
		{"cm", "length", 1, 100},
		{"mm", "length", 1, 1000},
		{"[in_i]", "length", 254, 10_000},
		{"m2", "area", 1, 1},
		{"cm2", "area", 1, 10_000},
		{"L", "volume", 1, 1},
		{"l", "volume", 1, 1},
		{"dL", "volume", 1, 10},
		{"mL", "volume", 1, 1000},
		{"ml", "volume", 1, 1000},
		{"1", "one", 1, 1},
		{"%", "one", 1, 100},
	} {
		if u.code == code {
			return unit{u.of, big.NewRat(u.num, u.den)}
		}
	}
	return unit{code, big.NewRat(1, 1)}
}

// compareQuantities orders two quantities. alike is false for different
// measures; known is false for a year of the calendar against one of UCUM.
func compareQuantities(a, b item) (order int, known, alike bool) {
	x, y := unitOf(a.unit), unitOf(b.unit)
	if x.of != y.of {
		calendar := map[string]string{"year": "a", "month": "mo", "a": "year", "mo": "month"}
		return 0, calendar[x.of] != y.of, false
	}
	return new(big.Rat).Mul(a.n.r, x.factor).Cmp(new(big.Rat).Mul(b.n.r, y.factor)), true, true
}

func equivalentQuantities(a, b item) bool {
	x, y := unitOf(a.unit), unitOf(b.unit)
	if x.of != y.of {
		return false
	}
	// Compared in the coarser unit with the digits of the less exact value.
	if x.factor.Cmp(y.factor) < 0 {
		a, b, x, y = b, a, y, x
	}
	inA := new(big.Rat).Quo(new(big.Rat).Mul(b.n.r, y.factor), x.factor)
	return a.n.r.FloatString(a.n.scale) == inA.FloatString(a.n.scale)
}

// times multiplies or divides two quantities whose units can be combined.
func times(a, b item, divide bool) (item, bool) {
	x, y := unitOf(a.unit), unitOf(b.unit)
	if divide && b.n.r.Sign() == 0 {
		return item{}, false
	}
	scaledA, scaledB := new(big.Rat).Mul(a.n.r, x.factor), new(big.Rat).Mul(b.n.r, y.factor)
	out := item{kind: quantity}
	if divide {
		out.n = number10{new(big.Rat).Quo(scaledA, scaledB), 8}
	} else {
		out.n = number10{new(big.Rat).Mul(scaledA, scaledB), a.n.scale + b.n.scale}
	}
	base := map[string]string{"time": "s", "mass": "g", "length": "m", "area": "m2", "volume": "L", "one": "1"}
	bx, by := base[x.of], base[y.of]
	switch {
	case bx == "" || by == "":
		return item{}, false
	case by == "1":
		out.unit = bx
	case divide && bx == by:
		out.unit = "1"
	case divide:
		out.unit = bx + "/" + by
	case bx == "1":
		out.unit = by
	case bx == "m" && by == "m":
		out.unit = "m2"
	default:
		out.unit = bx + "." + by
	}
	out.unit = "'" + out.unit + "'"
	return out, true
}

// parseQuantity reads a quantity as toQuantity does: 1, 1 day, 1 'mg'.
func parseQuantity(s string) (item, bool) {
	value, u, has := strings.Cut(s, " ")
	n, ok := parseDecimal(value)
	if !ok || value[0] == '.' || strings.HasSuffix(value, ".") || strings.ContainsAny(value, "eE") {
		return item{}, false
	}
	u = strings.TrimSpace(u)
	switch {
	case !has:
		u = "'1'"
	case wordOf(u) != "":
		u = wordOf(u)
	case len(u) < 3 || u[0] != '\'' || u[len(u)-1] != '\'':
		return item{}, false
	}
	return item{kind: quantity, n: n, unit: u}, true
}
