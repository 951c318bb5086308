package stations

import (
	"testing"
	"time"
	"unicode/utf8"

	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
	"github.com/yba-health/yba/services/stations/rules"
)

// What others wrote as FHIR must never stop the projection.
func FuzzDueChanges(f *testing.F) {
	schedules, err := rules.Immunization()
	if err != nil {
		f.Fatal(err)
	}
	s := &Service{Needs: Needs{Now: func() time.Time { return time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC) }}, schedules: schedules}
	f.Add("Patient", []byte(`{"birthDate":"2026-01-01","address":[{"extension":[{"url":"https://yba.health/fhir/unit","valueCoding":{"code":"22015","version":"2025-07-01"}}]}]}`))
	f.Add("Immunization", []byte(`{"status":"completed","patient":{"reference":"Patient/1"},"vaccineCode":{"coding":[{"system":"https://yba.health/fhir/CodeSystem/vaccine","code":"bcg"}]},"occurrenceDateTime":"2026-01-01","protocolApplied":[{"doseNumberPositiveInt":1}]}`))
	f.Add("Immunization", []byte(`{"status":"completed","occurrenceDateTime":"0000-00-00T"}`))
	f.Fuzz(func(t *testing.T, typ string, body []byte) {
		got := s.dueChanges([]*recordsv1.Change{{Type: typ, Id: "1", Patient: "2", Op: "create", Body: body}})
		for _, g := range got.Given {
			if g.Dose < 1 || g.Dose > 99 || g.On.Year() < 1900 {
				t.Errorf("took %+v", g)
			}
		}
		for _, c := range got.Children {
			if c.Birth.Year() < 2015 || c.Commune == "" || !utf8.ValidString(c.Commune) {
				t.Errorf("took %+v", c)
			}
		}
		if typ == "Patient" && len(got.Children)+len(got.RemovedChildren) != 1 || typ == "Immunization" && len(got.Given)+len(got.RemovedGiven) != 1 {
			t.Errorf("a change was lost: %+v", got)
		}
	})
}

func FuzzCheckMeasure(f *testing.F) {
	for _, v := range vitals() {
		f.Add(v.kind, "36,8", v.unit)
	}
	f.Add("pulse", "1e9", "")
	f.Fuzz(func(t *testing.T, kind, value, unit string) {
		m, err := checkMeasure(&stationsv1.Measure{Kind: kind, Value: value, Unit: unit})
		if err == nil && (m.exact == nil || !decimalForm.MatchString(m.value.String())) {
			t.Errorf("took %q as %v", value, m)
		}
	})
}
