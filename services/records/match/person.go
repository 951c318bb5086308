package match

import (
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/vitext"
	"github.com/yba-health/yba/services/records/record"
)

// Person is what is compared of a Patient.
type Person struct {
	names   []name
	birth   birth
	sex     string
	numbers numbers
	phones  []string
	commune string
	lines   []string
}

// birth is a date of birth; month and day are 0 where only the year is known.
type birth struct{ year, month, day int }

// Of reads a Patient. What a record leaves out its citizen number may tell.
func Of(patient fhir.Value) *Person {
	p := &Person{names: namesOf(patient), numbers: numbersOf(patient), commune: record.Commune(patient)}
	p.birth = birthOf(patient.Get("birthDate").Str())
	if s := patient.Get("gender").Str(); s == "male" || s == "female" {
		p.sex = s
	}
	if len(p.numbers.citizen) == 1 {
		year, sex := citizenFacts(p.numbers.citizen[0])
		if p.birth.year == 0 {
			p.birth.year = year
		}
		if p.sex == "" {
			p.sex = sex
		}
	}
	for t := range patient.Get("telecom").Items() {
		if v := phone(t.Get("value").Str()); v != "" && t.Get("system").Str() != "email" {
			p.phones = append(p.phones, v)
		}
	}
	for l := range patient.Get("address").Index(0).Get("line").Items() {
		if s := vitext.Fold(l.Str()); s != "" {
			p.lines = append(p.lines, s)
		}
	}
	return p
}

// birthOf reads a date. The first of January is what registers write when
// they know only the year.
func birthOf(s string) birth {
	for _, layout := range []string{time.DateOnly, "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			b := birth{year: t.Year()}
			if layout == time.DateOnly && (t.Month() != 1 || t.Day() != 1) {
				b.month, b.day = int(t.Month()), t.Day()
			}
			return b
		}
	}
	return birth{}
}

func compareBirth(a, b birth) finding {
	known := a.month > 0 && b.month > 0
	apart := max(a.year-b.year, b.year-a.year)
	digits := func(x birth) string {
		return time.Date(x.year, time.Month(x.month), x.day, 0, 0, 0, 0, time.UTC).Format("20060102")
	}
	switch {
	case a.year == 0 || b.year == 0:
		return none
	case known && a == b:
		return sameBirth
	case known && a.year == b.year && a.month == b.day && a.day == b.month:
		return swappedBirth
	case known && near(digits(a), digits(b)):
		return slipBirth
	case !known && apart == 0:
		return sameYear
	case apart == 0:
		return otherDay
	case apart <= 2:
		return nearYear
	}
	return otherBirth
}

// comparePlaces compares where two people live. The reform of 2025 gave codes
// of old communes to other new ones, so units of different dates tell nothing.
func comparePlaces(a, b *Person) []finding {
	x, from, _ := strings.Cut(a.commune, "@")
	y, since, _ := strings.Cut(b.commune, "@")
	switch {
	case x == "" || y == "" || from != since:
		return nil
	case x != y:
		return []finding{otherCommune}
	case !both(a.lines, b.lines):
		return []finding{sameCommune}
	case a.lines[len(a.lines)-1] != b.lines[len(b.lines)-1]:
		return []finding{sameCommune, otherHamlet}
	case len(a.lines) < 2 || len(b.lines) < 2:
		return []finding{sameCommune, sameHamlet}
	case a.lines[0] != b.lines[0]:
		return []finding{sameCommune, sameHamlet, otherHouse}
	}
	return []finding{sameCommune, sameHamlet, sameHouse}
}
