// Package geography tells which commune an address belongs to on a date. The
// key of a unit is its code and the day it came into force,
// "95012@2025-07-01": of the 3,321 communes of 2025, 3,316 carry the code of
// an old one.
package geography

import (
	"slices"
	"strings"
)

// Unit is an administrative unit.
type Unit struct {
	Code, Level, Name, Parent string
	// From and To are days; an empty To is still in force.
	From, To string
}

// Key is the unit's key.
func (u Unit) Key() string { return u.Code + "@" + u.From }

// In reports whether the unit is in force on a day.
func (u Unit) In(day string) bool { return u.From <= day && (u.To == "" || day <= u.To) }

// Succession says that one unit became, wholly or in part, part of another.
type Succession struct {
	Old, New string
	Full     bool
}

// Book holds units of all times and what became of them. It does not change
// once made.
type Book struct {
	units      map[string]Unit
	byCode     map[string][]Unit
	successors map[string][]Succession
	origins    map[string][]Succession
}

// NewBook makes a book; a unit given twice counts once.
func NewBook(units []Unit, successions []Succession) *Book {
	b := &Book{
		units: map[string]Unit{}, byCode: map[string][]Unit{},
		successors: map[string][]Succession{}, origins: map[string][]Succession{},
	}
	for _, u := range units {
		if _, ok := b.units[u.Key()]; !ok {
			b.units[u.Key()] = u
			b.byCode[u.Code] = append(b.byCode[u.Code], u)
		}
	}
	for _, s := range successions {
		b.successors[s.Old] = append(b.successors[s.Old], s)
		b.origins[s.New] = append(b.origins[s.New], s)
	}
	return b
}

// Unit returns the unit with a key.
func (b *Book) Unit(key string) (Unit, bool) {
	u, ok := b.units[key]
	return u, ok
}

// at returns the unit that carries a code on a day.
func (b *Book) at(code, day string) (Unit, bool) {
	for _, u := range b.byCode[code] {
		if u.In(day) {
			return u, true
		}
	}
	return Unit{}, false
}

// parent returns the unit above u at the time u was in force.
func (b *Book) parent(u Unit) (Unit, bool) {
	if u.Parent == "" {
		return Unit{}, false
	}
	// A key names its unit; a bare code means the one of u's own time.
	if strings.Contains(u.Parent, "@") {
		return b.Unit(u.Parent)
	}
	// The last day is surely within; the first may be unknown.
	day := u.To
	if day == "" {
		day = "9999-12-31"
	}
	return b.at(u.Parent, day)
}

// Communes returns the communes in force on a day within a province (all when
// the code is empty), by code. A commune of an earlier geography is within
// the province if today's province took it over.
func (b *Book) Communes(province, day string) []Unit {
	var out []Unit
	for _, u := range b.units {
		if u.Level == "commune" && u.In(day) && b.Within(u, province) {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(x, y Unit) int { return strings.Compare(x.Key(), y.Key()) })
	return out
}

// Within reports whether a unit lies in what is today the province.
func (b *Book) Within(u Unit, province string) bool {
	if province == "" {
		return true
	}
	for _, s := range b.successors[u.Key()] {
		if next, ok := b.units[s.New]; ok && next.Key() != u.Key() && next.From > u.From && b.Within(next, province) {
			return true
		}
	}
	if len(b.successors[u.Key()]) > 0 {
		return false
	}
	for range 4 {
		if u.Level == "province" {
			return u.Code == province
		}
		above, ok := b.parent(u)
		if !ok {
			return u.Parent == province
		}
		u = above
	}
	return false
}

// ProvinceOn returns the key of the province with a code on a day, provided
// that today's province of that code is the same unit: a merged province has
// the old code and other people.
func (b *Book) ProvinceOn(code, day string) (string, bool) {
	u, ok := b.at(code, day)
	if !ok || u.Level != "province" || u.To != "" {
		return "", false
	}
	return u.Key(), true
}
