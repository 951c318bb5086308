package units_test

import (
	"slices"
	"testing"

	"github.com/yba-health/yba/pkg/units"
)

func key(t *testing.T, s string) units.Key {
	t.Helper()
	k, err := units.ParseKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysReadBackWhatTheyWrite(t *testing.T) {
	for _, s := range []string{"95012@2025-07-01", "00004@", "01@1900-01-01"} {
		if got := key(t, s).String(); got != s {
			t.Errorf("%s became %s", s, got)
		}
	}
	for _, s := range []string{"", "95012", "@2025-07-01", "95012@2025-7-1", "95012@2025-02-30", "9501a@2025-07-01", "1@2025-07-01", "95012@0001-01-01"} {
		if k, err := units.ParseKey(s); err == nil {
			t.Errorf("%q was read as %v", s, k)
		}
	}
}

func TestAUnitIsInForceFromItsFirstToItsLastDay(t *testing.T) {
	old := units.Unit{Key: key(t, "00004@"), To: "2025-06-30"}
	young := units.Unit{Key: key(t, "00004@2025-07-01")}
	for day, want := range map[units.Date][2]bool{
		"1975-01-01": {true, false}, "2025-06-30": {true, false}, "2025-07-01": {false, true}, "2031-01-01": {false, true},
	} {
		if got := [2]bool{old.In(day), young.In(day)}; got != want {
			t.Errorf("on %s in force: %v, want %v", day, got, want)
		}
	}
	if got := units.Date("2025-07-01").Before(); got != "2025-06-30" {
		t.Errorf("the day before 2025-07-01 is %s", got)
	}
}

func TestWhatAUnitHasBecome(t *testing.T) {
	a, b, c, d, e, f := key(t, "00001@"), key(t, "00002@"), key(t, "00001@2025-07-01"), key(t, "00003@2025-07-01"), key(t, "00001@2030-01-01"), key(t, "00009@")
	l := units.NewLineage([]units.Succession{
		{Old: a, New: c, Extent: units.Full},
		{Old: b, New: c, Extent: units.Partial},
		{Old: b, New: d, Extent: units.Partial},
		{Old: c, New: e, Extent: units.Full},
		{Old: d, New: e, Extent: units.Full},
	})
	for name, x := range map[string]struct {
		of    units.Key
		want  []units.Key
		whole bool
	}{
		"whole twice":                   {a, []units.Key{e}, true},
		"divided, then joined again":    {b, []units.Key{e}, true},
		"still in force":                {e, []units.Key{e}, true},
		"unknown to every reform":       {f, []units.Key{f}, true},
		"same code, another unit":       {c, []units.Key{e}, true},
		"same code but another journey": {d, []units.Key{e}, true},
	} {
		if got := l.Today(x.of); !slices.Equal(got.Units, x.want) || got.Whole != x.whole {
			t.Errorf("%s: %v became %+v", name, x.of, got)
		}
	}
	l = units.NewLineage([]units.Succession{
		{Old: b, New: c, Extent: units.Partial},
		{Old: b, New: d, Extent: units.Partial},
		{Old: a, New: c, Extent: units.Partial},
	})
	if got := l.Today(b); !slices.Equal(got.Units, []units.Key{c, d}) || got.Whole {
		t.Errorf("a divided unit became %+v, want both parts and not whole", got)
	}
	if got := l.Today(a); !slices.Equal(got.Units, []units.Key{c}) || got.Whole {
		t.Errorf("a unit of which one part is known became %+v, want not whole", got)
	}
}

func TestOnlyWholePredecessorsLieWithin(t *testing.T) {
	a, b, c, e := key(t, "00001@"), key(t, "00002@"), key(t, "00001@2025-07-01"), key(t, "00001@2030-01-01")
	l := units.NewLineage([]units.Succession{
		{Old: a, New: c, Extent: units.Full}, {Old: b, New: c, Extent: units.Partial}, {Old: c, New: e, Extent: units.Full},
	})
	if got := l.Within(e); !slices.Equal(got, []units.Key{a, c}) {
		t.Errorf("within %v lie %v", e, got)
	}
	if got := l.Within(a); len(got) != 0 {
		t.Errorf("within the oldest lie %v", got)
	}
}

func TestALoopEnds(t *testing.T) {
	a, b := key(t, "00001@"), key(t, "00002@")
	l := units.NewLineage([]units.Succession{{Old: a, New: b, Extent: units.Full}, {Old: b, New: a, Extent: units.Full}})
	if got := l.Today(a); len(got.Units) != 0 {
		t.Errorf("a loop has an end: %v", got)
	}
	if got := l.Within(a); !slices.Equal(got, []units.Key{b}) {
		t.Errorf("within a loop lie %v", got)
	}
}
