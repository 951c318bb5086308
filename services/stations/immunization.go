package stations

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
	"github.com/yba-health/yba/services/stations/rules"
)

// immunizationResource is what a station reads of an Immunization.
type immunizationResource struct {
	ID          string
	Status      string
	Patient     struct{ Reference string }
	VaccineCode struct {
		Coding []struct{ System, Code string }
	}
	OccurrenceDateTime string
	ProtocolApplied    []struct{ DoseNumberPositiveInt int }
	Identifier         []struct{ System, Value string }
}

// given is the dose that the resource tells of; false where it tells of none
// that the schedule knows.
func (r immunizationResource) given() (Given, bool) {
	g := Given{Immunization: r.ID, Patient: idOf(r.Patient.Reference)}
	for _, c := range r.VaccineCode.Coding {
		if c.System == fhir.SystemVaccine {
			g.Vaccine = c.Code
		}
	}
	if len(r.ProtocolApplied) > 0 {
		g.Dose = r.ProtocolApplied[0].DoseNumberPositiveInt
	}
	if len(r.OccurrenceDateTime) < len(time.DateOnly) || r.Status != "completed" || g.Vaccine == "" || g.Dose < 1 || g.Patient == "" {
		return g, false
	}
	on, err := time.Parse(time.RFC3339, r.OccurrenceDateTime)
	if err == nil {
		on = day(on)
	} else if on, err = time.Parse(time.DateOnly, r.OccurrenceDateTime[:len(time.DateOnly)]); err != nil {
		return g, false
	}
	g.On = on
	return g, true
}

func sites() map[string]element {
	const system = "http://terminology.hl7.org/CodeSystem/v3-ActSite"
	return map[string]element{
		"left-arm": concept("tay trái", coding(system, "LA", "")), "right-arm": concept("tay phải", coding(system, "RA", "")),
		"left-thigh": concept("đùi trái", coding(system, "LT", "")), "right-thigh": concept("đùi phải", coding(system, "RT", "")),
	}
}

// RecordImmunization records one dose.
func (s *Service) RecordImmunization(ctx context.Context, req *stationsv1.RecordImmunizationRequest) (*stationsv1.Entry, error) {
	if err := checkClientID(req.GetClientId()); err != nil {
		return nil, err
	}
	if req.GetPatient() == "" {
		return nil, invalid("patient", "Xin chọn một người.")
	}
	lot := strings.TrimSpace(req.GetLot())
	if lot == "" {
		return nil, invalid("lot", "Xin ghi số lô vắc xin, có trên lọ hoặc hộp.")
	}
	if err := checkText("lot", lot, 50); err != nil {
		return nil, err
	}
	site, ok := sites()[req.GetSite()]
	if !ok && req.GetSite() != "" && req.GetSite() != "oral" {
		return nil, invalid("site", "Xin chọn vị trí tiêm: tay, đùi (trái hoặc phải), hoặc uống.")
	}
	return enter(ctx, s, kindImmunization, req.GetClientId(), req, &stationsv1.Entry{}, func() (*stationsv1.Entry, Outcome, error) {
		p, err := s.person(ctx, req.GetPatient())
		if err != nil {
			return nil, Outcome{}, err
		}
		born, err := parseBirth(p.GetBirthDate())
		if err != nil {
			return nil, Outcome{}, invalid("patient", "Người này chưa có ngày sinh, nên chưa biết đã đủ tuổi tiêm chưa. Xin bổ sung ngày sinh trước.")
		}
		at, err := s.moment(req.GetAt(), born)
		if err != nil {
			return nil, Outcome{}, err
		}
		if err := checkExpiry(req.GetExpires(), day(at)); err != nil {
			return nil, Outcome{}, err
		}
		had, err := s.given(ctx, req.GetPatient(), req.GetClientId())
		if err != nil {
			return nil, Outcome{}, err
		}
		schedule := s.schedules.On(day(at).Format(time.DateOnly))
		v, err := checkDose(schedule, req.GetVaccine(), int(req.GetDose()), born, had, day(at))
		if err != nil {
			return nil, Outcome{}, err
		}
		t := &transaction{}
		t.create(req.GetClientId(), "", newImmunization(req, v, schedule, lot, site, at, guard.PrincipalOf(ctx)))
		refs, err := t.send(ctx, s.Records)
		if err != nil {
			return nil, Outcome{}, err
		}
		return &stationsv1.Entry{ClientId: req.GetClientId(), References: refs, At: instant(at)},
			Outcome{Patient: req.GetPatient(), Text: fmt.Sprintf("%s mũi %d", v.Short, req.GetDose())}, nil
	})
}

