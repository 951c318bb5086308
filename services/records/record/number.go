package record

import (
	"math/big"
	"strconv"
	"strings"
)

// Bounds of a decimal: an exponent of thousands would cost numeric as many
// digits, for every comparison.
const (
	maxDigits   = 60
	maxExponent = 60
)

// decimal is a number as it is written.
type decimal struct {
	value *big.Rat
	// places are the digits behind the point that the writing leaves exact,
	// negative for 1.0e3.
	places int
}

// parseDecimal reads FHIR's decimals, bounded.
func parseDecimal(s string) (decimal, bool) {
	mantissa, exp, e := strings.ToLower(s), 0, false
	if mantissa, s, e = strings.Cut(mantissa, "e"); e {
		n, err := strconv.Atoi(s)
		if err != nil || max(n, -n) > maxExponent {
			return decimal{}, false
		}
		exp = n
	}
	whole, fraction, point := strings.Cut(strings.TrimPrefix(mantissa, "-"), ".")
	if len(mantissa) > maxDigits || !isDigits(whole) || point && !isDigits(fraction) {
		return decimal{}, false
	}
	r, ok := new(big.Rat).SetString(mantissa)
	if !ok {
		return decimal{}, false
	}
	d := decimal{r, len(fraction) - exp}
	if e {
		r.Mul(r, power(exp))
		// 1e2 stands for [95, 105) in the standard's example
		// (https://hl7.org/fhir/R4/search.html#number): as if written 1.0e2.
		if !point {
			d.places++
		}
	}
	return d, true
}

func power(exp int) *big.Rat {
	p := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exp, -exp))), nil))
	if exp < 0 {
		return p.Inv(p)
	}
	return p
}

// rounding returns the half-open range of numbers that round to the digits:
// 5.40 is [5.395, 5.405).
func (d decimal) rounding() (low, high *big.Rat) {
	half := new(big.Rat).Mul(big.NewRat(1, 2), power(-d.places))
	return new(big.Rat).Sub(d.value, half), new(big.Rat).Add(d.value, half)
}

// approximate returns the range of 10 % to both sides.
func (d decimal) approximate() (low, high *big.Rat) {
	tenth := new(big.Rat).Mul(new(big.Rat).Abs(d.value), big.NewRat(1, 10))
	return new(big.Rat).Sub(d.value, tenth), new(big.Rat).Add(d.value, tenth)
}

// precision is how many digits an amount keeps whose fraction never ends,
// such as degrees Fahrenheit in kelvins.
const precision = 40

// plain writes a number without an exponent and without zeros that do not
// change it, so that equal numbers are equal rows.
func plain(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	places, exact := r.FloatPrec()
	if !exact || places > 2*maxDigits {
		places = max(0, precision-(r.Num().BitLen()-r.Denom().BitLen())*3/10)
	}
	return plainNumber(r.FloatString(places))
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// plainNumber drops the zeros that do not change a number. Index rows are
// taken away by value, where 80 and 80.0 are the same row.
func plainNumber(s string) string {
	if strings.IndexByte(s, '.') >= 0 {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}
