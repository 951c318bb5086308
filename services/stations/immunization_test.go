package stations_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// baby is three months old: born on 21 August 2026.
func baby() *stationsv1.RegisterPersonRequest {
	return &stationsv1.RegisterPersonRequest{
		ClientId: id(1), Name: "Lê Văn Bình", BirthDate: "2026-08-21", Gender: "male", Phone: "0912345678", Commune: here, Hamlet: "Thôn Phú Mỹ",
	}
}

func TestADoseIsRecordedWithTheRulesItWasJudgedBy(t *testing.T) {
	d := open(t)
	p := d.register(t, baby())
	r := &stationsv1.RecordImmunizationRequest{
		ClientId: id(2), Patient: p, Vaccine: "dpt-hepb-hib", Dose: 1, Lot: " A123 ", Expires: "2027-03-31", At: "2026-10-21T08:00:00+07:00", Site: "left-thigh",
	}
	first, err := d.RecordImmunization(d.nurse, r)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := d.RecordImmunization(d.nurse, r); err != nil || !proto.Equal(first, again) {
		t.Errorf("again: %v, %v", again, err)
	}
	wants(t, d.records.only(t, "Immunization"), `"lotNumber":"A123"`, `"expirationDate":"2027-03-31"`, `"doseNumberPositiveInt":1`, `TT 52/2025/TT-BYT`,
		`"code":"dpt-hepb-hib"`, `"code":"198"`, `"code":"LT"`, `"Organization/77"`, `"Practitioner/5"`, `"reference":"Patient/`+p+`"`, `"primarySource":true`)
}

