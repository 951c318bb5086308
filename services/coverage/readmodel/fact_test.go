package readmodel

import (
	"testing"

	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

func change(kind, body string) *recordsv1.Change {
	return &recordsv1.Change{Type: kind, Id: "1", Version: 2, Patient: "7", At: "2026-11-20T18:30:00.000Z", Op: "update", Body: []byte(body)}
}

func TestPatientIsReadWithPlaceAndDay(t *testing.T) {
	const place = `"address":[{"use":"old","extension":[{"url":"https://yba.health/fhir/unit","valueCoding":{"system":"https://yba.health/fhir/units","code":"1","version":"2004-01-01"}}]},
		{"extension":[{"url":"https://yba.health/fhir/unit","valueCoding":{"system":"https://yba.health/fhir/units","code":"95012","version":"2025-07-01"}},
		{"url":"https://yba.health/fhir/hamlet","valueCoding":{"system":"https://yba.health/fhir/units","code":"9","version":"2025-07-01"}}]}]`
	f, err := ReadChange(change("Patient", `{"birthDate":"1956",`+place+`}`))
	want := Person{ID: "1", Version: 2, Commune: "95012@2025-07-01", Hamlet: "9@2025-07-01", Birth: "1956", Created: "2026-11-21", Counted: true}
	if err != nil || *f.Person != want {
		t.Fatalf("got %+v, %v; want %+v", f.Person, err, want)
	}
	for name, body := range map[string]string{
		"inactive": `{"active":false}`, "dead": `{"deceasedBoolean":true}`, "dead since": `{"deceasedDateTime":"2026-01-01"}`,
		"merged": `{"link":[{"type":"replaced-by"}]}`,
	} {
		if f, err := ReadChange(change("Patient", body)); err != nil || f.Person.Counted {
			t.Errorf("%s: counted %v, %v", name, f.Person.Counted, err)
		}
	}
	f, err = ReadChange(change("Patient", `{"address":[{"extension":[{"url":"https://yba.health/fhir/unit","valueCoding":{"system":"https://yba.health/fhir/units","code":"95012"}}]}]}`))
	if err != nil || f.Person.Commune != "95012@" {
		t.Errorf("a code without its date became %q, %v", f.Person.Commune, err)
	}
}

func TestOnlyFinishedVirtualEncountersAreUses(t *testing.T) {
	for body, want := range map[string]Day{
		`{"status":"finished","class":{"code":"VR"},"period":{"end":"2026-11-01T20:00:00Z"}}`: "2026-11-02",
		`{"status":"finished","class":{"code":"VR"}}`:                                         "2026-11-21",
		`{"status":"in-progress","class":{"code":"VR"}}`:                                      "",
		`{"status":"finished","class":{"code":"AMB"}}`:                                        "",
		`{"status":"finished","class":{"code":"VR"},"period":{"end":"0000-01-01"}}`:           "2026-11-21",
	} {
		f, err := ReadChange(change("Encounter", body))
		if err != nil || f.Use == nil || f.Use.Day != want {
			t.Errorf("%s: %+v, %v; want %q", body, f.Use, err, want)
		}
	}
}

func TestAdultsUsePeriods(t *testing.T) {
	for name, c := range map[string]struct {
		birth string
		uses  []Use
		want  []period
	}{
		"adult":                 {"1990-05-01", []Use{{Day: "2026-01-10"}}, []period{{"2026-01-10", "2027-01-10"}}},
		"two that overlap":      {"1990-05-01", []Use{{Day: "2026-06-10"}, {Day: "2026-01-10"}}, []period{{"2026-01-10", "2027-06-10"}}},
		"two apart":             {"1990-05-01", []Use{{Day: "2026-06-10"}, {Day: "2024-01-10"}}, []period{{"2024-01-10", "2025-01-10"}, {"2026-06-10", "2027-06-10"}}},
		"turns 18 in between":   {"2008-09-01", []Use{{Day: "2026-01-10"}}, []period{{"2026-09-01", "2027-01-10"}}},
		"only the year known":   {"2008", []Use{{Day: "2026-06-10"}}, []period{{"2026-12-31", "2027-06-10"}}},
		"child":                 {"2015-01-01", []Use{{Day: "2026-01-10"}}, nil},
		"birth date not known":  {"", []Use{{Day: "2026-01-10"}}, nil},
		"birth beyond all time": {"9999", []Use{{Day: "2026-01-10"}}, nil},
	} {
		got := remotePeriods(adultOn(c.birth), c.uses)
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
	}
}

func FuzzReadChange(f *testing.F) {
	f.Add("Patient", "2026-11-20T18:30:00.000Z", []byte(`{"birthDate":"1956-02","address":[{"extension":[{"url":"https://yba.health/fhir/unit","valueCoding":{"code":"1"}}]}]}`))
	f.Add("Encounter", "2026-11-20T18:30:00Z", []byte(`{"status":"finished","class":{"code":"VR"},"period":{"end":"2026"}}`))
	f.Add("Organization", "2026-11-20T18:30:00Z", []byte(`{"type":[{"coding":[{"code":"prov"}]}]}`))
	f.Add("HealthcareService", "x", []byte(`[]`))
	f.Fuzz(func(t *testing.T, kind, at string, body []byte) {
		fact, err := ReadChange(&recordsv1.Change{Type: kind, Id: "1", Version: 1, At: at, Op: "create", Body: body})
		if err != nil {
			return
		}
		// Whatever came, the days can be stored and compared.
		if fact.Use != nil && fact.Use.Day != "" {
			if _, ok := ParseDay(string(fact.Use.Day)); !ok {
				t.Errorf("day %q", fact.Use.Day)
			}
		}
		if fact.Person != nil {
			d := Deltas{}
			d.Add(*fact.Person, []Use{{Day: "2026-01-10"}}, 1)
			for e := range d {
				if _, ok := ParseDay(string(e.Day)); !ok {
					t.Errorf("event on %q", e.Day)
				}
			}
		}
	})
}
