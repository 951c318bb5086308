package coverage

import (
	"context"
	"slices"
	"strings"

	"github.com/yba-health/yba/services/coverage/geography"
	"github.com/yba-health/yba/services/coverage/readmodel"
)

// Figure is an indicator's value for a commune or for the province.
type Figure struct {
	Unit, Name             string
	Numerator, Denominator int
	// Measured is false when there is no denominator.
	Measured bool
	Source   string
	// Before is the share 30 days ago, where there was something to measure then.
	Before *float64

	before, denominatorBefore int
	measuredBefore            bool
}

// Share is numerator by denominator.
func (f *Figure) Share() float64 { return float64(f.Numerator) / float64(f.Denominator) }

// Report is one indicator for all communes of a geography.
type Report struct {
	Indicator Indicator
	Total     Figure
	Communes  []Figure
	Geography readmodel.Day
	Today     readmodel.Day
}

// compareDays is how far back the figure beside each figure lies.
const compareDays = 30

// Names of the line for those whose commune is not known.
const (
	unknownCommune    = "Chưa rõ xã"
	unknownOldCommune = "Chưa rõ xã cũ"
)

// tally is what is counted at a place, now and before.
type tally struct{ n, before, of, ofBefore int }

func (t *tally) add(u tally) {
	t.n, t.before, t.of, t.ofBefore = t.n+u.n, t.before+u.before, t.of+u.of, t.ofBefore+u.ofBefore
}

// reporter makes reports of one province.
type reporter struct {
	store    readmodel.Store
	province string
}

// report computes the figures. Communes limits it to units with these keys;
// nil means all.
func (r *reporter) report(ctx context.Context, i Indicator, book *geography.Book, on, today readmodel.Day, communes []string) (*Report, error) {
	tallies, unknown, err := r.tallies(ctx, i, book, on, today)
	if err != nil {
		return nil, err
	}
	now, err := r.store.Populations(ctx, today)
	if err != nil {
		return nil, err
	}
	then, err := r.before(ctx, i, today.Add(0, -compareDays))
	if err != nil {
		return nil, err
	}
	out := &Report{Indicator: i, Geography: on, Today: today}
	total := tally{}
	for _, u := range book.Communes(r.province, string(on)) {
		t, seen := tallies[u.Key()]
		if communes != nil && !slices.Contains(communes, u.Key()) {
			continue
		}
		// A country has 3,321 communes; without a province only those that matter are shown.
		if _, known := now[u.Key()]; r.province == "" && !seen && !known {
			continue
		}
		total.add(t)
		out.Communes = append(out.Communes, figure(i, u.Key(), u.Name, t, now, then))
	}
	if communes == nil {
		total.add(unknown)
		if unknown != (tally{}) {
			name := unknownCommune
			if on < today && unknownIsOld(book, on, today) {
				name = unknownOldCommune
			}
			f := figure(i, "", name, unknown, nil, nil)
			f.Measured = i.People == facilities && f.Denominator > 0
			out.Communes = append(out.Communes, f)
		}
	}
	out.Total = r.total(i, book, on, total, out.Communes, now, then, communes == nil)
	return out, nil
}

// before returns the populations that the share of an earlier day is measured
// by; nil when there was nothing yet to measure. A record is created when it
// comes into this system: where the first one came later than that day, the
// share of then would be 0 % only because nobody had begun, and all that was
// loaded since would read as a month's progress.
func (r *reporter) before(ctx context.Context, i Indicator, day readmodel.Day) (map[string]readmodel.Population, error) {
	if i.ID == readmodel.RecordCreated {
		since, err := r.store.Since(ctx)
		if err != nil || since == "" || since > day {
			return nil, err
		}
	}
	return r.store.Populations(ctx, day)
}

// unknownIsOld reports whether communes changed between the days, so that the
// open question is the old commune.
func unknownIsOld(book *geography.Book, on, today readmodel.Day) bool {
	for _, u := range book.Communes("", string(on)) {
		if !u.In(string(today)) {
			return true
		}
	}
	return false
}

