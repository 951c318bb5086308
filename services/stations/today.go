package stations

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/guard"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

const (
	// maxDone and maxDue bound the list of the day: one page on a screen, with
	// the most urgent first.
	maxDone = 100
	maxDue  = 200
	// namesAtOnce bounds one search for the people in the list.
	namesAtOnce = 100
)

// Today is the station's list. The read model knows who is due; names, phones
// and hamlets are read from the records as the nurse, so that they are right
// now and within her scope.
func (s *Service) Today(ctx context.Context, req *stationsv1.TodayRequest) (*stationsv1.TodayResponse, error) {
	on := day(s.Now())
	if req.GetDate() != "" {
		var err error
		if on, err = time.Parse(time.DateOnly, req.GetDate()); err != nil {
			return nil, invalid("date", "Ngày chưa đúng. Xin nhập như 2026-11-21.")
		}
	}
	begin := time.Date(on.Year(), on.Month(), on.Day(), 0, 0, 0, 0, vietnam())
	entered, count, err := s.Store.Entered(ctx, station(guard.PrincipalOf(ctx)), begin, begin.AddDate(0, 0, 1), maxDone)
	if err != nil {
		return nil, err
	}
	due, err := s.due(ctx, on)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entered {
		ids = append(ids, e.Patient)
	}
	for _, d := range due {
		ids = append(ids, d.Patient)
	}
	people, err := s.people(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := &stationsv1.TodayResponse{
		Registered: int32(count[kindRegistration]), Visits: int32(count[kindVisit]), Immunizations: int32(count[kindImmunization]),
	}
	for _, e := range entered {
		// Who moved away is not the nurse's to see any more.
		if p, ok := people[e.Patient]; ok {
			out.Done = append(out.Done, &stationsv1.Done{Patient: e.Patient, Name: p.GetName(), Kind: e.Kind, Text: e.Text, At: instant(e.At)})
		}
	}
	for _, d := range due {
		if p, ok := people[d.Patient]; ok {
			out.Due = append(out.Due, &stationsv1.Due{
				Patient: d.Patient, Name: p.GetName(), BirthDate: p.GetBirthDate(), Vaccine: d.vaccine.Code, VaccineName: d.vaccine.Name,
				Dose: int32(d.dose), Due: d.due.Format(time.DateOnly), Overdue: d.overdue, Phone: p.GetPhone(), Hamlet: p.GetHamlet(),
			})
		}
	}
	for id := range people {
		guard.Touch(ctx, id, "")
	}
	return out, nil
}

// due lists the most urgent doses of the children of the caller's communes.
func (s *Service) due(ctx context.Context, on time.Time) ([]dueChild, error) {
	communes := guard.ScopeOf(ctx).GetCommunes()
	if guard.ScopeOf(ctx).GetAll() {
		communes = guard.PrincipalOf(ctx).GetCommunes()
	}
	if len(communes) == 0 {
		return nil, nil
	}
	schedule := s.schedules.On(on.Format(time.DateOnly))
	children, given, err := s.Store.Children(ctx, communes, on.AddDate(0, 0, -oldestDue(schedule)), on)
	if err != nil {
		return nil, err
	}
	var list []dueChild
	for _, c := range children {
		for _, n := range dueOf(schedule, c.Birth, given[c.Patient], on) {
			list = append(list, dueChild{c, n})
		}
	}
	return mostUrgent(list, maxDue), nil
}

// people reads Patients by id, as the caller; those she may not reach are missing.
func (s *Service) people(ctx context.Context, ids []string) (map[string]*stationsv1.Person, error) {
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" })
	people := map[string]*stationsv1.Person{}
	for some := range slices.Chunk(ids, namesAtOnce) {
		list, err := search[patientResource](ctx, s.Records, "Patient", url.Values{"_id": {strings.Join(some, ",")}, "_count": {strconv.Itoa(namesAtOnce)}})
		if err != nil {
			return nil, err
		}
		for _, p := range list {
			people[p.ID] = p.person()
		}
	}
	return people, nil
}
