package stations

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/stations/rules"
)

// checkDose judges one dose by the schedule: it must be one of the series, not
// given before, neither before the minimum age nor after the last one, and not
// nearer to its neighbours in the series than the interval. Of a birth known
// only by its year the day counts that lets more: nobody is sent home for a
// date that nobody knows.
func checkDose(s rules.Schedule, vaccine string, number int, born birth, given []Given, on time.Time) (rules.Vaccine, error) {
	v, ok := s.Vaccine(vaccine)
	if !ok {
		return v, invalid("vaccine", "Vắc xin này không có trong lịch tiêm đang áp dụng. Xin chọn trong danh sách.")
	}
	d, ok := v.Dose(number)
	if !ok {
		return v, invalid("dose", fmt.Sprintf("%s có %d mũi, không có mũi %d.", v.Short, len(v.Doses), number))
	}
	allowed := born.first.AddDate(0, 0, d.Min)
	why := "đủ tuổi"
	for _, g := range given {
		if g.Vaccine != vaccine {
			continue
		}
		if g.Dose == number {
			return v, fault.Newf(fault.Conflict, "%s mũi %d đã được ghi ngày %s. Nếu nhập nhầm số mũi, xin sửa lại.", v.Short, number, dayText(g.On)).In("dose")
		}
		// A dose that is entered afterwards must leave room for the one that is there.
		if after, ok := v.Dose(number + 1); ok && g.Dose == number+1 && on.AddDate(0, 0, after.Interval).After(g.On) {
			return v, invalid("at", fmt.Sprintf("%s mũi %d đã được ghi ngày %s. Mũi %d phải trước đó ít nhất %d ngày. Xin xem lại ngày và số mũi.",
				v.Short, g.Dose, dayText(g.On), number, after.Interval))
		}
		if next := g.On.AddDate(0, 0, d.Interval); g.Dose == number-1 && next.After(allowed) {
			allowed, why = next, fmt.Sprintf("cách mũi %d đủ %d ngày", g.Dose, d.Interval)
		}
	}
	if on.Before(allowed) {
		return v, invalid("at", fmt.Sprintf("%s mũi %d chưa tiêm được: phải %s, sớm nhất là ngày %s.", v.Short, number, why, dayText(allowed)))
	}
	if last := born.last.AddDate(0, 0, d.NotAfter); d.NotAfter > 0 && on.After(last) {
		return v, invalid("at", fmt.Sprintf("%s mũi %d không tiêm được nữa: đã quá tuổi, muộn nhất là ngày %s.", v.Short, number, dayText(last)))
	}
	return v, nil
}

// next is a dose to be given.
type next struct {
	vaccine rules.Vaccine
	dose    int
	due     time.Time
	overdue bool
}

// dueOf returns the next dose of each routine series that is due on the day or
// within the days that families are called ahead.
func dueOf(s rules.Schedule, born time.Time, given []Given, on time.Time) []next {
	var out []next
	for _, v := range s.Vaccines {
		if !v.Routine {
			continue
		}
		last := Given{}
		for _, g := range given {
			if g.Vaccine == v.Code && g.Dose > last.Dose {
				last = g
			}
		}
		d, ok := v.Dose(last.Dose + 1)
		if !ok {
			continue
		}
		due := born.AddDate(0, 0, d.Due)
		if after := last.On.AddDate(0, 0, d.Interval); last.Dose > 0 && after.After(due) {
			due = after
		}
		if due.After(on.AddDate(0, 0, s.CallAhead)) || d.Max > 0 && !on.Before(born.AddDate(0, 0, d.Max)) {
			continue
		}
		out = append(out, next{v, d.Number, due, on.After(due.AddDate(0, 0, s.OverdueAfter))})
	}
	return out
}

// oldestDue is the age in days from which nobody is called for anything.
func oldestDue(s rules.Schedule) int {
	most := 0
	for _, v := range s.Vaccines {
		for _, d := range v.Doses {
			if v.Routine {
				most = max(most, d.Max)
			}
		}
	}
	return most
}

type dueChild struct {
	Child
	next
}

// mostUrgent sorts overdue doses first, then by due day, and keeps limit.
func mostUrgent(list []dueChild, limit int) []dueChild {
	slices.SortFunc(list, func(a, b dueChild) int {
		switch {
		case a.overdue != b.overdue && a.overdue:
			return -1
		case a.overdue != b.overdue:
			return 1
		case !a.due.Equal(b.due):
			return a.due.Compare(b.due)
		case a.Patient != b.Patient:
			return strings.Compare(a.Patient, b.Patient)
		}
		return strings.Compare(a.vaccine.Code, b.vaccine.Code)
	})
	return list[:min(len(list), limit)]
}
