package geography

import "testing"

// Codes as in the reform of 1 July 2025: the new commune 00004 carries the
// code of one of the old communes it was made of.
func reform() *Book {
	const old, eve, now = "2004-01-01", "2025-06-30", "2025-07-01"
	unit := func(code, level, parent, from, to string) Unit {
		return Unit{Code: code, Level: level, Name: code, Parent: parent, From: from, To: to}
	}
	return NewBook([]Unit{
		unit("54", "province", "", old, eve), unit("66", "province", "", old, ""),
		unit("555", "district", "54", old, eve),
		unit("00004", "commune", "555", old, eve), unit("00013", "commune", "555", old, eve),
		unit("00016", "commune", "555", old, eve), unit("00020", "commune", "555", old, eve),
		unit("00004", "commune", "66", now, ""), unit("00016", "commune", "66", now, ""), unit("00020", "commune", "66", now, ""),
		unit("00031", "commune", "555", "", eve), unit("00031", "commune", "66", now, ""),
		unit("h1", "hamlet", "00016", old, eve), unit("h1", "hamlet", "00004", now, ""),
		unit("h2", "hamlet", "00013", old, eve),
	}, []Succession{
		{"00004@" + old, "00004@" + now, true},
		{"00013@" + old, "00004@" + now, true},
		{"00016@" + old, "00004@" + now, false},
		{"00016@" + old, "00016@" + now, false},
		{"00020@" + old, "00020@" + now, true},
		{"00031@", "00004@" + now, true},
		{"h1@" + old, "h1@" + now, true},
	})
}

func TestPlaceFollowsPeopleAndNeverGuesses(t *testing.T) {
	const today, before = "2026-11-21", "2025-06-30"
	for name, c := range map[string]struct{ commune, hamlet, day, want string }{
		"new commune today":                              {"00004@2025-07-01", "", today, "00004@2025-07-01"},
		"whole old commune moves on":                     {"00013@2004-01-01", "", today, "00004@2025-07-01"},
		"same code, other area: the old one moves on":    {"00004@2004-01-01", "", today, "00004@2025-07-01"},
		"split commune without hamlet is not known":      {"00016@2004-01-01", "", today, ""},
		"split commune with hamlet":                      {"00016@2004-01-01", "h1@2004-01-01", today, "00004@2025-07-01"},
		"hamlet of an old whole commune":                 {"", "h2@2004-01-01", today, "00004@2025-07-01"},
		"old commune in the old geography":               {"00013@2004-01-01", "", before, "00013@2004-01-01"},
		"new commune of several is not an old one":       {"00004@2025-07-01", "", before, ""},
		"though one of them has the same code":           {"00016@2025-07-01", "", before, ""},
		"new commune, old hamlet tells":                  {"00004@2025-07-01", "h2@2004-01-01", before, "00013@2004-01-01"},
		"new commune, hamlet that succeeded an old one":  {"00004@2025-07-01", "h1@2025-07-01", before, "00016@2004-01-01"},
		"commune that only changed its number goes back": {"00020@2025-07-01", "", before, "00020@2004-01-01"},
		"a code without a date is the old unit":          {"00031@", "", today, "00004@2025-07-01"},
		"and the old unit it stays before":               {"00031@", "", before, "00031@"},
		"a code without a date is never the new unit":    {"00004@", "", today, ""},
		"unknown unit": {"99999@2025-07-01", "", today, ""},
		"no address":   {"", "", today, ""},
	} {
		got, ok := reform().Place(c.commune, c.hamlet, c.day)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestOldCommunesBelongToTheProvinceThatTookThemOver(t *testing.T) {
	b := reform()
	if got := b.Communes("66", "2025-06-30"); len(got) != 5 {
		t.Errorf("old communes of today's province 66: %v, want 5", got)
	}
	if got := b.Communes("66", "2026-01-01"); len(got) != 4 {
		t.Errorf("new communes: %v, want 4", got)
	}
	if got := b.Communes("54", "2025-06-30"); len(got) != 0 {
		t.Errorf("the merged province still has %v", got)
	}
}

func TestRingOfSuccessionsEnds(t *testing.T) {
	b := NewBook([]Unit{{Code: "1", Level: "commune", From: "2000-01-01", To: "2000-12-31"}},
		[]Succession{{"1@2000-01-01", "1@2000-01-01", true}})
	if _, ok := b.Place("1@2000-01-01", "", "2026-01-01"); ok {
		t.Error("a ring led somewhere")
	}
}
