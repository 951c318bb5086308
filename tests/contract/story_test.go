package contract_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
	coveragev1 "github.com/yba-health/yba/proto/gen/yba/coverage/v1"
	exchangev1 "github.com/yba-health/yba/proto/gen/yba/exchange/v1"
	noticesv1 "github.com/yba-health/yba/proto/gen/yba/notices/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

func TestStoryInBothForms(t *testing.T) {
	for form, start := range forms {
		t.Run(form, func(t *testing.T) {
			s := start(t)
			s.cli(t, "demo", "load", "--people", "60", "--url", s.url)
			story(t, s)
		})
	}
}

// story plays the one story that must always work, through every service.
func story(t *testing.T, s *system) {
	t.Helper()
	nurse, doctor, department := s.as(t, "dieuduong"), s.as(t, "bacsi"), s.as(t, "soyte")
	report := func() *coveragev1.ReportResponse {
		return do[coveragev1.ReportResponse](department, "coverage.Report", &coveragev1.ReportRequest{Indicator: "record-created"})
	}
	var before int32
	until(t, "coverage has seen the province", 60*time.Second, func() error {
		if before = report().GetTotal().GetNumerator(); before < 10 {
			return fmt.Errorf("%d records", before)
		}
		return nil
	})

	// The nurse registers a resident and measures.
	me := do[accessv1.Account](nurse, "access.Me", &accessv1.MeRequest{})
	person := &stationsv1.RegisterPersonRequest{
		ClientId: "7e0c1f86-2f0d-4a53-9c11-0d9c52a0b001", Name: "Lý Thị Kiểm Chứng", BirthDate: "1990-05-06", Gender: "female",
		Phone: "0599123456", Commune: me.GetCommunes()[0], Address: "Số 1, thôn 1", NotADuplicate: true,
	}
	registered := do[stationsv1.RegisterPersonResponse](nurse, "stations.RegisterPerson", person)
	again := do[stationsv1.RegisterPersonResponse](nurse, "stations.RegisterPerson", person)
	patient := registered.GetPerson().GetPatient()
	if patient == "" || again.GetPerson().GetPatient() != patient {
		t.Fatalf("registered as %q and, sent again, as %q", patient, again.GetPerson().GetPatient())
	}
	do[stationsv1.Entry](nurse, "stations.RecordVisit", &stationsv1.RecordVisitRequest{
		ClientId: "7e0c1f86-2f0d-4a53-9c11-0d9c52a0b002", Patient: patient, Reason: "Đau đầu",
		Measures: []*stationsv1.Measure{{Kind: "systolic", Value: "130"}, {Kind: "diastolic", Value: "85"}, {Kind: "weight", Value: "54.50"}},
	})
	if got := nurse.search("Observation", url.Values{"patient": {patient}, "category": {"vital-signs"}}); len(got) < 2 {
		t.Errorf("%d observations after the visit", len(got))
	}
	subscribed(t, nurse, doctor, patient)
	opened := do[stationsv1.OpenAccountResponse](nurse, "stations.OpenAccount", &stationsv1.OpenAccountRequest{Patient: patient})
	resident := s.as(t, opened.GetUsername())
	until(t, "the figure moved by one", 20*time.Second, func() error {
		if got := report().GetTotal().GetNumerator(); got != before+1 {
			return fmt.Errorf("%d, before %d", got, before)
		}
		return nil
	})

	// The resident books; the doctor holds the consultation.
	doctors := do[consultsv1.ListDoctorsResponse](resident, "consults.ListDoctors", &consultsv1.ListDoctorsRequest{})
	doctorAccount := do[accessv1.Account](doctor, "access.Me", &accessv1.MeRequest{})
	if len(doctors.GetDoctors()) == 0 {
		t.Fatal("no doctors on offer")
	}
	booking := &consultsv1.BookRequest{Patient: patient, Doctor: doctorAccount.GetId(), Reason: "Chóng mặt", RequestId: "7e0c1f86-2f0d-4a53-9c11-0d9c52a0b003"}
	booked := do[consultsv1.Consultation](resident, "consults.Book", booking)
	if twice := do[consultsv1.Consultation](resident, "consults.Book", booking); twice.GetId() != booked.GetId() {
		t.Errorf("booked twice: %s and %s", booked.GetId(), twice.GetId())
	}
	id := booked.GetId()
	do[consultsv1.Consultation](resident, "consults.CheckIn", &consultsv1.CheckInRequest{Id: id})
	queue := do[consultsv1.QueueResponse](doctor, "consults.Queue", &consultsv1.QueueRequest{})
	if n := len(queue.GetWaiting()); n == 0 || queue.GetWaiting()[n-1].GetId() != id {
		t.Errorf("queue %v", queue)
	}
	do[consultsv1.Consultation](doctor, "consults.Admit", &consultsv1.AdmitRequest{Id: id})
	seat := do[consultsv1.Seat](resident, "consults.Join", &consultsv1.JoinRequest{Id: id})
	if seat.GetToken() == "" {
		t.Error("no seat")
	}
	if got := doctor.search("Patient", url.Values{"_id": {patient}}); len(got) != 1 {
		t.Errorf("the doctor finds %d patients in her care", len(got))
	}
	do[consultsv1.Consultation](doctor, "consults.SaveNote", &consultsv1.SaveNoteRequest{Id: id, Text: "Nghỉ ngơi.", Final: true})
	do[consultsv1.Consultation](doctor, "consults.Prescribe", &consultsv1.PrescribeRequest{
		Id: id, Medicines: []*consultsv1.Medicine{{Name: "Paracetamol 500 mg", Dose: "1 viên", PerDay: 3, Days: 5, Instruction: "sau ăn", Quantity: "15 viên"}},
	})
	do[consultsv1.Consultation](doctor, "consults.End", &consultsv1.EndRequest{Id: id})

	// The resident reads both, hears of it, and sees who looked.
	if got := resident.search("DocumentReference", url.Values{"patient": {patient}}); len(got) != 1 {
		t.Errorf("%d notes", len(got))
	}
	if got := resident.search("MedicationRequest", url.Values{"patient": {patient}}); len(got) != 1 {
		t.Errorf("%d prescriptions", len(got))
	}
	until(t, "notices of booking and result", 20*time.Second, func() error {
		kinds := map[string]bool{}
		for _, n := range do[noticesv1.ListNoticesResponse](resident, "notices.ListNotices", &noticesv1.ListNoticesRequest{}).GetNotices() {
			kinds[n.GetKind()] = true
		}
		if !kinds["booked"] || !kinds["result"] {
			return fmt.Errorf("have %v", kinds)
		}
		return nil
	})
	until(t, "the access log names the doctor", 10*time.Second, func() error {
		log := do[accessv1.AccessLogResponse](resident, "access.AccessLog", &accessv1.AccessLogRequest{Patient: patient, Limit: 200})
		for _, e := range log.GetEntries() {
			if e.GetAccount() == doctorAccount.GetId() && e.GetOutcome() == "ok" {
				return nil
			}
		}
		return errors.New("not there")
	})
	until(t, "remote care is counted", 20*time.Second, func() error {
		r := do[coveragev1.ReportResponse](department, "coverage.Report", &coveragev1.ReportRequest{Indicator: "remote-care-adults"})
		if r.GetTotal().GetNumerator() == 0 || r.GetAsOf() == "" || r.GetIndicator().GetDefinition() == "" {
			return fmt.Errorf("report %v", r)
		}
		return nil
	})

	merged(t, s, nurse, doctor, resident, patient, id)
	refusals(t, s, patient, id)
}

