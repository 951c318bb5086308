package consults

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/consults/consult"
)

// name is the service's name, as which it acts in records and access.
const name = "consults"

// Service carries out the operations.
type Service struct {
	store   consult.Store
	records recordsv1.RecordsClient
	access  accessv1.AccessClient
	hall    *hall
	hub     *hub
	guard   *guard.Guard
	origins []string
	// owner names this process in the leases of rooms.
	owner string
	// recheck is how often a seat's right to be in the room is asked again.
	recheck time.Duration
	ice     iceServers
	log     *slog.Logger
	now     func() time.Time
}

var errStranger = fault.New(fault.Forbidden, "this consultation is not yours", nil)

// get returns the consultation and as what the caller belongs to it.
func (s *Service) get(ctx context.Context, id string) (consult.Consultation, consult.Role, error) {
	if _, err := uuid.Parse(id); err != nil {
		return consult.Consultation{}, "", fault.New(fault.NotFound, "there is no such consultation", nil).In("id")
	}
	c, err := s.store.Get(ctx, id)
	if err != nil {
		return c, "", err
	}
	// Touched before the role is known: a refused attempt is the patient's to see.
	guard.Touch(ctx, c.Patient, "consultation/"+c.ID)
	role, err := s.role(ctx, &c)
	return c, role, err
}

// role finds as what the caller belongs to c. The policy's scope is not
// enough: a doctor who treats the patient for something else has no business
// in this room.
func (s *Service) role(ctx context.Context, c *consult.Consultation) (consult.Role, error) {
	p := guard.PrincipalOf(ctx)
	if p.GetAccount() == "" {
		return "", errStranger
	}
	if p.GetAccount() == c.Doctor {
		return consult.Doctor, nil
	}
	if m, ok := c.Member(p.GetAccount()); ok && m.Role.Cares() {
		return m.Role, nil
	}
	return s.family(ctx, c.Patient)
}

// family is the patient or somebody who is the patient's guardian today.
func (s *Service) family(ctx context.Context, patient string) (consult.Role, error) {
	p := guard.PrincipalOf(ctx)
	// A consultation keeps the id that its patient had before a merge.
	if patient != "" && (p.GetPatient() == patient || slices.Contains(p.GetMerged(), patient)) {
		return consult.Patient, nil
	}
	if !guard.Covers(guard.ScopeOf(ctx), patient, "") {
		return "", errStranger
	}
	answer, err := s.access.ListRelations(guard.As(ctx, name), &accessv1.ListRelationsRequest{Account: p.GetAccount(), Patient: patient})
	if err != nil {
		return "", err
	}
	for _, r := range answer.GetRelations() {
		if r.GetKind() == "guardian" && r.GetAccount() == p.GetAccount() && s.current(r) {
			return consult.Guardian, nil
		}
	}
	return "", errStranger
}

func (s *Service) current(r *accessv1.Relation) bool {
	now := s.now()
	if from, err := time.Parse(time.RFC3339, r.GetFrom()); err == nil && now.Before(from) {
		return false
	}
	until, err := time.Parse(time.RFC3339, r.GetUntil())
	return err != nil || now.Before(until)
}

// doctors returns the consultation if the caller is its doctor.
func (s *Service) doctors(ctx context.Context, id string) (consult.Consultation, error) {
	c, role, err := s.get(ctx, id)
	if err == nil && role != consult.Doctor {
		err = fault.New(fault.Forbidden, "only the booked doctor may do this", nil)
	}
	return c, err
}

// change lets f change the consultation, carries it to the record and shows it.
func (s *Service) change(ctx context.Context, id string, role consult.Role, f func(*consult.Consultation) error) (*consultsv1.Consultation, error) {
	c, err := s.store.Change(ctx, id, f)
	if err != nil {
		return nil, err
	}
	if err := s.record(ctx, c.ID); err != nil {
		return nil, err
	}
	return s.show(ctx, &c, role)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(consult.Zone).Format(time.RFC3339)
}

// show is the consultation as somebody of the role sees it.
func (s *Service) show(ctx context.Context, c *consult.Consultation, role consult.Role) (*consultsv1.Consultation, error) {
	v := &consultsv1.Consultation{
		Id: c.ID, Patient: c.Patient, PatientName: c.PatientName, BirthDate: c.BirthDate, Gender: c.Gender,
		Doctor: c.Doctor, DoctorName: c.DoctorName, FacilityName: c.FacilityName,
		Start: stamp(c.Start), End: stamp(c.End), Reason: c.Reason, Status: string(c.Status),
		CheckedIn: stamp(c.CheckedIn), Started: stamp(c.Started), Ended: stamp(c.Ended), Appointment: c.ID,
	}
	if !c.Started.IsZero() {
		v.Encounter = c.ID
	}
	if c.Note != "" {
		v.Note = c.ID
	}
	for _, m := range c.Medicines {
		v.Prescriptions = append(v.Prescriptions, m.ID)
	}
	if role == consult.Doctor {
		v.Draft = c.Draft
	}
	v.Members = append(v.Members, &consultsv1.Member{
		Account: c.Doctor, Name: c.DoctorName, Role: string(consult.Doctor), Present: s.hall.present(c.ID, c.Doctor),
	})
	for _, m := range c.Members {
		v.Members = append(v.Members, &consultsv1.Member{
			Account: m.Account, Name: m.Name, Role: string(m.Role), Present: s.hall.present(c.ID, m.Account),
		})
	}
	if c.Status == consult.Waiting {
		queue, err := s.waiting(ctx, c.Doctor)
		if err != nil {
			return nil, err
		}
		v.Place = int32(1 + slices.IndexFunc(queue, func(o consult.Consultation) bool { return o.ID == c.ID }))
	}
	return v, nil
}

// waiting is a doctor's waiting room in order.
func (s *Service) waiting(ctx context.Context, doctor string) ([]consult.Consultation, error) {
	list, err := s.store.List(ctx, consult.Filter{Doctor: doctor, Statuses: []consult.Status{consult.Waiting}, Limit: 200})
	slices.SortFunc(list, order)
	return list, err
}

func order(a, b consult.Consultation) int {
	switch {
	case a.Before(&b):
		return -1
	case b.Before(&a):
		return 1
	}
	return 0
}

func (s *Service) showAll(ctx context.Context, list []consult.Consultation, role func(*consult.Consultation) consult.Role) ([]*consultsv1.Consultation, error) {
	out := make([]*consultsv1.Consultation, 0, len(list))
	for i := range list {
		v, err := s.show(ctx, &list[i], role(&list[i]))
		if err != nil {
			return nil, err
		}
		guard.Touch(ctx, list[i].Patient, "")
		out = append(out, v)
	}
	return out, nil
}

// text bounds what people type, in bytes.
func text(s, at string, most int) error {
	if len(s) > most {
		return fault.Newf(fault.TooLarge, "at most %d bytes", most).In(at)
	}
	return nil
}
