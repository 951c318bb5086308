package province

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// growthOf is the middle of what a child of an age measures, written down apart
// from the generator: WHO child growth standards, boys and girls together.
func growthOf(years float64) (height, weight float64) {
	switch {
	case years < 0.25:
		return 55, 4.6
	case years < 0.75:
		return 66, 7.4
	case years < 1.5:
		return 76, 9.5
	case years < 3:
		return 88, 12.2
	case years < 5:
		return 103, 16.5
	}
	return 0, 0
}

// measuredAt is one measure of a child at a visit.
type measuredAt struct {
	at    time.Time
	value float64
}

func TestChildrenGrowAsChildrenDo(t *testing.T) {
	p := sampled(t)
	born := map[string]time.Time{}
	for _, h := range p.households {
		for i, m := range h.members {
			born["Patient/"+h.patient(i)] = m.born
		}
	}
	series := map[string]map[string][]measuredAt{"8302-2": {}, "29463-7": {}}
	for _, es := range p.all {
		for _, e := range es {
			if e.Resource["resourceType"] != "Observation" {
				continue
			}
			code := e.Resource["code"].(map[string]any)["coding"].([]any)[0].(map[string]any)["code"].(string)
			of, ok := series[code]
			if !ok {
				continue
			}
			at, err := time.Parse(time.RFC3339, e.Resource["effectiveDateTime"].(string))
			if err != nil {
				t.Fatal(err)
			}
			who := subjectOf(e.Resource)
			of[who] = append(of[who], measuredAt{at, e.Resource["valueQuantity"].(map[string]any)["value"].(float64)})
		}
	}
	infants := 0
	for code, of := range series {
		for who, list := range of {
			slices.SortFunc(list, func(a, b measuredAt) int { return a.at.Compare(b.at) })
			for i, m := range list {
				years := m.at.Sub(born[who]).Hours() / 8766
				if years >= 18 {
					break
				}
				if height, weight := growthOf(years); height > 0 {
					infants++
					middle, most := height, 0.14
					if code == "29463-7" {
						middle, most = weight, 0.45
					}
					if math.Abs(m.value/middle-1) > most {
						t.Errorf("%s at %.1f years: %s is %v, the middle is %v", who, years, code, m.value, middle)
					}
				}
				if i > 0 && m.value < list[i-1].value*0.95 {
					t.Errorf("%s at %.1f years: %s fell from %v to %v", who, years, code, list[i-1].value, m.value)
				}
			}
		}
	}
	if infants < 50 {
		t.Errorf("%d measures of small children were seen, want many", infants)
	}
}

func TestNamesFollowTheCustomsOfTheHouse(t *testing.T) {
	p := New(Config{People: 20_000, Seed: 5})
	same, people, matri := 0, 0, 0
	for _, h := range p.households {
		called := map[string]bool{}
		for _, m := range h.members {
			people++
			if called[m.name.own()] {
				same++
			}
			called[m.name.own()] = true
			for i := 1; i < len(m.name.given); i++ {
				if m.name.given[i] == m.name.given[i-1] {
					t.Errorf("%s says a name twice", m.name.text)
				}
			}
		}
		clan := h.mother().name.family
		for i, m := range h.members {
			if !matrilineal(h.group) || h.mother().sex != "female" {
				continue
			}
			matri++
			switch {
			case m.relation == "child" && m.name.family != clan:
				t.Errorf("household %d (%s): the child is %s, the mother's clan is %s", h.number, h.group, m.name.text, clan)
			case i < 2 && m.sex == "male" && h.members[1-i].relation == "spouse" && m.name.family == clan:
				t.Errorf("household %d (%s): %s married within the clan", h.number, h.group, m.name.text)
			case m.relation == "parent" && (m.name.family == clan) != (m.sex == "female"):
				t.Errorf("household %d (%s): the wife's parent is %s, her clan is %s", h.number, h.group, m.name.text, clan)
			}
		}
	}
	if same*1000 > people {
		t.Errorf("%d of %d people are called like somebody else in the house", same, people)
	}
	if matri < 500 {
		t.Errorf("%d people of matrilineal groups were seen, want many", matri)
	}
}

func TestAgesCountBirthdaysAcrossLeapYears(t *testing.T) {
	for _, c := range []struct {
		born, at string
		want     int
	}{
		{"2008-11-01", "2026-11-01", 18},
		{"2008-11-02", "2026-11-01", 17},
		{"2007-11-01", "2028-11-01", 21},
		{"2007-03-01", "2028-02-29", 20},
	} {
		born, _ := time.Parse(time.DateOnly, c.born)
		at, _ := time.Parse(time.DateOnly, c.at)
		if got := age(born, at); got != c.want {
			t.Errorf("born %s, on %s: %d years, want %d", c.born, c.at, got, c.want)
		}
	}
}

func TestEveryIndicatorHasATargetAheadWithItsSource(t *testing.T) {
	p := New(Config{People: 100})
	ahead := map[string]float64{}
	for _, x := range p.Targets {
		if !strings.Contains(x.GetSource(), "mẫu") {
			t.Errorf("%s by %s: the source %q does not say that it is sample data", x.GetIndicator(), x.GetBy(), x.GetSource())
		}
		if x.GetLevel() == "province" && x.GetBy() > p.today.Format(time.DateOnly) {
			ahead[x.GetIndicator()] = x.GetShare()
		}
	}
	for indicator, want := range map[string]float64{"record-created": 0.95, "remote-care-adults": 0.5, "facilities-remote": 1} {
		if ahead[indicator] != want {
			t.Errorf("%s: the next target of the province is %v, want %v", indicator, ahead[indicator], want)
		}
	}
}
