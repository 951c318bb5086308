package patch

import (
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fhir"
)

// equal compares as RFC 6902 section 4.6 says: objects in any order, numbers
// by their value.
func equal(n *node, v fhir.Value) (bool, error) {
	a, err := fhir.Parse(n.write(nil))
	if err != nil {
		return false, err
	}
	return same(a.Root(), v), nil
}

func same(a, b fhir.Value) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case fhir.Object:
		count := 0
		for name, m := range a.Members() {
			count++
			if !same(m, b.Get(name)) {
				return false
			}
		}
		for range b.Members() {
			count--
		}
		return count == 0
	case fhir.Array:
		i := 0
		for item := range a.Items() {
			if !same(item, b.Index(i)) {
				return false
			}
			i++
		}
		return !b.Index(i).Exists()
	case fhir.Number:
		return normal(string(a.Raw())) == normal(string(b.Raw()))
	default:
		return a.Text() == b.Text()
	}
}

// number is a JSON number's sign, digits without zeros at their ends, and the
// power of ten of the last one. It costs no more than the text is long,
// however large the exponent.
type number struct {
	negative bool
	digits   string
	exponent string
}

func normal(raw string) number {
	n := number{negative: raw[0] == '-'}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(raw, "-")), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	all := strings.TrimRight(whole+fraction, "0")
	n.digits = strings.TrimLeft(all, "0")
	if n.digits == "" {
		return number{} // zero, also the negative one
	}
	shift := len(whole) - len(all)
	if exponent == "" {
		exponent = "0"
	}
	e, err := strconv.ParseInt(exponent, 10, 64)
	if err != nil || e > 1<<60 || e < -1<<60 {
		n.exponent = exponent + " " + strconv.Itoa(shift) // too large to add; equal only as written
		return n
	}
	n.exponent = strconv.FormatInt(e+int64(shift), 10)
	return n
}