// refusals are what each form must refuse in the same way, and keep in the log.
func refusals(t *testing.T, s *system, patient, consultation string) {
	t.Helper()
	stranger, doctor, nobody := s.as(t, "binh"), s.as(t, "chuyenkhoa"), s.as(t, "")
	for path, who := range map[string]*user{"/fhir/R4/Patient/" + patient: stranger, "/fhir/R4/Patient/" + patient + "/$everything": stranger} {
		if status, body := who.send(http.MethodGet, path, "", nil); status != http.StatusForbidden {
			t.Errorf("a stranger got %d from %s: %s", status, strings.ReplaceAll(path, patient, "{id}"), body)
		}
	}
	if status, _ := nobody.send(http.MethodGet, "/fhir/R4/Patient/"+patient, "", nil); status != http.StatusUnauthorized {
		t.Errorf("nobody got %d", status)
	}
	if status, _ := doctor.send(http.MethodGet, "/fhir/R4/Patient/"+patient, "", nil); status != http.StatusForbidden {
		t.Errorf("a doctor without a care relation got %d", status)
	}
	stranger.refused("consults.Join", &consultsv1.JoinRequest{Id: consultation}, "forbidden")
	stranger.refused("consults.Book", &consultsv1.BookRequest{Patient: patient, Doctor: "x"}, "forbidden")
	stranger.refused("stations.FindPeople", &stationsv1.FindPeopleRequest{Query: "Ly"}, "forbidden")
	stranger.refused("coverage.Report", &coveragev1.ReportRequest{Indicator: "record-created"}, "forbidden")
	stranger.refused("access.AccessLog", &accessv1.AccessLogRequest{Patient: patient}, "forbidden")
	nobody.refused("consults.Queue", &consultsv1.QueueRequest{}, "unauthenticated")
	nobody.refused("exchange.CheckIdentifier", &exchangev1.CheckIdentifierRequest{Value: "1"}, "unauthenticated")
	administrator := s.as(t, "quantri")
	until(t, "the refusals are audited", 10*time.Second, func() error {
		seen := map[string]bool{}
		for _, e := range do[accessv1.AccessLogResponse](administrator, "access.ListAudit", &accessv1.ListAuditRequest{Denied: true, Limit: 100}).GetEntries() {
			seen[e.GetOperation()] = true
		}
		for _, op := range []string{"records.Read", "consults.Join", "consults.Book", "stations.FindPeople", "coverage.Report", "access.AccessLog", "consults.Queue"} {
			if !seen[op] {
				return fmt.Errorf("%s is missing", op)
			}
		}
		return nil
	})
	// The administrator runs the system and reads no record.
	if status, _ := administrator.send(http.MethodGet, "/fhir/R4/Patient/"+patient, "", nil); status != http.StatusForbidden {
		t.Errorf("the administrator got %d", status)
	}
	if out := s.cli(t, "doctor", "audit"); out == "" {
		t.Error("yba doctor audit says nothing")
	}
}
