package consults

import (
	"context"
	"encoding/json"
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

const maxReason = 2000

// Book books a consultation for the patient: by themselves, by a guardian, or
// by the nurse of the station, who then belongs in the room too.
func (s *Service) Book(ctx context.Context, req *consultsv1.BookRequest) (*consultsv1.Consultation, error) {
	if req.GetPatient() == "" {
		return nil, fault.New(fault.Invalid, "for whom? name the patient", nil).In("patient")
	}
	if err := text(req.GetReason(), "reason", maxReason); err != nil {
		return nil, err
	}
	if err := text(req.GetRequestId(), "request_id", 100); err != nil {
		return nil, err
	}
	guard.Touch(ctx, req.GetPatient(), "Appointment")
	d, err := s.store.Doctor(ctx, req.GetDoctor())
	if err != nil {
		return nil, noDoctor(err)
	}
	if err := s.works(ctx, &d); err != nil {
		return nil, err
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	p := guard.PrincipalOf(ctx)
	c := consult.Consultation{
		ID: uuid.NewString(), Patient: req.GetPatient(), Doctor: d.ID, DoctorName: d.Name, Practitioner: d.Practitioner,
		Facility: d.Facility, FacilityName: d.FacilityName, Reason: req.GetReason(), Status: consult.Booked,
		BookedBy: p.GetAccount(), RequestID: req.GetRequestId(), Created: now,
	}
	// The user's own rights decide whether they may see the person.
	if err := s.person(ctx, &c); err != nil {
		return nil, err
	}
	role, err := s.family(ctx, c.Patient)
	if fault.Is(err, fault.Forbidden) && slices.Contains(p.GetRoles(), "nurse") {
		role, err = consult.Nurse, nil
	}
	if err != nil {
		return nil, err
	}
	c.Put(consult.Member{Account: p.GetAccount(), Name: p.GetName(), Role: role})
	if req.GetStart() == "" {
		c.Soon, c.Start, c.End = true, now, now.Add(d.Slot)
	} else {
		// A retry finds its own booking, not that its slot is taken.
		if c.Start, err = startOf(req.GetStart()); err != nil {
			return nil, err
		}
		c.End = c.Start.Add(d.Slot)
	}
	kept, repeated, err := s.book(ctx, &d, c)
	if err != nil {
		return nil, err
	}
	if repeated && (kept.Patient != c.Patient || kept.Doctor != c.Doctor) {
		return nil, fault.New(fault.Conflict, "this request id stands for another booking; use a new one", nil).In("request_id")
	}
	if repeated && kept.Status == consult.Cancelled {
		return nil, fault.New(fault.Precondition, "this booking was cancelled; book anew under a new request id", nil).In("request_id")
	}
	if err := s.record(ctx, kept.ID); err != nil {
		if !repeated {
			s.giveUp(context.WithoutCancel(ctx), kept.ID)
		}
		return nil, err
	}
	return s.show(ctx, &kept, role)
}

// giveUp frees the slot of a booking that was refused for good. What already
// stands in the record is cancelled there, else nothing is left of it.
func (s *Service) giveUp(ctx context.Context, id string) {
	c, err := s.store.Get(ctx, id)
	if err == nil && len(c.Written) > 0 {
		if _, err = s.store.Change(ctx, id, func(c *consult.Consultation) error { return c.Cancel("") }); err == nil {
			err = s.record(ctx, id)
		}
	} else if err == nil {
		err = s.store.Discard(ctx, id)
	}
	if err != nil {
		s.log.Error("booking not given up", "consultation", id, "error", err)
	}
}

// works refuses doctors whose account is disabled or gone: their hours are
// still published, but nobody would come.
func (s *Service) works(ctx context.Context, d *consult.DoctorOffer) error {
	list, err := s.access.ListAccounts(guard.As(ctx, name), &accessv1.ListAccountsRequest{Account: d.ID})
	if err != nil {
		return err
	}
	for _, a := range list.GetAccounts() {
		if a.GetId() == d.ID && !a.GetDisabled() {
			return nil
		}
	}
	return fault.New(fault.Precondition, "this doctor offers no remote consultations any more; choose another one", nil).In("doctor")
}

// arranged refuses those who were invited: when a consultation takes place is
// between the patient's side and the doctor.
func arranged(ctx context.Context, c *consult.Consultation) error {
	p := guard.PrincipalOf(ctx)
	if m, ok := c.Member(p.GetAccount()); ok && !m.Until.IsZero() && p.GetAccount() != c.Doctor {
		return fault.New(fault.Forbidden, "who was invited may not move or cancel a consultation", nil)
	}
	return nil
}

func (s *Service) book(ctx context.Context, d *consult.DoctorOffer, c consult.Consultation) (consult.Consultation, bool, error) {
	if !c.Soon && !d.Offers(c.Start, s.now()) {
		return c, false, notOffered()
	}
	return s.store.Book(ctx, c)
}

func notOffered() error {
	return fault.New(fault.Precondition, "the doctor offers no consultation at this time; choose one of the free times", nil).In("start")
}

func startOf(t string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, t)
	if err != nil {
		return at, fault.New(fault.Invalid, `a time looks like "2026-11-21T08:00:00+07:00"`, nil).In("start")
	}
	return at.UTC().Truncate(time.Second), nil
}

// person fills in who the patient is.
func (s *Service) person(ctx context.Context, c *consult.Consultation) error {
	r, err := s.records.Read(ctx, &recordsv1.ReadRequest{Type: "Patient", Id: c.Patient})
	if err != nil {
		return err
	}
	var p struct {
		Name []struct {
			Use    string   `json:"use"`
			Text   string   `json:"text"`
			Family string   `json:"family"`
			Given  []string `json:"given"`
		} `json:"name"`
		BirthDate string `json:"birthDate"`
		Gender    string `json:"gender"`
	}
	if err := json.Unmarshal(r.GetBody(), &p); err != nil {
		return fault.New(fault.Internal, "internal error", err)
	}
	c.BirthDate, c.Gender = p.BirthDate, p.Gender
	for _, n := range p.Name {
		full := n.Text
		if full == "" {
			full = n.Family
			for _, g := range n.Given {
				full += " " + g
			}
		}
		if c.PatientName == "" || n.Use == "official" {
			c.PatientName = full
		}
	}
	return nil
}

// Reschedule moves a consultation to another free time of the same doctor.
func (s *Service) Reschedule(ctx context.Context, req *consultsv1.RescheduleRequest) (*consultsv1.Consultation, error) {
	c, role, err := s.get(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	if err := arranged(ctx, &c); err != nil {
		return nil, err
	}
	start, err := startOf(req.GetStart())
	if err != nil {
		return nil, err
	}
	d, err := s.store.Doctor(ctx, c.Doctor)
	if err != nil {
		return nil, noDoctor(err)
	}
	if !d.Offers(start, s.now()) {
		return nil, notOffered()
	}
	return s.change(ctx, c.ID, role, func(c *consult.Consultation) error { return c.Reschedule(start, start.Add(d.Slot)) })
}

// Cancel gives up a consultation; the doctor's access to the record ends.
func (s *Service) Cancel(ctx context.Context, req *consultsv1.CancelRequest) (*consultsv1.Consultation, error) {
	c, role, err := s.get(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	if err := arranged(ctx, &c); err != nil {
		return nil, err
	}
	if err := text(req.GetReason(), "reason", maxReason); err != nil {
		return nil, err
	}
	return s.change(ctx, c.ID, role, func(c *consult.Consultation) error { return c.Cancel(req.GetReason()) })
}

// CheckIn brings the patient into the waiting room.
func (s *Service) CheckIn(ctx context.Context, req *consultsv1.CheckInRequest) (*consultsv1.Consultation, error) {
	c, role, err := s.get(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	if role == consult.Doctor || role == consult.Specialist {
		return nil, fault.New(fault.Forbidden, "the patient, the guardian or the nurse checks in", nil)
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	return s.change(ctx, c.ID, role, func(c *consult.Consultation) error {
		p := guard.PrincipalOf(ctx)
		// Who is a member stays what they are: an invitation has an end.
		if _, here := c.Member(p.GetAccount()); !here {
			c.Put(consult.Member{Account: p.GetAccount(), Name: p.GetName(), Role: role})
		}
		return c.CheckIn(now)
	})
}

const maxList = 200

// ListConsultations lists a patient's consultations or the caller's own.
func (s *Service) ListConsultations(ctx context.Context, req *consultsv1.ListConsultationsRequest) (*consultsv1.ListConsultationsResponse, error) {
	f := consult.Filter{Patient: req.GetPatient(), Limit: int(req.GetLimit())}
	if f.Limit <= 0 || f.Limit > maxList {
		f.Limit = maxList
	}
	for _, st := range req.GetStatus() {
		if !consult.Status(st).Valid() {
			return nil, fault.New(fault.Invalid, "a status is booked, waiting, active, ended, cancelled or missed", nil).In("status")
		}
		f.Statuses = append(f.Statuses, consult.Status(st))
	}
	account := guard.PrincipalOf(ctx).GetAccount()
	if f.Patient != "" && f.Patient == guard.PrincipalOf(ctx).GetPatient() {
		f.Merged = guard.PrincipalOf(ctx).GetMerged()
	}
	if f.Patient == "" {
		if account == "" {
			return nil, fault.New(fault.Unauthenticated, "sign in first", nil)
		}
		f.Account = account
	} else {
		guard.Touch(ctx, f.Patient, "")
		if !guard.Covers(guard.ScopeOf(ctx), f.Patient, "") {
			// Only the record knows where the person lives.
			if err := s.person(ctx, &consult.Consultation{Patient: f.Patient}); err != nil {
				return nil, err
			}
		}
	}
	list, err := s.store.List(ctx, f)
	if err != nil {
		return nil, err
	}
	out, err := s.showAll(ctx, list, func(c *consult.Consultation) consult.Role {
		if account != "" && c.Doctor == account {
			return consult.Doctor
		}
		return ""
	})
	return &consultsv1.ListConsultationsResponse{Consultations: out}, err
}

// GetConsultation shows a consultation to its members.
func (s *Service) GetConsultation(ctx context.Context, req *consultsv1.GetConsultationRequest) (*consultsv1.Consultation, error) {
	c, role, err := s.get(ctx, req.GetId())
	if fault.Is(err, fault.Forbidden) && guard.PrincipalOf(ctx).GetService() != "" && guard.Covers(guard.ScopeOf(ctx), c.Patient, "") {
		err = nil // a service that the policy lets see it: reminders
	}
	if err != nil {
		return nil, err
	}
	return s.show(ctx, &c, role)
}