func checkExpiry(text string, on time.Time) error {
	if text == "" {
		return nil
	}
	expires, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return invalid("expires", "Hạn dùng chưa đúng. Xin nhập như 2027-03-31.")
	}
	if expires.Before(on) {
		return invalid("expires", "Lô vắc xin này đã hết hạn ngày "+dayText(expires)+". Không được tiêm; xin lấy lô khác hoặc xem lại hạn dùng.")
	}
	return nil
}

// given lists the doses in a record, read as the caller. What the same entry
// wrote in an earlier try does not stand in its own way.
func (s *Service) given(ctx context.Context, patient, clientID string) ([]Given, error) {
	list, err := search[immunizationResource](ctx, s.Records, "Immunization", url.Values{"patient": {patient}, "_count": {"200"}})
	if err != nil {
		return nil, err
	}
	var out []Given
	for _, r := range list {
		own := false
		for _, i := range r.Identifier {
			own = own || i.System == fhir.SystemClient && i.Value == clientID
		}
		if g, ok := r.given(); ok && !own {
			out = append(out, g)
		}
	}
	return out, nil
}

func newImmunization(r *stationsv1.RecordImmunizationRequest, v rules.Vaccine, s rules.Schedule, lot string, site element, at time.Time, p *guard.Principal) element {
	codes := []element{coding(fhir.SystemVaccine, v.Code, v.Name)}
	if v.CVX != "" {
		codes = append(codes, coding(fhir.SystemCVX, v.CVX, ""))
	}
	e := element{
		"resourceType": "Immunization", "status": "completed", "identifier": []element{clientIdentifier(r.GetClientId(), "")},
		"vaccineCode": concept(v.Name, codes...), "patient": reference("Patient/" + r.GetPatient()),
		"occurrenceDateTime": instant(at), "primarySource": true, "lotNumber": lot,
		// The series names the rules by which the dose was judged.
		"protocolApplied": []element{{"series": s.Name(), "doseNumberPositiveInt": r.GetDose()}},
	}
	if r.GetExpires() != "" {
		e["expirationDate"] = r.GetExpires()
	}
	if site != nil {
		e["site"] = site
	}
	if r.GetSite() == "oral" {
		e["route"] = concept("uống", coding("http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration", "PO", ""))
	}
	var performers []element
	if p.GetPractitioner() != "" {
		performers = append(performers, element{"actor": reference("Practitioner/" + p.GetPractitioner())})
	}
	if p.GetFacility() != "" {
		performers = append(performers, element{"actor": reference("Organization/" + p.GetFacility())})
	}
	if performers != nil {
		e["performer"] = performers
	}
	return e
}

// ListVaccines lists the vaccines of the schedule in force today.
func (s *Service) ListVaccines(context.Context, *stationsv1.ListVaccinesRequest) (*stationsv1.ListVaccinesResponse, error) {
	schedule := s.schedules.On(day(s.Now()).Format(time.DateOnly))
	out := &stationsv1.ListVaccinesResponse{Rules: schedule.Name()}
	for _, v := range schedule.Vaccines {
		one := &stationsv1.Vaccine{Code: v.Code, Name: v.Name, ShortName: v.Short, Routine: v.Routine}
		for _, d := range v.Doses {
			one.Doses = append(one.Doses, &stationsv1.Dose{Number: int32(d.Number), DueDays: int32(d.Due), MinDays: int32(d.Min)})
		}
		out.Vaccines = append(out.Vaccines, one)
	}
	return out, nil
}
