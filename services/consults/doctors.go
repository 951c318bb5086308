package consults

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	consultsv1 "github.com/yba-health/yba/proto/gen/yba/consults/v1"
	"github.com/yba-health/yba/services/consults/consult"
)

// nextFreeDays is how far ListDoctors looks for the next free time.
const nextFreeDays = 14

// ListDoctors lists those who offer remote consultations.
func (s *Service) ListDoctors(ctx context.Context, req *consultsv1.ListDoctorsRequest) (*consultsv1.ListDoctorsResponse, error) {
	list, err := s.store.Doctors(ctx, req.GetSpecialty())
	if err != nil {
		return nil, err
	}
	resp := &consultsv1.ListDoctorsResponse{}
	for _, d := range list {
		slots, err := s.slots(ctx, &d, s.now(), nextFreeDays)
		if err != nil {
			return nil, err
		}
		v := doctor(&d)
		if len(slots) > 0 {
			v.NextFree = stamp(slots[0].Start)
		}
		resp.Doctors = append(resp.Doctors, v)
	}
	return resp, nil
}

func clock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

func doctor(d *consult.DoctorOffer) *consultsv1.Doctor {
	v := &consultsv1.Doctor{
		Id: d.ID, Practitioner: d.Practitioner, Name: d.Name, Specialty: d.Specialty,
		Facility: d.Facility, FacilityName: d.FacilityName, SlotMinutes: int32(d.Slot / time.Minute),
	}
	for _, h := range d.Hours {
		v.Hours = append(v.Hours, &consultsv1.Hours{Weekday: int32(h.Weekday), From: clock(h.From), Until: clock(h.Until)})
	}
	return v
}

func (s *Service) slots(ctx context.Context, d *consult.DoctorOffer, from time.Time, days int) ([]consult.Interval, error) {
	taken, err := s.store.Taken(ctx, d.ID, from.Add(-24*time.Hour), from.Add(time.Duration(days+1)*24*time.Hour))
	if err != nil {
		return nil, err
	}
	return d.Slots(from, days, s.now(), taken), nil
}

// ListSlots lists a doctor's free times.
func (s *Service) ListSlots(ctx context.Context, req *consultsv1.ListSlotsRequest) (*consultsv1.ListSlotsResponse, error) {
	d, err := s.store.Doctor(ctx, req.GetDoctor())
	if err != nil {
		return nil, noDoctor(err)
	}
	from := s.now()
	if req.GetFrom() != "" {
		if from, err = time.ParseInLocation(time.DateOnly, req.GetFrom(), consult.Zone); err != nil {
			return nil, fault.New(fault.Invalid, `a date looks like "2026-11-21"`, nil).In("from")
		}
	}
	days := int(req.GetDays())
	if days == 0 {
		days = 7
	}
	if days < 0 || days > 31 {
		return nil, fault.New(fault.Invalid, "1 to 31 days", nil).In("days")
	}
	slots, err := s.slots(ctx, &d, from, days)
	if err != nil {
		return nil, err
	}
	resp := &consultsv1.ListSlotsResponse{}
	for _, slot := range slots {
		resp.Slots = append(resp.Slots, &consultsv1.Slot{Start: stamp(slot.Start), End: stamp(slot.End)})
	}
	return resp, nil
}

func noDoctor(err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "this doctor offers no remote consultations", err).In("doctor")
	}
	return err
}

// SetHours publishes a doctor's hours and the facility's HealthcareService.
func (s *Service) SetHours(ctx context.Context, req *consultsv1.SetHoursRequest) (*consultsv1.Doctor, error) {
	p := guard.PrincipalOf(ctx)
	d := consult.DoctorOffer{
		ID: req.GetDoctor(), Practitioner: req.GetPractitioner(), Name: req.GetName(), Specialty: req.GetSpecialty(),
		Facility: req.GetFacility(), FacilityName: req.GetFacilityName(), Slot: time.Duration(req.GetSlotMinutes()) * time.Minute,
	}
	own := d.ID == "" || d.ID == p.GetAccount()
	if own {
		d.ID = p.GetAccount()
		d.Name, d.Practitioner, d.Facility = or(d.Name, p.GetName()), or(d.Practitioner, p.GetPractitioner()), or(d.Facility, p.GetFacility())
	}
	if d.ID == "" || !own && !forOthers(p.GetRoles()) || own && p.GetService() == "" && !mayOffer(p.GetRoles()) {
		return nil, fault.New(fault.Forbidden, "doctors publish their own hours; an administrator may do it for them", nil)
	}
	if own && p.GetService() == "" && !forOthers(p.GetRoles()) && (d.Practitioner != p.GetPractitioner() || d.Facility != p.GetFacility()) {
		return nil, fault.New(fault.Forbidden, "practitioner and facility are those of your account; an administrator changes them", nil)
	}
	for _, part := range []string{d.Practitioner, d.Facility} {
		if part != "" && !fhirID.MatchString(part) {
			return nil, fault.New(fault.Invalid, "practitioner and facility are ids of FHIR resources", nil)
		}
	}
	for i, h := range req.GetHours() {
		from, err := consult.Clock(h.GetFrom())
		if err != nil {
			return nil, fault.Of(err).In("hours[" + strconv.Itoa(i) + "].from")
		}
		until, err := consult.Clock(h.GetUntil())
		if err != nil {
			return nil, fault.Of(err).In("hours[" + strconv.Itoa(i) + "].until")
		}
		d.Hours = append(d.Hours, consult.Hours{Weekday: int(h.GetWeekday()), From: from, Until: until})
	}
	if d.Slot == 0 {
		d.Slot = 15 * time.Minute
	}
	for at, s := range map[string]string{"name": d.Name, "specialty": d.Specialty, "facility_name": d.FacilityName} {
		if err := text(s, at, 200); err != nil {
			return nil, err
		}
	}
	if err := d.Check(); err != nil {
		return nil, err
	}
	// The record first: the offer counts for the department's figures.
	if d.Facility != "" {
		if err := s.put(guard.As(ctx, name), "HealthcareService", "remote-"+consult.Derived(d.Facility), healthcareService(&d)); err != nil {
			return nil, err
		}
	}
	if err := s.store.PutDoctor(ctx, d); err != nil {
		return nil, err
	}
	return doctor(&d), nil
}

func mayOffer(roles []string) bool {
	return slices.ContainsFunc(roles, func(r string) bool { return r == "doctor" || r == "specialist" })
}

func forOthers(roles []string) bool {
	return slices.Contains(roles, "administrator") || slices.Contains(roles, "importer")
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
