package consult

import (
	"slices"
	"time"

	"github.com/yba-health/yba/pkg/fault"
)

// Hours is a weekly period of work, in minutes from midnight in the
// province's time zone. Weekday 1 is Monday (ISO 8601).
type Hours struct {
	Weekday int `json:"weekday"`
	From    int `json:"from"`
	Until   int `json:"until"`
}

// DoctorOffer is what a doctor published. ID is the account's.
type DoctorOffer struct {
	ID, Practitioner, Name, Specialty, Facility, FacilityName string
	Hours                                                     []Hours
	// Slot is the length of one consultation.
	Slot time.Duration
}

// Interval is a time that is taken or free.
type Interval struct{ Start, End time.Time }

func (i Interval) overlaps(o Interval) bool { return i.Start.Before(o.End) && o.Start.Before(i.End) }

// Check refuses hours that cannot be.
func (d *DoctorOffer) Check() error {
	if d.Name == "" {
		return fault.New(fault.Invalid, "the doctor needs a name", nil).In("name")
	}
	if d.Slot < 5*time.Minute || d.Slot > 2*time.Hour {
		return fault.New(fault.Invalid, "a consultation takes 5 to 120 minutes", nil).In("slot_minutes")
	}
	if len(d.Hours) > 50 {
		return fault.New(fault.Invalid, "at most 50 periods a week", nil).In("hours")
	}
	for i, h := range d.Hours {
		if h.Weekday < 1 || h.Weekday > 7 || h.From < 0 || h.Until > 24*60 || h.From >= h.Until {
			return fault.New(fault.Invalid, "a period needs a weekday from 1 to 7 and a beginning before its end", nil).In("hours")
		}
		for _, o := range d.Hours[:i] {
			if o.Weekday == h.Weekday && o.From < h.Until && h.From < o.Until {
				return fault.New(fault.Invalid, "two periods of a day overlap", nil).In("hours")
			}
		}
	}
	return nil
}

// Clock reads "07:30" as minutes; "24:00" is the end of the day.
func Clock(s string) (int, error) {
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fault.New(fault.Invalid, `a time of day looks like "07:30"`, nil)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// Slots lists the free times of days from the date of from on: those of the
// hours that lie after now and touch nothing taken.
func (d *DoctorOffer) Slots(from time.Time, days int, now time.Time, taken []Interval) []Interval {
	var free []Interval
	y, m, day := from.In(Zone).Date()
	for n := range days {
		date := time.Date(y, m, day+n, 0, 0, 0, 0, Zone)
		weekday := (int(date.Weekday())+6)%7 + 1
		for _, h := range d.Hours {
			if h.Weekday != weekday {
				continue
			}
			end := date.Add(time.Duration(h.Until) * time.Minute)
			for at := date.Add(time.Duration(h.From) * time.Minute); !at.Add(d.Slot).After(end); at = at.Add(d.Slot) {
				slot := Interval{at, at.Add(d.Slot)}
				if at.After(now) && !anyOverlaps(taken, slot) {
					free = append(free, slot)
				}
			}
		}
	}
	slices.SortFunc(free, func(a, b Interval) int { return a.Start.Compare(b.Start) })
	return free
}

func anyOverlaps(list []Interval, slot Interval) bool {
	for _, t := range list {
		if t.overlaps(slot) {
			return true
		}
	}
	return false
}

// Offers reports whether start is the beginning of a slot that lies ahead,
// taken or not.
func (d *DoctorOffer) Offers(start, now time.Time) bool {
	return slices.ContainsFunc(d.Slots(start, 1, now, nil), func(i Interval) bool { return i.Start.Equal(start) })
}
