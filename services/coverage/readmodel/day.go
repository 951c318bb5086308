// Package readmodel is what coverage keeps of the change log: for every
// person, facility and remote consultation the few facts that indicators
// count, and the rules that turn them into counters.
package readmodel

import "time"

// Vietnam has one time zone without daylight saving; days are its days
// wherever the server stands.
var vietnam = time.FixedZone("ICT", 7*60*60)

// Day is a calendar day as "2006-01-02". Days compare as strings; the empty
// one is unknown.
type Day string

// Local returns t on the clocks of Vietnam.
func Local(t time.Time) time.Time { return t.In(vietnam) }

// DayOf returns the day of t in Vietnam.
func DayOf(t time.Time) Day { return Day(t.In(vietnam).Format(time.DateOnly)) }

// ParseDay accepts "2006-01-02" only.
func ParseDay(s string) (Day, bool) {
	t, err := time.Parse(time.DateOnly, s)
	return Day(s), err == nil && plausible(t)
}

// plausible refuses years that can only be a slip, and that would not compare
// as strings or not fit the database.
func plausible(t time.Time) bool { return t.Year() >= 1850 && t.Year() <= 2200 }

// Add returns the day years and days later; an unknown day stays unknown.
func (d Day) Add(years, days int) Day {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return ""
	}
	return Day(t.AddDate(years, 0, days).Format(time.DateOnly))
}

// adultAge is the age from which a person is an adult (Civil Code 2015, art. 20).
const adultAge = 18

// adultOn returns the day from which a person born on birth (a FHIR date: a
// year, a month or a day) is surely an adult. It is empty when the birth date
// is not known: nobody becomes an adult by guessing.
func adultOn(birth string) Day {
	for _, layout := range []struct {
		of          string
		months, day int
	}{{time.DateOnly, 0, 0}, {"2006-01", 1, -1}, {"2006", 12, -1}} {
		if t, err := time.Parse(layout.of, birth); err == nil && plausible(t) {
			return Day(t.AddDate(0, layout.months, layout.day).AddDate(adultAge, 0, 0).Format(time.DateOnly))
		}
	}
	return ""
}
