package readmodel

import "slices"

// Person is a resident in the read model.
type Person struct {
	ID      string
	Version int64
	// Commune and Hamlet are unit keys, "95012@2025-07-01"; empty when the
	// address does not name one with its date.
	Commune, Hamlet string
	// Birth is a FHIR date: a year, a month or a day.
	Birth string
	// Created is the day of the record's first version.
	Created Day
	// Counted is false for the dead, for records that are not active or were
	// merged into another, and for deleted ones, which stay as tombstones so
	// that an older version arriving late cannot bring them back.
	Counted bool
}

// Merge joins what is known of a person with a version that arrived: the
// higher version's facts and the earliest day. It gives the same result in
// any order of arrival, which the log does not promise.
func (p Person) Merge(q Person) Person {
	if q.Version < p.Version {
		p, q = q, p
	}
	if p.Created != "" && (q.Created == "" || p.Created < q.Created) {
		q.Created = p.Created
	}
	return q
}

// Use is one Encounter as far as remote care is concerned.
type Use struct {
	ID      string
	Version int64
	Patient string
	// Day is the day the remote consultation ended; empty when the Encounter
	// is none, is not finished, or was deleted.
	Day Day
}

// Merge keeps the higher version.
func (u Use) Merge(v Use) Use {
	if v.Version < u.Version {
		return u
	}
	return v
}

// Indicators over persons that counters are kept for.
const (
	RecordCreated    = "record-created"
	RemoteCareAdults = "remote-care-adults"
	FacilitiesRemote = "facilities-remote"
)

// Event is a step of a counter: from its day on, the indicator's number at
// the place is changed by so much.
type Event struct {
	Indicator       string
	Commune, Hamlet string
	Day             Day
}

// Deltas adds up events.
type Deltas map[Event]int

// Add adds the events of p, times sign, to d. The number of an indicator on a
// day is the sum of all events up to that day, so that an indicator "in the
// last 12 months" moves by itself as time goes on.
func (d Deltas) Add(p Person, uses []Use, sign int) {
	if !p.Counted || p.Created == "" {
		return
	}
	step := func(indicator string, day Day, n int) {
		e := Event{indicator, p.Commune, p.Hamlet, day}
		if d[e] += n * sign; d[e] == 0 {
			delete(d, e)
		}
	}
	step(RecordCreated, p.Created, 1)
	for _, i := range remotePeriods(adultOn(p.Birth), uses) {
		step(RemoteCareAdults, i.from, 1)
		step(RemoteCareAdults, i.until, -1)
	}
}

type period struct{ from, until Day }

// remotePeriods returns when the person counts as an adult who used remote
// care within the last 12 months: apart, in order, without overlap.
func remotePeriods(adult Day, uses []Use) []period {
	if adult == "" {
		return nil
	}
	var days []Day
	for _, u := range uses {
		if u.Day != "" {
			days = append(days, u.Day)
		}
	}
	slices.Sort(days)
	var out []period
	for _, day := range days {
		i := period{max(day, adult), day.Add(1, 0)}
		if i.from >= i.until {
			continue
		}
		if last := len(out) - 1; last >= 0 && i.from <= out[last].until {
			out[last].until = max(i.until, out[last].until)
			continue
		}
		out = append(out, i)
	}
	return out
}