func TestADoseOutsideTheScheduleIsRefusedAndNamesTheDay(t *testing.T) {
	d := open(t)
	p := d.register(t, baby())
	give := func(n int, vaccine string, dose int32, at string, change func(*stationsv1.RecordImmunizationRequest)) error {
		r := &stationsv1.RecordImmunizationRequest{ClientId: id(n), Patient: p, Vaccine: vaccine, Dose: dose, Lot: "A1", At: at + "T08:00:00+07:00"}
		if change != nil {
			change(r)
		}
		_, err := d.RecordImmunization(d.nurse, r)
		return err
	}
	if err := give(2, "bopv", 1, "2026-10-10", nil); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		vaccine string
		dose    int32
		at      string
		change  func(*stationsv1.RecordImmunizationRequest)
		place   string
		says    string
	}{
		"a day too young":       {"dpt-hepb-hib", 1, "2026-10-01", nil, "at", "02/10/2026"},
		"measles far too young": {"measles", 1, "2026-11-20", nil, "at", "18/05/2027"},
		"too soon after one":    {"bopv", 2, "2026-11-06", nil, "at", "07/11/2026"},
		"given before":          {"bopv", 1, "2026-11-20", nil, "dose", "10/10/2026"},
		"no such dose":          {"bcg", 2, "2026-11-20", nil, "dose", "1 mũi"},
		"no such vaccine":       {"smallpox", 1, "2026-11-20", nil, "vaccine", "danh sách"},
		"no lot":                {"bcg", 1, "2026-11-20", func(r *stationsv1.RecordImmunizationRequest) { r.Lot = " " }, "lot", "số lô"},
		"expired lot":           {"bcg", 1, "2026-11-20", func(r *stationsv1.RecordImmunizationRequest) { r.Expires = "2026-11-19" }, "expires", "19/11/2026"},
		"no date of expiry":     {"bcg", 1, "2026-11-20", func(r *stationsv1.RecordImmunizationRequest) { r.Expires = "3/2027" }, "expires", "2027-03-31"},
		"unknown site":          {"bcg", 1, "2026-11-20", func(r *stationsv1.RecordImmunizationRequest) { r.Site = "nose" }, "site", "tay"},
		"tomorrow":              {"bcg", 1, "2026-11-22", nil, "at", "chưa đến"},
	} {
		t.Run(name, func(t *testing.T) {
			err := give(10, c.vaccine, c.dose, c.at, c.change)
			if f := fault.Of(err); err == nil || f.At != c.place || !strings.Contains(f.Message, c.says) {
				t.Errorf("got %v, want %q at %q", err, c.says, c.place)
			}
		})
	}
	if err := give(12, "je", 2, "2026-11-20", nil); err == nil {
		t.Error("a child of three months was given a dose of the second year")
	}
	for name, err := range map[string]error{
		"on the day the interval ends": give(20, "bopv", 2, "2026-11-07", nil),
		"on the last day of the lot": give(21, "bcg", 1, "2026-11-20", func(r *stationsv1.RecordImmunizationRequest) {
			r.Expires = "2026-11-20"
		}),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADoseIsRefusedWhereItWouldHarmOrDoNothing(t *testing.T) {
	d := open(t)
	register := func(n int, name, born string) string {
		r := baby()
		r.ClientId, r.Name, r.BirthDate = id(n), name, born
		return d.register(t, r)
	}
	child, elder, student := register(1, "Lê Văn Bình", "2026-08-21"), register(2, "Hồ Thị Sáu", "1950"), register(3, "Đỗ Minh An", "2019-11-21")
	// In this order: the dose that is given comes after the day it is refused.
	for n, c := range []struct {
		name, patient, vaccine string
		dose                   int32
		at, says               string
	}{
		{"birth dose on the seventh day", child, "hepb0", 1, "2026-08-28", ""},
		{"BCG for an elder", elder, "bcg", 1, "2026-11-20", "30/12/1951"},
		{"rotavirus for an elder", elder, "rota", 1, "2026-11-20", "quá tuổi"},
		{"whole-cell pertussis after seven years", student, "dpt4", 1, "2026-11-21", "20/11/2026"},
		{"the day before", student, "dpt4", 1, "2026-11-20", ""},
		{"measles is caught up at any age", student, "mr", 1, "2026-11-20", ""},
		{"second dose, the first on paper only", child, "dpt-hepb-hib", 2, "2026-11-20", ""},
	} {
		_, err := d.RecordImmunization(d.nurse, &stationsv1.RecordImmunizationRequest{
			ClientId: id(100 + n), Patient: c.patient, Vaccine: c.vaccine, Dose: c.dose, Lot: "A1", At: c.at + "T08:00:00+07:00",
		})
		if c.says == "" && err != nil || c.says != "" && (fault.Of(err).At != "at" || !strings.Contains(fault.Of(err).Message, c.says)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	// The first dose is entered afterwards; it must have left four weeks.
	for _, at := range []string{"2026-10-24", "2026-10-23"} {
		want := at == "2026-10-23"
		_, err := d.RecordImmunization(d.nurse, &stationsv1.RecordImmunizationRequest{
			ClientId: id(200), Patient: child, Vaccine: "dpt-hepb-hib", Dose: 1, Lot: "A1", At: at + "T08:00:00+07:00",
		})
		if !want && (err == nil || !strings.Contains(fault.Of(err).Message, "20/11/2026")) {
			t.Errorf("%s: %v, want a refusal that names the second dose", at, err)
		}
		if want && err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func TestVaccinesComeWithTheirSource(t *testing.T) {
	got, err := open(t).ListVaccines(t.Context(), &stationsv1.ListVaccinesRequest{})
	if err != nil || !strings.Contains(got.GetRules(), "TT 52/2025/TT-BYT") || !strings.Contains(got.GetRules(), "2026-01-01") || len(got.GetVaccines()) < 10 {
		t.Errorf("got %v, %v", got, err)
	}
}

// follow reads the change log to its end.
func (d *desk) follow(t *testing.T) {
	t.Helper()
	ctx := guard.As(context.Background(), "stations")
	for {
		more, err := d.Follow(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
}

func TestTodayShowsWhatWasDoneAndWhoIsDue(t *testing.T) {
	d := open(t)
	p := d.register(t, baby())
	grown := hoa(2)
	d.register(t, grown)
	if _, err := d.RecordImmunization(d.nurse, &stationsv1.RecordImmunizationRequest{ClientId: id(3), Patient: p, Vaccine: "bcg", Dose: 1, Lot: "A", At: "2026-08-22T08:00:00+07:00"}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.RecordVisit(d.nurse, &stationsv1.RecordVisitRequest{ClientId: id(4), Patient: p, Measures: []*stationsv1.Measure{{Kind: "weight", Value: "6.1"}}}); err != nil {
		t.Fatal(err)
	}
	d.follow(t)
	got, err := d.Today(d.nurse, &stationsv1.TodayRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got.GetRegistered() != 2 || got.GetVisits() != 1 || got.GetImmunizations() != 1 || len(got.GetDone()) != 4 {
		t.Errorf("done %v", got)
	}
	var due []string
	for _, x := range got.GetDue() {
		if x.GetPatient() != p || x.GetName() != "Lê Văn Bình" || x.GetPhone() != "0912345678" || x.GetHamlet() != "Thôn Phú Mỹ" {
			t.Errorf("due %v", x)
		}
		due = append(due, fmt.Sprintf("%s/%d %s %v", x.GetVaccine(), x.GetDose(), x.GetDue(), x.GetOverdue()))
	}
	// Two months old on 20 October, so a month and a day late on 21 November.
	want := "bopv/1 2026-10-20 true, dpt-hepb-hib/1 2026-10-20 true, rota/1 2026-10-20 true"
	if s := strings.Join(due, ", "); s != want {
		t.Errorf("due %s; want %s", s, want)
	}
	// Overdue ones come first, and a dose that was given calls for the next.
	if _, err := d.RecordImmunization(d.nurse, &stationsv1.RecordImmunizationRequest{ClientId: id(5), Patient: p, Vaccine: "rota", Dose: 1, Lot: "A", At: "2026-10-25T08:00:00+07:00"}); err != nil {
		t.Fatal(err)
	}
	d.follow(t)
	got, err = d.Today(d.nurse, &stationsv1.TodayRequest{})
	if err != nil || len(got.GetDue()) != 3 || !got.GetDue()[1].GetOverdue() || got.GetDue()[2].GetVaccine() != "rota" || got.GetDue()[2].GetDose() != 2 || got.GetDue()[2].GetDue() != "2026-11-22" || got.GetDue()[2].GetOverdue() {
		t.Errorf("after a dose: %v, %v", got.GetDue(), err)
	}
	// Another commune's nurse sees nobody; another day's list is empty.
	if got, err := d.Today(as(t, "n2", elsewhere), &stationsv1.TodayRequest{}); err != nil || len(got.GetDue()) != 0 || len(got.GetDone()) != 0 {
		t.Errorf("another commune: %v, %v", got, err)
	}
	if got, err := d.Today(d.nurse, &stationsv1.TodayRequest{Date: "2026-11-20"}); err != nil || len(got.GetDone()) != 0 || got.GetVisits() != 0 {
		t.Errorf("yesterday: %v, %v", got, err)
	}
	if _, err := d.Today(d.nurse, &stationsv1.TodayRequest{Date: "hôm qua"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("no date: %v", err)
	}
}

func TestTheRunningProjectionCatchesUpAndStops(t *testing.T) {
	d := open(t)
	d.register(t, baby())
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		got, err := d.Today(d.nurse, &stationsv1.TodayRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.GetDue()) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the projection did not catch up")
		}
	}
	if err := d.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
