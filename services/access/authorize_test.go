package access_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// written puts a decision into one word list, for comparing.
func written(d *accessv1.Decision) string {
	if !d.GetAllowed() {
		return "no"
	}
	s := d.GetScope()
	var parts []string
	if s.GetAll() {
		parts = append(parts, "all")
	}
	if s.GetDeidentified() {
		parts = append(parts, "deidentified")
	}
	patients, communes := slices.Clone(s.GetPatients()), slices.Clone(s.GetCommunes())
	slices.Sort(patients)
	slices.Sort(communes)
	if len(patients) > 0 {
		parts = append(parts, "patients "+strings.Join(patients, ","))
	}
	if len(communes) > 0 {
		parts = append(parts, "communes "+strings.Join(communes, ","))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}

func TestDecisionsAreTheScopesOfRolesAndFacts(t *testing.T) {
	w := newWorld(t,
		&stationsv1.Succession{OldCode: "1001", OldValidFrom: "2020-01-01", NewCode: "2001", NewValidFrom: "2025-07-01", Extent: "full"},
		&stationsv1.Succession{OldCode: "0901", OldValidFrom: "2004-01-01", NewCode: "1001", NewValidFrom: "2020-01-01", Extent: "full"},
		&stationsv1.Succession{OldCode: "1002", OldValidFrom: "2020-01-01", NewCode: "2001", NewValidFrom: "2025-07-01", Extent: "partial"},
		// The same code, given anew to another commune.
		&stationsv1.Succession{OldCode: "1009", OldValidFrom: "2020-01-01", NewCode: "2001", NewValidFrom: "2030-07-01", Extent: "full"},
	)
	now := w.clock.now()
	patient := w.open("hoa", []string{"patient"}, func(r *accessv1.CreateAccountRequest) { r.Patient = "p1" })
	mother := w.open("lan", []string{"patient", "guardian"}, func(r *accessv1.CreateAccountRequest) { r.Patient = "p2" })
	guardian := w.open("minh", []string{"guardian"}, nil)
	nurse := w.open("nurse", []string{"nurse"}, func(r *accessv1.CreateAccountRequest) { r.Communes = []string{"2001@2025-07-01"} })
	nursePatient := w.open("nurse2", []string{"nurse", "patient"}, func(r *accessv1.CreateAccountRequest) {
		r.Communes, r.Patient = []string{"3001@2025-07-01"}, "p9"
	})
	doctor := w.open("doctor", []string{"doctor"}, nil)
	specialist := w.open("specialist", []string{"specialist"}, nil)
	doctorPatient := w.open("doctor2", []string{"doctor", "patient"}, func(r *accessv1.CreateAccountRequest) { r.Patient = "p8" })
	department := w.open("department", []string{"department"}, nil)
	departmentDoctor := w.open("both", []string{"department", "doctor"}, nil)
	administrator := w.open("admin", []string{"administrator"}, nil)
	importer := w.open("importer", []string{"importer"}, nil)

	w.relate(mother, "p3", "guardian", now.Add(-time.Hour), time.Time{})
	w.relate(mother, "p4", "guardian", now.Add(-time.Hour), now.Add(-time.Minute))
	w.relate(guardian, "p3", "guardian", now.Add(-time.Hour), now.Add(time.Hour))
	w.relate(doctor, "p1", "treating", now.Add(-time.Hour), now.Add(time.Hour))
	w.relate(doctor, "p5", "treating", now.Add(time.Hour), time.Time{})
	w.relate(doctor, "p6", "guardian", now.Add(-time.Hour), time.Time{})
	w.relate(doctorPatient, "p1", "treating", now.Add(-time.Hour), time.Time{})
	w.relate(departmentDoctor, "p1", "treating", now.Add(-time.Hour), time.Time{})

	for _, c := range []struct {
		who       *accessv1.Account
		operation string
		want      string
	}{
		{patient, "records.Read", "patients p1"},
		{patient, "records.Create", "no"},
		{patient, "consults.Book", "patients p1"},
		{patient, "consults.Queue", "no"},
		{patient, "access.AccessLog", "patients p1"},
		{patient, "access.ListAudit", "no"},
		{patient, "access.ListAccounts", "no"},
		{patient, "stations.FindPeople", "no"},
		{patient, "notices.Notify", "no"},
		{patient, "records.Changes", "no"},
		{patient, "notices.PushKey", "nothing"},
		{mother, "records.Read", "patients p2,p3"},
		{guardian, "records.Everything", "patients p3"},
		{guardian, "access.AccessLog", "patients p3"},
		{nurse, "records.Search", "communes 0901@2004-01-01,1001@2020-01-01,2001@2025-07-01"},
		{nurse, "stations.RegisterPerson", "communes 0901@2004-01-01,1001@2020-01-01,2001@2025-07-01"},
		{nurse, "records.SubscriptionEvents", "communes 0901@2004-01-01,1001@2020-01-01,2001@2025-07-01"},
		{doctor, "records.SubscriptionEvents", "patients p1"},
		{patient, "records.SubscriptionEvents", "no"},
		{department, "records.SubscriptionEvents", "no"},
		{nurse, "consults.Join", "nothing"},
		{nurse, "consults.Queue", "no"},
		{nurse, "consults.Book", "communes 0901@2004-01-01,1001@2020-01-01,2001@2025-07-01"},
		{nurse, "consults.Prescribe", "no"},
		{nurse, "access.AccessLog", "no"},
		{nurse, "stations.ImportUnits", "no"},
		{nursePatient, "records.Read", "patients p9; communes 3001@2025-07-01"},
		{doctor, "records.Read", "patients p1"},
		{doctor, "records.Create", "patients p1"},
		{doctor, "records.Delete", "no"},
		{doctor, "consults.Queue", "patients p1"},
		{doctor, "coverage.Report", "no"},
		{doctor, "consults.Book", "no"},
		{specialist, "consults.CheckIn", "no"},
		// A doctor's patients do not show the doctor who read their records.
		{doctorPatient, "access.AccessLog", "patients p8"},
		{doctorPatient, "records.Read", "patients p1,p8"},
		{specialist, "records.Read", "nothing"},
		{department, "coverage.Report", "nothing"},
		{department, "records.Search", "deidentified"},
		{department, "records.Everything", "no"},
		{departmentDoctor, "records.Search", "deidentified; patients p1"},
		{departmentDoctor, "records.Everything", "patients p1"},
		{administrator, "records.Read", "no"},
		{administrator, "consults.GetConsultation", "no"},
		{administrator, "access.ListAudit", "nothing"},
		{administrator, "access.CreateAccount", "all"},
		{administrator, "coverage.Rebuild", "nothing"},
		{importer, "records.Transact", "all"},
		{importer, "access.ListAudit", "no"},
		{patient, "records.NoSuchThing", "no"},
		{patient, "nowhere.Read", "no"},
	} {
		t.Run(fmt.Sprintf("%s %s", c.who.GetUsername(), c.operation), func(t *testing.T) {
			d := w.authorize(&accessv1.AuthorizeRequest{Principal: &accessv1.Principal{Account: c.who.GetId()}, Operation: c.operation})
			if got := written(d); got != c.want {
				t.Errorf("%s, not %s (%s)", got, c.want, d.GetReason())
			}
			if d.GetAllowed() && !d.GetScope().GetShared() {
				t.Error("the scope does not reach shared resources")
			}
			if !d.GetAllowed() && d.GetReason() == "" {
				t.Error("a refusal has no reason")
			}
		})
	}
}

func TestAServiceIsDecidedByItsOwnRows(t *testing.T) {
	w := newWorld(t)
	patient := w.open("hoa", []string{"patient"}, func(r *accessv1.CreateAccountRequest) { r.Patient = "p1" })
	for _, c := range []struct{ service, operation, want string }{
		{"consults", "records.Create", "all"},
		{"consults", "records.Delete", "no"},
		{"consults", "records.Changes", "no"},
		{"stations", "records.Delete", "no"},
		{"stations", "records.Changes", "all"},
		{"consults", "notices.Notify", "all"},
		{"consults", "access.CreateAccount", "no"},
		{"stations", "access.CreateAccount", "all"},
		{"stations", "exchange.CheckIdentifier", "nothing"},
		{"coverage", "records.Changes", "all"},
		{"coverage", "records.Read", "no"},
		{"notices", "records.Read", "all"},
		{"notices", "records.Create", "no"},
		{"access", "stations.ListSuccessions", "nothing"},
		{"nobody", "records.Read", "no"},
		{"guard", "records.Read", "no"},
	} {
		t.Run(c.service+" "+c.operation, func(t *testing.T) {
			p := &accessv1.Principal{Service: c.service, Account: patient.GetId(), Roles: []string{"administrator"}}
			d := w.authorize(&accessv1.AuthorizeRequest{Principal: p, Operation: c.operation})
			if got := written(d); got != c.want {
				t.Errorf("%s, not %s", got, c.want)
			}
			if d.GetPrincipal().GetAccount() != patient.GetId() || d.GetPrincipal().GetService() != c.service {
				t.Error("the decision forgets for whom the service acts")
			}
		})
	}
}

func TestNobodySignedInMayDoLittle(t *testing.T) {
	w := newWorld(t)
	for _, req := range []*accessv1.AuthorizeRequest{{}, {Token: "made-up"}, {Principal: &accessv1.Principal{Roles: []string{"administrator"}}}} {
		for operation, want := range map[string]string{
			"records.Capabilities": "nothing", "notices.PushKey": "nothing", "records.Read": "no", "access.Me": "no", "consults.ListDoctors": "no",
		} {
			req.Operation = operation
			d := w.authorize(req)
			if got := written(d); got != want {
				t.Errorf("%s with %v: %s, not %s", operation, req, got, want)
			}
			if d.GetPrincipal().GetAccount() != "" || d.GetScope().GetShared() {
				t.Errorf("%s: nobody became %v", operation, d)
			}
		}
	}
}

func TestRolesComeFromTheDatabaseNotFromTheCaller(t *testing.T) {
	w := newWorld(t)
	patient := w.open("hoa", []string{"patient"}, func(r *accessv1.CreateAccountRequest) { r.Patient = "p1" })
	p := &accessv1.Principal{Account: patient.GetId(), Roles: []string{"administrator", "importer"}, Patient: "p7", Communes: []string{"1@2020-01-01"}}
	if got := written(w.authorize(&accessv1.AuthorizeRequest{Principal: p, Operation: "records.Read"})); got != "patients p1" {
		t.Errorf("claimed facts gave %s", got)
	}
	if got := written(w.authorize(&accessv1.AuthorizeRequest{Principal: p, Operation: "access.ListAudit"})); got != "no" {
		t.Errorf("a claimed role gave %s", got)
	}
}

func TestADisabledAccountIsRefusedAtOnce(t *testing.T) {
	w := newWorld(t)
	admin := w.open("admin", []string{"administrator"}, nil)
	nurse := w.open("nurse", []string{"nurse"}, func(r *accessv1.CreateAccountRequest) { r.Communes = []string{"2001@2025-07-01"} })
	ctx := w.as(nurse)
	if _, err := w.client.Me(ctx, &accessv1.MeRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.DisableAccount(w.as(admin), &accessv1.DisableAccountRequest{Account: nurse.GetId()}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Me(ctx, &accessv1.MeRequest{}); err == nil {
		t.Error("a disabled account still acts")
	}
	if got := written(w.authorize(&accessv1.AuthorizeRequest{Principal: &accessv1.Principal{Account: nurse.GetId()}, Operation: "records.Read"})); got != "no" {
		t.Errorf("a disabled nurse reaches %s", got)
	}
}

func TestARelationReachesOnlyWhileItHolds(t *testing.T) {
	w := newWorld(t)
	doctor := w.open("doctor", []string{"doctor"}, nil)
	reach := func() string {
		return written(w.authorize(&accessv1.AuthorizeRequest{Principal: &accessv1.Principal{Account: doctor.GetId()}, Operation: "records.Read"}))
	}
	id := w.relate(doctor, "p1", "treating", time.Time{}, time.Time{})
	w.relate(doctor, "p2", "treating", time.Time{}, w.clock.now().Add(time.Hour))
	if got := reach(); got != "patients p1,p2" {
		t.Fatalf("the doctor reaches %s", got)
	}
	if _, err := w.client.EndRelation(guard.As(t.Context(), "consults"), &accessv1.EndRelationRequest{Id: id}); err != nil {
		t.Fatal(err)
	}
	if got := reach(); got != "patients p2" {
		t.Errorf("after the end the doctor reaches %s", got)
	}
	w.clock.advance(2 * time.Hour)
	if got := reach(); got != "nothing" {
		t.Errorf("after the period the doctor reaches %s", got)
	}
}

func TestANurseKeepsHerCommuneWithoutTheStationsService(t *testing.T) {
	w := newWorld(t)
	nurse := w.open("nurse", []string{"nurse"}, func(r *accessv1.CreateAccountRequest) { r.Communes = []string{"2001@2025-07-01"} })
	d := w.authorize(&accessv1.AuthorizeRequest{Principal: &accessv1.Principal{Account: nurse.GetId()}, Operation: "records.Read"})
	if got := written(d); got != "communes 2001@2025-07-01" {
		t.Error(got)
	}
}

func TestOnlyServicesMayAuthorizeAndAppend(t *testing.T) {
	w := newWorld(t)
	admin := w.open("admin", []string{"administrator"}, nil)
	if _, err := w.client.Authorize(w.as(admin), &accessv1.AuthorizeRequest{Operation: "records.Read"}); err == nil {
		t.Error("a person asked for a decision")
	}
	if _, err := w.client.Append(w.as(admin), &accessv1.AppendRequest{}); err == nil {
		t.Error("a person wrote to the audit log")
	}
	for _, op := range w.service.Table().Operations {
		if want := op.Method == "Authorize" || op.Method == "Append"; op.Rules.Internal != want {
			t.Errorf("%s: internal is %v", op.Name, op.Rules.Internal)
		}
	}
}
