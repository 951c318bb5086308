package province

import (
	"slices"
	"strconv"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
)

// disease is a lasting condition with its share by age and what is taken for it.
type disease struct {
	code, name string
	// share is how many have it at 18–39, 40–59 and from 60, men then women.
	share     [2][3]float64
	child     float64
	medicines []medicine
}

type medicine struct{ code, name, dosage, form string }

// The shares are of the order that Viet Nam's surveys of risk factors (STEPS)
// and its hospitals report; they serve a demonstration, not epidemiology.
var diseases = []disease{
	{
		"I10", "Tăng huyết áp nguyên phát",
		[2][3]float64{{.05, .24, .46}, {.03, .19, .44}},
		0,
		[]medicine{{"C08CA01", "Amlodipin 5 mg", "Uống 1 viên vào buổi sáng", "viên"}, {"C09CA01", "Losartan 50 mg", "Uống 1 viên vào buổi sáng", "viên"}},
	},
	{
		"E11.9", "Đái tháo đường típ 2, không biến chứng",
		[2][3]float64{{.01, .07, .13}, {.01, .06, .14}},
		0,
		[]medicine{{"A10BA02", "Metformin 850 mg", "Uống 1 viên sau ăn sáng và 1 viên sau ăn tối", "viên"}},
	},
	{
		"E78.5", "Rối loạn lipid máu",
		[2][3]float64{{.02, .08, .12}, {.01, .07, .13}},
		0,
		[]medicine{{"C10AA05", "Atorvastatin 10 mg", "Uống 1 viên vào buổi tối", "viên"}},
	},
	{
		"J45.9", "Hen phế quản",
		[2][3]float64{{.03, .03, .04}, {.03, .03, .04}},
		.05,
		[]medicine{{"R03AC02", "Salbutamol 100 mcg/liều xịt", "Xịt 2 nhát khi khó thở", "bình"}},
	},
	{
		"J44.9", "Bệnh phổi tắc nghẽn mạn tính",
		[2][3]float64{{0, .03, .10}, {0, .01, .03}},
		0,
		[]medicine{{"R03AK06", "Salmeterol/Fluticason 25/125 mcg", "Xịt 2 nhát sáng và tối, súc miệng sau khi xịt", "bình"}},
	},
	{
		"M10.9", "Gút",
		[2][3]float64{{.01, .04, .05}, {0, .005, .015}},
		0,
		[]medicine{{"M04AA01", "Allopurinol 300 mg", "Uống 1 viên sau ăn sáng", "viên"}},
	},
	{
		"B18.1", "Viêm gan vi rút B mạn",
		[2][3]float64{{.05, .07, .05}, {.04, .05, .04}},
		0,
		[]medicine{{"J05AF07", "Tenofovir 300 mg", "Uống 1 viên mỗi ngày, cùng một giờ", "viên"}},
	},
	{
		"K29.7", "Viêm dạ dày",
		[2][3]float64{{.04, .07, .07}, {.05, .08, .07}},
		0,
		[]medicine{{"A02BC01", "Omeprazol 20 mg", "Uống 1 viên trước ăn sáng 30 phút", "viên"}},
	},
	{
		"M17.9", "Thoái hóa khớp gối",
		[2][3]float64{{0, .03, .15}, {0, .06, .22}},
		0,
		[]medicine{{"N02BE01", "Paracetamol 500 mg", "Uống 1 viên khi đau, không quá 4 viên mỗi ngày", "viên"}},
	},
	{
		"M81.9", "Loãng xương",
		[2][3]float64{{0, 0, .03}, {0, .01, .10}},
		0,
		[]medicine{{"A12AX", "Calci carbonat/Vitamin D3 500 mg/200 IU", "Uống 1 viên sau ăn trưa", "viên"}},
	},
}

type allergen struct{ id, name, category, reaction, severity string }

var allergens = []allergen{
	{"penicillin", "Penicillin", "medication", "Nổi mề đay toàn thân", "moderate"},
	{"tom", "Tôm", "food", "Ngứa, phù môi", "mild"},
	{"aspirin", "Aspirin", "medication", "Khó thở", "severe"},
	{"sulfa", "Thuốc nhóm sulfamid", "medication", "Phát ban", "moderate"},
	{"sua-bo", "Đạm sữa bò", "food", "Nôn, nổi mẩn", "moderate"},
	{"hai-san", "Hải sản có vỏ", "food", "Nổi mề đay", "mild"},
	{"phan-hoa", "Phấn hoa", "environment", "Hắt hơi, chảy nước mũi", "mild"},
}

