package stations

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/guard"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// skew is how far a device's clock may be ahead.
const skew = 10 * time.Minute

// moment reads when something was done; empty means now.
func (s *Service) moment(text string, born birth) (time.Time, error) {
	now := s.Now()
	if text == "" {
		return now, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return at, invalid("at", "Thời điểm chưa đúng. Xin chọn lại ngày và giờ.")
	case at.After(now.Add(skew)):
		return at, invalid("at", "Thời điểm này chưa đến. Xin xem lại ngày giờ của máy.")
	case day(at).Before(born.first):
		return at, invalid("at", "Thời điểm này trước ngày sinh của người được khám. Xin xem lại ngày.")
	}
	return at, nil
}

func instant(t time.Time) string { return t.In(vietnam()).Format(time.RFC3339) }

var icd10 = regexp.MustCompile(`^[A-Z][0-9]{2}(\.[0-9]{1,2})?$`)

func checkDiagnoses(list []*stationsv1.Diagnosis) error {
	seen := map[string]bool{}
	for i, d := range list {
		at := fmt.Sprintf("diagnoses[%d]", i)
		switch {
		case !icd10.MatchString(d.GetCode()):
			return invalid(at+".code", "Mã bệnh ICD-10 gồm một chữ và số, như I10 hoặc J06.9. Xin chọn trong danh sách.")
		case seen[d.GetCode()]:
			return invalid(at+".code", "Mã bệnh này được nhập hai lần. Xin giữ lại một.")
		case strings.TrimSpace(d.GetName()) == "":
			return invalid(at+".name", "Xin ghi tên bệnh bên cạnh mã.")
		}
		if err := checkText(at+".name", d.GetName(), 200); err != nil {
			return err
		}
		seen[d.GetCode()] = true
	}
	return nil
}

// RecordVisit records a visit at the station: an Encounter with its
// measurements, diagnoses and note, all of it or nothing.
func (s *Service) RecordVisit(ctx context.Context, req *stationsv1.RecordVisitRequest) (*stationsv1.Entry, error) {
	for _, err := range []error{
		checkClientID(req.GetClientId()), checkText("reason", req.GetReason(), 500), checkText("note", req.GetNote(), 10000), checkDiagnoses(req.GetDiagnoses()),
	} {
		if err != nil {
			return nil, err
		}
	}
	measures, err := checkMeasures(req.GetMeasures())
	if err != nil {
		return nil, err
	}
	if len(measures) == 0 && len(req.GetDiagnoses()) == 0 && strings.TrimSpace(req.GetReason()+req.GetNote()) == "" {
		return nil, invalid("measures", "Lượt khám chưa có gì. Xin nhập lý do, chỉ số, chẩn đoán hoặc ghi chú.")
	}
	if req.GetPatient() == "" {
		return nil, invalid("patient", "Xin chọn một người.")
	}
	return enter(ctx, s, kindVisit, req.GetClientId(), req, &stationsv1.Entry{}, func() (*stationsv1.Entry, Outcome, error) {
		// Reading the person as the nurse is how it is known that she may.
		p, err := s.person(ctx, req.GetPatient())
		if err != nil {
			return nil, Outcome{}, err
		}
		born, err := parseBirth(p.GetBirthDate())
		if err != nil {
			born = birth{}
		}
		at, err := s.moment(req.GetAt(), born)
		if err != nil {
			return nil, Outcome{}, err
		}
		refs, err := visit(req, measures, at, guard.PrincipalOf(ctx)).send(ctx, s.Records)
		if err != nil {
			return nil, Outcome{}, err
		}
		return &stationsv1.Entry{ClientId: req.GetClientId(), References: refs, At: instant(at)},
			Outcome{Patient: req.GetPatient(), Text: visitText(req)}, nil
	})
}

// visitText says what a visit holds without saying what was found.
func visitText(r *stationsv1.RecordVisitRequest) string {
	var parts []string
	if n := len(r.GetMeasures()); n > 0 {
		parts = append(parts, fmt.Sprintf("%d chỉ số", n))
	}
	if n := len(r.GetDiagnoses()); n > 0 {
		parts = append(parts, fmt.Sprintf("%d chẩn đoán", n))
	}
	if strings.TrimSpace(r.GetNote()) != "" {
		parts = append(parts, "có ghi chú")
	}
	return strings.Join(parts, ", ")
}

// visit builds the transaction of a visit.
func visit(r *stationsv1.RecordVisitRequest, measures []measured, at time.Time, p *guard.Principal) *transaction {
	t := &transaction{}
	subject := reference("Patient/" + r.GetPatient())
	encounter := element{
		"resourceType": "Encounter", "status": "finished", "identifier": []element{clientIdentifier(r.GetClientId(), "")},
		"class": coding(fhir.SystemActCode, "AMB", "ambulatory"), "subject": subject,
		"period": element{"start": instant(at), "end": instant(at)},
	}
	if p.GetFacility() != "" {
		encounter["serviceProvider"] = reference("Organization/" + p.GetFacility())
	}
	if p.GetPractitioner() != "" {
		encounter["participant"] = []element{{"individual": reference("Practitioner/" + p.GetPractitioner())}}
	}
	if reason := strings.TrimSpace(r.GetReason()); reason != "" {
		encounter["reasonCode"] = []element{{"text": reason}}
	}
	within := reference(t.create(r.GetClientId(), "", encounter))

	parts, list := observations(measures)
	for i, o := range list {
		o["identifier"] = []element{clientIdentifier(r.GetClientId(), parts[i])}
		o["subject"], o["encounter"], o["effectiveDateTime"] = subject, within, instant(at)
		if p.GetPractitioner() != "" {
			o["performer"] = []element{reference("Practitioner/" + p.GetPractitioner())}
		}
		t.create(r.GetClientId(), parts[i], o)
	}
	for _, d := range r.GetDiagnoses() {
		t.create(r.GetClientId(), d.GetCode(), element{
			"resourceType": "Condition", "identifier": []element{clientIdentifier(r.GetClientId(), d.GetCode())},
			"clinicalStatus":     concept("", coding("http://terminology.hl7.org/CodeSystem/condition-clinical", "active", "")),
			"verificationStatus": concept("", coding("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed", "")),
			"category":           []element{concept("", coding("http://terminology.hl7.org/CodeSystem/condition-category", "encounter-diagnosis", ""))},
			"code":               concept(strings.TrimSpace(d.GetName()), coding(fhir.SystemICD10, d.GetCode(), strings.TrimSpace(d.GetName()))),
			"subject":            subject, "encounter": within, "recordedDate": instant(at),
		})
	}
	if note := strings.TrimSpace(r.GetNote()); note != "" {
		t.create(r.GetClientId(), "note", element{
			"resourceType": "DocumentReference", "status": "current", "identifier": []element{clientIdentifier(r.GetClientId(), "note")},
			"type": concept("", coding(fhir.SystemLOINC, "11488-4", "Consult note")), "subject": subject, "date": instant(at),
			"context": element{"encounter": []element{within}},
			"content": []element{{"attachment": element{
				"contentType": "text/plain; charset=utf-8", "language": "vi", "data": base64.StdEncoding.EncodeToString([]byte(note)),
			}}},
		})
	}
	return t
}