// tallies counts by commune of the geography; unknown holds those whose
// commune cannot be told. People of other provinces are no residents and are
// left out.
func (r *reporter) tallies(ctx context.Context, i Indicator, book *geography.Book, on, today readmodel.Day) (map[string]tally, tally, error) {
	out, unknown := map[string]tally{}, tally{}
	put := func(commune, hamlet string, t tally) {
		key, ok := book.Place(commune, hamlet, string(on))
		if !ok {
			if u, known := book.Unit(commune); known && !book.Within(u, r.province) {
				return
			}
			unknown.add(t)
			return
		}
		sum := out[key]
		sum.add(t)
		out[key] = sum
	}
	ago := today.Add(0, -compareDays)
	if i.People == facilities {
		list, err := r.store.Facilities(ctx)
		if err != nil {
			return nil, unknown, err
		}
		for _, f := range list {
			t := tally{of: 1}
			if f.Created <= ago {
				t.ofBefore = 1
			}
			if f.Offered != "" {
				t.n = 1
				if f.Offered <= ago && f.Created <= ago {
					t.before = 1
				}
			}
			put(f.Commune, "", t)
		}
		return out, unknown, nil
	}
	counts, err := r.store.Counts(ctx, i.ID, today, ago)
	if err != nil {
		return nil, unknown, err
	}
	for _, c := range counts {
		put(c.Commune, c.Hamlet, tally{n: c.Now, before: c.Before})
	}
	return out, unknown, nil
}

func figure(i Indicator, unit, name string, t tally, now, then map[string]readmodel.Population) Figure {
	f := Figure{Unit: unit, Name: name, Numerator: t.n, before: t.before}
	if i.People == facilities {
		f.Denominator, f.denominatorBefore = t.of, t.ofBefore
		if f.Denominator > 0 {
			f.Source = i.Denominator
		}
	} else {
		f.Denominator, f.Source = people(i, now, unit)
		f.denominatorBefore, _ = people(i, then, unit)
	}
	f.Measured, f.measuredBefore = f.Denominator > 0, f.denominatorBefore > 0
	f.compare()
	return f
}

func (f *Figure) compare() {
	if f.measuredBefore {
		share := float64(f.before) / float64(f.denominatorBefore)
		f.Before = &share
	}
}

func people(i Indicator, of map[string]readmodel.Population, unit string) (int, string) {
	p, ok := of[unit]
	if !ok {
		return 0, ""
	}
	n := p.People
	if i.People == adults {
		n = p.Adults
	}
	if n == 0 {
		return 0, ""
	}
	return n, p.Source + " (" + string(p.Day) + ")"
}

// total is the province's figure. Its denominator is the province's own
// official number, else the sum of its communes', if every one has one.
func (r *reporter) total(i Indicator, book *geography.Book, on readmodel.Day, t tally, list []Figure, now, then map[string]readmodel.Population, whole bool) Figure {
	if i.People == facilities {
		return figure(i, r.province, "Toàn tỉnh", t, nil, nil)
	}
	if key, ok := book.ProvinceOn(r.province, string(on)); ok && whole {
		if n, _ := people(i, now, key); n > 0 {
			f := figure(i, key, "Toàn tỉnh", t, now, then)
			f.Unit = r.province
			return f
		}
	}
	f := Figure{Unit: r.province, Name: "Toàn tỉnh", Numerator: t.n, before: t.before, Measured: true, measuredBefore: true}
	sources := map[string]bool{}
	for _, c := range list {
		if c.Unit == "" {
			continue
		}
		f.Denominator, f.denominatorBefore = f.Denominator+c.Denominator, f.denominatorBefore+c.denominatorBefore
		f.Measured, f.measuredBefore = f.Measured && c.Measured, f.measuredBefore && c.measuredBefore
		if c.Source != "" {
			sources[c.Source] = true
		}
	}
	if !f.Measured || f.Denominator == 0 {
		f.Measured, f.Denominator = false, 0
	} else {
		var names []string
		for s := range sources {
			names = append(names, s)
		}
		slices.Sort(names)
		f.Source = strings.Join(names, "; ")
	}
	f.measuredBefore = f.measuredBefore && f.denominatorBefore > 0
	f.compare()
	return f
}
