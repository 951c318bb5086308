package rules_test

import (
	"strings"
	"testing"

	"github.com/yba-health/yba/services/stations/rules"
)

func TestTheCarriedSchedulesAreSound(t *testing.T) {
	l, err := rules.Immunization()
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[string]string{
		"2010-01-01": "2024.1", "2024-06-13": "2024.1", "2025-12-31": "2024.1", "2026-01-01": "2026.1", "2031-05-05": "2026.1",
	} {
		if got := l.On(day).Version; got != want {
			t.Errorf("on %s the schedule %s is in force, want %s", day, got, want)
		}
	}
	// A code that was in use is never lost: old devices still send it.
	for _, v := range l[0].Vaccines {
		if _, ok := l[len(l)-1].Vaccine(v.Code); !ok {
			t.Errorf("the newest schedule has lost %s", v.Code)
		}
	}
	young := l.On("2026-06-01")
	if pcv, ok := young.Vaccine("pcv"); !ok || pcv.Routine {
		t.Errorf("pneumococcal vaccine: %+v, %v; it is there and calls nobody", pcv, ok)
	}
	if _, ok := l.On("2025-01-01").Vaccine("pcv"); ok {
		t.Error("the schedule of 2024 knows a vaccine that joined later")
	}
}

const sound = `
version: "1"
valid_from: 2026-01-01
source: s
call_ahead_days: 7
overdue_after_days: 30
vaccines:
  - {code: a, name: A, short: A, cvx: "", routine: true, doses: [{number: 1, due: 10, min: 5}, {number: 2, due: 40, min: 30, interval: 20}]}
`

func TestAnUnsoundScheduleIsRefused(t *testing.T) {
	if _, err := rules.ParseSchedule([]byte(sound)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2]string{
		"unknown key":               {"source: s", "source: s\nsauce: t"},
		"no date":                   {"2026-01-01", "soon"},
		"no version":                {`version: "1"`, `version: ""`},
		"due before min":            {"due: 10, min: 5", "due: 4, min: 5"},
		"dose out of order":         {"number: 2", "number: 3"},
		"no interval":               {"interval: 20", "interval: 0"},
		"second before first":       {"due: 40, min: 30", "due: 9, min: 5"},
		"max before due":            {"due: 10, min: 5", "due: 10, min: 5, max: 9"},
		"given no more when called": {"due: 10, min: 5", "due: 10, min: 5, max: 20, not_after: 19"},
		"given no more when due":    {"due: 10, min: 5", "due: 10, min: 5, not_after: 9"},
		"nothing to vaccinate":      {"vaccines:\n  - {", "vaccines: []\nx:\n  - {"},
		"no doses":                  {"doses: [{number: 1, due: 10, min: 5}, {number: 2, due: 40, min: 30, interval: 20}]", "doses: []"},
		"negative ahead":            {"ahead_days: 7", "ahead_days: -7"},
	} {
		if _, err := rules.ParseSchedule([]byte(strings.Replace(sound, c[0], c[1], 1))); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
