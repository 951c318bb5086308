package ucum_test

import (
	"math/big"
	"testing"

	"github.com/yba-health/yba/pkg/ucum"
)

func canonical(t *testing.T, value, code string) (string, *big.Rat) {
	t.Helper()
	u, err := ucum.Parse(code)
	if err != nil {
		t.Fatalf("%s: %v", code, err)
	}
	v, ok := new(big.Rat).SetString(value)
	if !ok {
		t.Fatal(value)
	}
	return u.Base, u.Canonical(v)
}

func TestEqualQuantitiesInOtherUnitsAreEqual(t *testing.T) {
	for _, tt := range []struct{ a, unitA, b, unitB string }{
		{"1", "kg", "1000", "g"},
		{"1", "[lb_av]", "0.45359237", "kg"},
		{"180", "cm", "1.8", "m"},
		{"6", "[ft_i]", "72", "[in_i]"},
		{"37", "Cel", "98.6", "[degF]"},
		{"310.15", "K", "37", "Cel"},
		{"36500", "mCel", "36.5", "Cel"},
		{"60", "/min", "1", "/s"},
		{"60", "{beats}/min", "60", "1/min"},
		{"1", "mm[Hg]", "133.322", "Pa"},
		{"120", "mm[Hg]", "15.99864", "kPa"},
		{"5", "10*9/L", "5000", "/uL"},
		{"5", "10*3/uL", "5", "10^9/L"},
		{"1", "mL/min/{1.73_m2}", "1", "mL/min"},
		{"95", "%", "0.95", "1"},
		{"1", "mg/dL", "0.01", "g/L"},
		{"1", "mmol/L", "1000", "umol/L"},
		{"1", "kg/m2", "0.1", "g/cm2"},
		{"1", "a", "365.25", "d"},
		{"1", "wk", "7", "d"},
		{"1", "[iU]/L", "1", "[IU]/L"},
		{"1", "m[H2O]", "9.80665", "kPa"},
		{"1", "dB", "0.1", "B"},
		{"1", "Cel/min", "1", "K/min"},
		{"4", "m/(s.s)", "4", "m.s-2"},
		{"1", "dar", "10", "m2"},
		{"1", "[degRe]", "274.4", "K"},
	} {
		baseA, a := canonical(t, tt.a, tt.unitA)
		baseB, b := canonical(t, tt.b, tt.unitB)
		if baseA != baseB || a.Cmp(b) != 0 {
			t.Errorf("%s %s is %s %s, but %s %s is %s %s", tt.a, tt.unitA, a.FloatString(9), baseA, tt.b, tt.unitB, b.FloatString(9), baseB)
		}
	}
}

func TestWhatIsOfAnotherDimensionIsNotCompared(t *testing.T) {
	for _, tt := range [][2]string{
		{"mmol/L", "mg/dL"}, {"mmol/L", "/L"}, {"[iU]", "mg"}, {"[pH]", "mol/L"}, {"B", "1"}, {"B[SPL]", "Pa"}, {"cm", "cm2"}, {"[arb'U]", "[USP'U]"},
	} {
		a, _ := canonical(t, "1", tt[0])
		b, _ := canonical(t, "1", tt[1])
		if a == b {
			t.Errorf("%s and %s are both %s", tt[0], tt[1], a)
		}
	}
}

func TestWhatIsNoUnitIsRefused(t *testing.T) {
	for _, code := range []string{"", "mmHg", "beats/min", "k[lb_av]", "mg//dL", "mg/", "(mg", "mg)", "{x", "m 2", "0", "°C", "10*99.10*99999", "((((((((((((((m))))))))))))))", "m99.m-100"} {
		if u, err := ucum.Parse(code); err == nil {
			t.Errorf("%q is %s", code, u.Base)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"mg/dL", "10*9/L", "{a}/min", "m[H2O].[in_i]/m", "(m.s-2)2", "%", "10*-99", "mCel"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, code string) {
		u, err := ucum.Parse(code)
		if err != nil {
			return
		}
		if u.Factor.Sign() <= 0 || u.Base == "" {
			t.Errorf("%q: %s × %s", code, u.Factor, u.Base)
		}
	})
}