func (d *disease) shareOf(s *subject) float64 {
	if s.years < 18 {
		if s.years < 3 {
			return 0
		}
		return d.child
	}
	sex, band := 0, 0
	if s.sex == "female" {
		sex = 1
	}
	if s.years >= 60 {
		band = 2
	} else if s.years >= 40 {
		band = 1
	}
	return d.share[sex][band]
}

// health writes conditions, what is taken for them, and allergies.
func (b *builder) health(s *subject) {
	for _, d := range diseases {
		has := b.chance(d.shareOf(s))
		if s.cast != nil {
			has = slices.Contains(s.cast.conditions, d.code)
		}
		if has {
			s.diseases = append(s.diseases, d)
		}
	}
	for _, d := range s.diseases {
		onset := b.between(later(s.since.AddDate(-6, 0, 0), s.born.AddDate(2, 0, 0)), b.p.today.AddDate(0, 0, -30))
		recorded := later(onset, s.since)
		if recorded.After(b.p.today) {
			recorded = b.p.today
		}
		b.put("Condition", s.next("condition"), fields{
			"clinicalStatus":     concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active", "Đang mắc"),
			"verificationStatus": concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed", "Đã xác định"),
			"category":           []fields{concept("http://terminology.hl7.org/CodeSystem/condition-category", "problem-list-item", "Vấn đề sức khỏe")},
			"code":               textConcept(fhir.SystemICD10, d.code, d.name),
			"subject":            s.reference(), "onsetDateTime": day(onset), "recordedDate": day(recorded),
		})
		if s.cast == nil && !b.chance(0.75) {
			continue
		}
		m := d.medicines[0]
		if len(d.medicines) > 1 && b.chance(0.4) {
			m = d.medicines[1]
		}
		b.prescription(s, m, b.between(later(recorded, b.p.today.AddDate(-1, 0, 0)), b.p.today), "", fields{}, "active", 30)
	}
	b.allergies(s)
}

func (b *builder) allergies(s *subject) {
	for _, a := range allergens {
		has := b.chance(0.007)
		if s.cast != nil {
			has = slices.Contains(s.cast.allergies, a.id)
		}
		if !has {
			continue
		}
		criticality := "low"
		if a.severity == "severe" {
			criticality = "high"
		}
		b.put("AllergyIntolerance", s.next("allergy"), fields{
			"clinicalStatus":     concept("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active", "Đang dị ứng"),
			"verificationStatus": concept("http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "confirmed", "Đã xác định"),
			"type":               "allergy", "category": []string{a.category}, "criticality": criticality,
			"code": fields{"text": a.name}, "patient": s.reference(), "recordedDate": day(s.since),
			"reaction": []fields{{"manifestation": []fields{{"text": a.reaction}}, "severity": a.severity}},
		})
	}
}

// prescription writes a MedicationRequest; encounter and requester may be empty.
func (b *builder) prescription(s *subject, m medicine, at time.Time, encounter string, requester fields, status string, days int) {
	r := fields{
		"status": status, "intent": "order", "subject": s.reference(), "authoredOn": instant(at),
		"medicationCodeableConcept": textConcept("http://www.whocc.no/atc", m.code, m.name),
		"dosageInstruction":         []fields{{"text": m.dosage}},
		"dispenseRequest":           fields{"expectedSupplyDuration": quantity(strconv.Itoa(days), "ngày", "d")},
	}
	if encounter != "" {
		r["encounter"] = reference("Encounter", encounter)
	}
	if len(requester) > 0 {
		r["requester"] = requester
	}
	b.put("MedicationRequest", s.next("medicine"), r)
}

func concept(system, code, display string) fields {
	return fields{"coding": []fields{{"system": system, "code": code, "display": display}}}
}

func textConcept(system, code, name string) fields {
	c := concept(system, code, name)
	c["text"] = name
	return c
}
