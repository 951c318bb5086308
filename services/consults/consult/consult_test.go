package consult

import (
	"slices"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
)

var monday = time.Date(2026, 11, 23, 0, 0, 0, 0, Zone)

func at(hour, minute int) time.Time {
	return monday.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}

func TestEachStepIsAllowedFromSomeStatusesOnly(t *testing.T) {
	steps := map[string]func(*Consultation) error{
		"reschedule":    func(c *Consultation) error { return c.Reschedule(at(9, 0), at(9, 30)) },
		"cancel":        func(c *Consultation) error { return c.Cancel("") },
		"check in":      func(c *Consultation) error { return c.CheckIn(at(7, 45)) },
		"admit":         func(c *Consultation) error { return c.Admit(at(8, 0)) },
		"finish":        func(c *Consultation) error { return c.Finish(at(8, 30)) },
		"patient joins": func(c *Consultation) error { return c.MayJoin(Patient) },
		"doctor joins":  func(c *Consultation) error { return c.MayJoin(Doctor) },
	}
	allowed := map[string][]Status{
		"reschedule": {Booked}, "cancel": {Booked, Waiting, Cancelled}, "check in": {Booked, Waiting, Active},
		"admit": {Waiting, Active}, "finish": {Active, Ended}, "patient joins": {Active}, "doctor joins": {Waiting, Active},
	}
	for name, step := range steps {
		for _, from := range []Status{Booked, Waiting, Active, Ended, Cancelled, Missed} {
			err := step(&Consultation{Status: from, Start: at(8, 0), End: at(8, 30)})
			if want := slices.Contains(allowed[name], from); (err == nil) != want {
				t.Errorf("%s from %s: %v", name, from, err)
			}
			if err != nil && !fault.Is(err, fault.Precondition) {
				t.Errorf("%s from %s: class of %v", name, from, err)
			}
		}
	}
}

func TestTheWaitingRoomOpensHalfAnHourBefore(t *testing.T) {
	for _, c := range []struct {
		soon bool
		now  time.Time
		ok   bool
	}{
		{false, at(7, 29), false},
		{false, at(7, 30), true},
		{false, at(20, 0), true},
		{false, at(24, 1), false},
		{true, at(5, 0), true},
	} {
		x := &Consultation{Status: Booked, Soon: c.soon, Start: at(8, 0)}
		if err := x.CheckIn(c.now); (err == nil) != c.ok {
			t.Errorf("at %s: %v", c.now, err)
		}
	}
}

func TestSlotsAreHoursWithoutWhatIsTaken(t *testing.T) {
	d := DoctorOffer{ID: "d", Name: "BS", Slot: 30 * time.Minute, Hours: []Hours{{1, 13 * 60, 14 * 60}, {1, 8 * 60, 9*60 + 45}}}
	taken := []Interval{{at(8, 15), at(8, 45)}}
	var got []string
	// 23:30 of Sunday in UTC is Monday morning in Viet Nam.
	for _, s := range d.Slots(time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC), 7, at(6, 0), taken) {
		got = append(got, s.Start.In(Zone).Format("Mon 15:04"))
	}
	if want := []string{"Mon 09:00", "Mon 13:00", "Mon 13:30"}; !slices.Equal(got, want) {
		t.Errorf("slots are %v, want %v", got, want)
	}
	if d.Offers(at(8, 0), at(8, 0)) || !d.Offers(at(8, 30), at(8, 0)) || d.Offers(at(8, 10), at(7, 0)) {
		t.Error("a time that has begun or is no slot's is offered, or a slot is not")
	}
}

func TestHoursThatCannotBeAreRefused(t *testing.T) {
	for name, h := range map[string][]Hours{
		"weekday": {{8, 0, 60}}, "reversed": {{1, 60, 60}}, "past midnight": {{1, 0, 1441}}, "overlap": {{1, 0, 60}, {1, 30, 90}},
	} {
		if err := (&DoctorOffer{Name: "BS", Slot: 15 * time.Minute, Hours: h}).Check(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for in, want := range map[string]int{"07:30": 450, "24:00": 1440, "00:00": 0, "7h": -1, "25:00": -1, "": -1} {
		got, err := Clock(in)
		if (err == nil) != (want >= 0) || err == nil && got != want {
			t.Errorf("Clock(%q) = %d, %v", in, got, err)
		}
	}
}

func TestThoseWithATimeComeBeforeThoseWhoAskedForToday(t *testing.T) {
	list := []Consultation{
		{ID: "soon late", Soon: true, CheckedIn: at(8, 20), Start: at(7, 0)},
		{ID: "nine", Start: at(9, 0), CheckedIn: at(7, 0)},
		{ID: "soon early", Soon: true, CheckedIn: at(8, 10), Start: at(8, 0)},
		{ID: "eight", Start: at(8, 0), CheckedIn: at(8, 30)},
	}
	slices.SortFunc(list, func(a, b Consultation) int {
		if a.Before(&b) {
			return -1
		}
		return 1
	})
	var got []string
	for _, c := range list {
		got = append(got, c.ID)
	}
	if want := []string{"eight", "nine", "soon early", "soon late"}; !slices.Equal(got, want) {
		t.Errorf("order is %v", got)
	}
}

func TestAccessToTheRecordEndsWithTheConsultation(t *testing.T) {
	c := &Consultation{Doctor: "d", End: at(8, 30), Status: Booked, Members: []Member{{Account: "p", Role: Patient}, {Account: "x", Role: Specialist, Until: at(32, 0)}}}
	g := c.Grants()
	if len(g) != 2 || !g["d"].Equal(at(8, 30).Add(30*24*time.Hour)) || !g["x"].Equal(at(32, 0)) {
		t.Errorf("grants are %v", g)
	}
	if err := c.Cancel(""); err != nil || len(c.Grants()) != 0 {
		t.Errorf("after cancelling: %v, %v", c.Grants(), err)
	}
}

func TestTheSamePrescriptionIsAddedOnce(t *testing.T) {
	c := &Consultation{}
	c.Prescribe([]Medicine{{ID: Derived("a")}, {ID: Derived("a")}})
	c.Prescribe([]Medicine{{ID: Derived("a")}, {ID: Derived("b")}})
	if len(c.Medicines) != 2 || Derived("a", "b") == Derived("ab") {
		t.Errorf("%d lines", len(c.Medicines))
	}
}
