package fhirpath

import (
	"math/big"
	"strconv"
	"strings"
)

// Node is an element of a resource.
type Node interface {
	// Type is its type of FHIR; that of a backbone element is its path.
	Type() string
	// Children returns the named elements, "" all of them.
	Children(name string) []Node
	// Value is how a primitive element's value is written.
	Value() (string, bool)
	// JSON is how it is written.
	JSON() string
	// Equal reports whether another element says the same.
	Equal(other Node) bool
}

type kind uint8

const (
	object kind = iota
	boolean
	integer
	decimal
	characters
	date
	dateTime
	clock
	quantity
)

var systemTypes = map[kind]string{
	boolean: "Boolean", integer: "Integer", decimal: "Decimal", characters: "String",
	date: "Date", dateTime: "DateTime", clock: "Time", quantity: "Quantity",
}

// item is one item of a collection: an element, or a value of FHIRPath.
type item struct {
	kind kind
	node Node // nil for a value that stands in no resource
	b    bool
	n    number10
	s    string
	t    instant
	unit string // of a quantity: a word, or UCUM in quotes
}

// number10 is a decimal number: exact, with the digits it was written with.
type number10 struct {
	r     *big.Rat
	scale int
}

func boolItem(b bool) item      { return item{kind: boolean, b: b} }
func textItem(s string) item    { return item{kind: characters, s: s} }
func intItem(n int) item        { return item{kind: integer, n: number10{r: big.NewRat(int64(n), 1)}} }
func momentItem(t instant) item { return item{kind: t.kind, t: t} }

// parseDecimal reads a number whose size cannot be used to fill the memory.
func parseDecimal(s string) (number10, bool) {
	if len(s) > 100 || s == "" || strings.ContainsAny(s, "/_xXpP") {
		return number10{}, false
	}
	mantissa, exponent, has := strings.Cut(strings.ToLower(s), "e")
	power := 0
	if has {
		var err error
		if power, err = strconv.Atoi(exponent); err != nil || power > 100 || power < -100 {
			return number10{}, false
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return number10{}, false
	}
	_, fraction, _ := strings.Cut(mantissa, ".")
	return number10{r, max(len(fraction)-power, 0)}, true
}

func (n number10) String() string { return n.r.FloatString(n.scale) }

// fromNode reads a primitive element's value.
func fromNode(n Node) item {
	i := item{node: n}
	s, ok := n.Value()
	if !ok {
		return i
	}
	switch n.Type() {
	case "boolean":
		i.kind, i.b = boolean, s == "true"
	case "integer", "positiveInt", "unsignedInt":
		if i.n, ok = parseDecimal(s); ok {
			i.kind = integer
		}
	case "decimal":
		if i.n, ok = parseDecimal(s); ok {
			i.kind = decimal
		}
	case "date", "dateTime", "instant":
		if i.t, ok = parseMoment(s, false); ok {
			if i.kind = date; n.Type() != "date" {
				i.kind, i.t.kind = dateTime, dateTime
			}
		}
	case "time":
		if i.t, ok = parseMoment("T"+s, false); ok {
			i.kind = clock
		}
	default:
		i.kind, i.s = characters, s
	}
	return i
}

func fromNodes(list []Node) []item {
	out := make([]item, len(list))
	for i, n := range list {
		out[i] = fromNode(n)
	}
	return out
}

// asQuantity reads an element of a quantity's type, or a number.
func (i item) asQuantity() (item, bool) {
	switch {
	case i.kind == quantity:
		return i, true
	case i.kind == integer || i.kind == decimal:
		return item{kind: quantity, n: i.n, unit: "'1'"}, true
	case i.kind != object || i.node == nil:
		return i, false
	}
	value := first(i.node.Children("value"))
	if value.kind != decimal {
		return i, false
	}
	q := item{kind: quantity, n: value.n, unit: "'1'"}
	if code := first(i.node.Children("code")); code.kind == characters {
		q.unit = "'" + code.s + "'"
	} else if unit := first(i.node.Children("unit")); unit.kind == characters {
		q.unit = "'" + unit.s + "'"
	}
	return q, true
}

func first(list []Node) item {
	if len(list) == 0 {
		return item{}
	}
	return fromNode(list[0])
}

// typeName is the name of an item's type.
func (i item) typeName() string {
	if i.node != nil {
		return i.node.Type()
	}
	return systemTypes[i.kind]
}

// String is how FHIRPath writes the item.
func (i item) String() string {
	switch i.kind {
	case boolean:
		return strconv.FormatBool(i.b)
	case integer, decimal:
		return i.n.String()
	case characters:
		return i.s
	case date, dateTime, clock:
		return i.t.String()
	case quantity:
		return i.n.String() + " " + i.unit
	default:
		return i.node.JSON()
	}
}

func isNumber(i item) bool { return i.kind == integer || i.kind == decimal }
func isMoment(i item) bool { return i.kind == date || i.kind == dateTime || i.kind == clock }

// equal compares two items; known is false where FHIRPath leaves it open
// (https://hl7.org/fhirpath/N1/#equals).
func equal(a, b item) (same, known bool) {
	switch {
	case isNumber(a) && isNumber(b):
		return a.n.r.Cmp(b.n.r) == 0, true
	case isMoment(a) && isMoment(b):
		if (a.kind == clock) != (b.kind == clock) {
			return false, true
		}
		c, known := compareMoments(a.t, b.t)
		return c == 0, known
	case a.kind == boolean && b.kind == boolean:
		return a.b == b.b, true
	case a.kind == characters && b.kind == characters:
		return a.s == b.s, true
	case a.kind == quantity || b.kind == quantity:
		x, ok := a.asQuantity()
		y, ok2 := b.asQuantity()
		if !ok || !ok2 {
			return false, true
		}
		c, known, alike := compareQuantities(x, y)
		return c == 0 && alike, known
	case a.kind == object && b.kind == object:
		return a.node.Equal(b.node), true
	}
	return false, true
}

// equivalent compares loosely (https://hl7.org/fhirpath/N1/#equivalent).
func equivalent(a, b item) bool {
	switch {
	case isNumber(a) && isNumber(b):
		scale := min(a.n.scale, b.n.scale)
		return a.n.r.FloatString(scale) == b.n.r.FloatString(scale)
	case isMoment(a) && isMoment(b):
		c, known := compareMoments(a.t, b.t)
		return known && c == 0 && (a.kind == clock) == (b.kind == clock)
	case a.kind == characters && b.kind == characters:
		return plain(a.s) == plain(b.s)
	case a.kind == quantity || b.kind == quantity:
		x, ok := a.asQuantity()
		y, ok2 := b.asQuantity()
		return ok && ok2 && equivalentQuantities(x, y)
	}
	same, _ := equal(a, b)
	return same
}

// plain is how strings are compared loosely: without case, blanks alike.
func plain(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
