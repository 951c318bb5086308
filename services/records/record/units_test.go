package record

import (
	"math/big"
	"testing"

	"github.com/yba-health/yba/pkg/ucum"
)

func TestAmountsAreTheSameWithAndWithoutFractions(t *testing.T) {
	for _, code := range []string{"g", "mg", "mg/dL", "mm[Hg]", "kg/m2", "10*9/L", "cm", "km", "%", "/min", "ug", "[lb_av]", "Cel", "ng/mL", "10*-12"} {
		u, err := ucum.Parse(code)
		if err != nil {
			t.Fatal(err)
		}
		m := newMeasured(u)
		for _, v := range []string{"0", "1", "-1", "5.4", "-0.005", "120", "99.9999999", "123456789", "1234567890123456", "0.00000001", "100"} {
			r, ok := new(big.Rat).SetString(v)
			if !ok {
				t.Fatal(v)
			}
			if got, want := m.amount(v), plain(u.Canonical(r)); got != want {
				t.Errorf("%s %s is %s, not %s", v, code, got, want)
			}
		}
	}
}

func TestDecimalsLeaveOpenWhatTheirDigitsDo(t *testing.T) {
	for s, want := range map[string][3]string{
		"100": {"99.5", "100", "100.5"}, "100.00": {"99.995", "100", "100.005"}, "1e2": {"95", "100", "105"}, "1.0e2": {"95", "100", "105"},
		"-5.4": {"-5.45", "-5.4", "-5.35"}, "1.50E-2": {"0.01495", "0.015", "0.01505"}, "0": {"-0.5", "0", "0.5"}, "5.40e3": {"5395", "5400", "5405"},
	} {
		d, ok := parseDecimal(s)
		if !ok {
			t.Errorf("%s is refused", s)
			continue
		}
		low, high := d.rounding()
		if got := [3]string{plain(low), plain(d.value), plain(high)}; got != want {
			t.Errorf("%s is %v, not %v", s, got, want)
		}
	}
	for _, s := range []string{"", "-", "+1", "1.", ".5", "1e", "1e400", "1e-400", "0x10", "1_000", "NaN", "1/2", "--1", "1e1e1"} {
		if d, ok := parseDecimal(s); ok {
			t.Errorf("%q is %s", s, d.value)
		}
	}
}

func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"5.40", "-1e3", "1.0E-60", "00.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := parseDecimal(s)
		if !ok {
			return
		}
		again, ok := parseDecimal(plain(d.value))
		if ok && again.value.Cmp(d.value) != 0 {
			t.Errorf("%s is written %s", s, plain(d.value))
		}
	})
}
