package record

import (
	"math/big"
	"strings"
)

// decimalRange returns the half-open range of numbers that round to the
// digits of s: 5.40 is [5.395, 5.405).
func decimalRange(s string) (low, high string, ok bool) {
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if len(s) > 40 || !isDigits(whole) || point && !isDigits(fraction) {
		return "", "", false
	}
	n, ok := new(big.Rat).SetString(s)
	if !ok {
		return "", "", false
	}
	half := new(big.Rat).SetFrac(big.NewInt(5), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(fraction)+1)), nil))
	places := len(fraction) + 1
	return new(big.Rat).Sub(n, half).FloatString(places), new(big.Rat).Add(n, half).FloatString(places), true
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
