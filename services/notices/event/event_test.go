package event

import (
	"fmt"
	"strings"
	"testing"
	"time"

	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/notices/message"
)

var now = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func read(t *testing.T, kind, op string, version int64, at time.Time, body string) Change {
	t.Helper()
	c, err := Read(&recordsv1.Change{Type: kind, Id: "1", Version: version, Patient: "7", At: at.Format(time.RFC3339), Op: op, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func appointment(status, start, kind string) string {
	return fmt.Sprintf(`{"status":%q,"start":%q,"identifier":[{"system":"https://yba.health/fhir/sid/consultation","value":"c9"}],
		"appointmentType":{"coding":[{"system":"https://yba.health/fhir/CodeSystem/service-kind","code":%q}]},
		"participant":[{"actor":{"reference":"Patient/7"}},{"actor":{"reference":"Practitioner/55"}}]}`, status, start, kind)
}

const soon, later, past = "2026-11-22T14:30:00+07:00", "2026-11-23T08:00:00+07:00", "2026-11-01T08:00:00+07:00"

func TestAppointmentsTellOnlyWhatIsNew(t *testing.T) {
	booked := &message.Fact{Version: 1, Remote: true, Status: "booked", Start: soon, Consultation: "c9"}
	for name, c := range map[string]struct {
		before *message.Fact
		op     string
		at     time.Time
		body   string
		want   string
	}{
		"booked":                     {nil, "create", now, appointment("booked", soon, "remote"), "booked"},
		"proposal accepted":          {&message.Fact{Version: 1, Remote: true, Status: "proposed"}, "update", now, appointment("booked", soon, "remote"), "booked"},
		"moved":                      {booked, "update", now, appointment("booked", later, "remote"), "rescheduled"},
		"same time, other spelling":  {booked, "update", now, appointment("booked", "2026-11-22T07:30:00Z", "remote"), ""},
		"cancelled":                  {booked, "update", now, appointment("cancelled", soon, "remote"), "cancelled"},
		"deleted":                    {booked, "delete", now, "", "cancelled"},
		"cancelled but never booked": {nil, "update", now, appointment("cancelled", soon, "remote"), ""},
		"late older version":         {&message.Fact{Version: 3, Remote: true, Status: "cancelled"}, "update", now, appointment("booked", soon, "remote"), ""},
		"not remote":                 {nil, "create", now, appointment("booked", soon, "walk-in"), ""},
		"entered afterwards":         {nil, "create", now, appointment("booked", past, "remote"), ""},
		"older than a day":           {nil, "create", now.Add(-25 * time.Hour), appointment("booked", soon, "remote"), ""},
	} {
		e := read(t, "Appointment", c.op, 2, c.at, c.body).Of(c.before, nil, now)
		got := ""
		if e != nil {
			got = e.Kind
			if e.Consultation != "c9" || e.Patient != "7" {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if got != c.want {
			t.Errorf("%s: told %q, want %q", name, got, c.want)
		}
	}
}

func TestResultsBelongToVirtualEncountersOfTheSamePatient(t *testing.T) {
	virtual := &message.Fact{Reference: "Encounter/3", Remote: true, Patient: "7", Consultation: "c9"}
	const note = `{"status":"current","subject":{"reference":"Patient/7"},"context":{"encounter":[{"reference":"Encounter/3"}]}}`
	for name, c := range map[string]struct {
		kind, body string
		encounter  *message.Fact
		want       string
	}{
		"note":                           {"DocumentReference", note, virtual, "result/Encounter/3/note"},
		"prescription":                   {"MedicationRequest", `{"status":"active","encounter":{"reference":"Encounter/3"}}`, virtual, "result/Encounter/3/prescription"},
		"note of years ago, loaded now":  {"DocumentReference", strings.Replace(note, "{", `{"date":"2024-05-01T08:00:00+07:00",`, 1), virtual, ""},
		"note of this morning":           {"DocumentReference", strings.Replace(note, "{", `{"date":"2026-11-21T08:00:00+07:00",`, 1), virtual, "result/Encounter/3/note"},
		"prescription of last month":     {"MedicationRequest", `{"status":"completed","authoredOn":"2026-10-21","encounter":{"reference":"Encounter/3"}}`, virtual, ""},
		"prescription of today's date":   {"MedicationRequest", `{"status":"active","authoredOn":"2026-11-21","encounter":{"reference":"Encounter/3"}}`, virtual, "result/Encounter/3/prescription"},
		"visit of years ago, still open": {"Encounter", `{"status":"in-progress","class":{"code":"VR"},"period":{"start":"2024-05-01T08:00:00+07:00"}}`, nil, ""},
		"visit that begins":              {"Encounter", `{"status":"in-progress","class":{"code":"VR"},"period":{"start":"2026-11-21T15:59:00+07:00"}}`, nil, "starting/1"},
		"draft":                          {"MedicationRequest", `{"status":"draft","encounter":{"reference":"Encounter/3"}}`, virtual, ""},
		"visit at a station":             {"DocumentReference", note, &message.Fact{Reference: "Encounter/3", Patient: "7"}, ""},
		"encounter of another one":       {"DocumentReference", note, &message.Fact{Reference: "Encounter/3", Patient: "8", Remote: true}, ""},
		"unknown encounter":              {"DocumentReference", note, nil, ""},
	} {
		e := read(t, c.kind, "create", 1, now, c.body).Of(nil, c.encounter, now)
		got := ""
		if e != nil {
			got = e.Key
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("Appointment", []byte(appointment("booked", soon, "remote")))
	f.Add("Encounter", []byte(`{"status":"in-progress","class":{"code":"VR"}}`))
	f.Add("DocumentReference", []byte(`{"context":{"encounter":[{"reference":"Encounter/3"}]}}`))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		c, err := Read(&recordsv1.Change{Type: kind, Id: "1", Version: 1, Patient: "7", At: "2026-11-21T09:00:00Z", Op: "create", Body: body})
		if err != nil {
			return
		}
		e := c.Of(nil, &message.Fact{Reference: c.Encounter, Remote: true, Patient: "7"}, now)
		if e != nil && !path(e.Consultation) {
			t.Errorf("%q would stand in a link", e.Consultation)
		}
	})
}
