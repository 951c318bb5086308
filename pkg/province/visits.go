package province

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
)

// body is what is measured, drifting from visit to visit.
type body struct {
	height, weight, systolic, diastolic, pulse, glucose float64
	// build is how heavy a child is beside others of its age, 1 for the middle.
	build float64
}

var complaints = []string{
	"Sốt, ho", "Đau họng", "Đau đầu", "Tiêu chảy", "Đau lưng", "Ho kéo dài", "Nổi mẩn ngứa",
	"Khám sức khỏe định kỳ", "Mệt mỏi", "Đau bụng", "Chóng mặt", "Cảm cúm",
}

// visits writes the visits at the station with what was measured there.
func (b *builder) visits(s *subject) {
	from := later(s.since, b.p.today.AddDate(-5, 0, 0))
	n := b.visitCount(s)
	if n == 0 || !from.Before(b.p.today) {
		return
	}
	v := b.body(s)
	span := b.p.today.Sub(from)
	for i := range n {
		// Evenly spread with some disorder, so that trends can be seen.
		a := from.Add(span * time.Duration(i) / time.Duration(n))
		z := from.Add(span * time.Duration(i+1) / time.Duration(n))
		b.visit(s, &v, b.between(a, z))
	}
}

func (b *builder) visitCount(s *subject) int {
	if s.cast != nil {
		return s.cast.yearly * 5
	}
	years := b.p.today.Sub(s.since).Hours() / 8766
	rate := 0.22
	switch {
	case len(s.diseases) > 0:
		rate = 0.9
	case s.years < 6:
		rate = 0.4
	case s.years >= 60:
		rate = 0.4
	}
	n := rate * math.Min(years, 5) * (0.4 + 1.2*b.rng.Float64())
	whole := int(n)
	if b.chance(n - float64(whole)) {
		whole++
	}
	return whole
}

func (b *builder) body(s *subject) body {
	r := b.rng
	v := body{
		height: 163 + 6*r.NormFloat64(), pulse: 76 + 7*r.NormFloat64(), glucose: 5.2 + 0.4*r.NormFloat64(),
		systolic: 112 + 0.28*float64(max(s.years-25, 0)) + 6*r.NormFloat64(),
		build:    math.Min(math.Max(1+0.08*r.NormFloat64(), 0.8), 1.25),
	}
	if s.sex == "female" {
		v.height -= 10
	}
	v.weight = (v.height / 100) * (v.height / 100) * (21.8 + 2.3*r.NormFloat64())
	if s.has("I10") {
		v.systolic += 26
	}
	if s.has("E11.9") {
		v.glucose += 4.1
		v.weight += 4
	}
	v.diastolic = v.systolic*0.62 + 3*r.NormFloat64()
	return v
}

func (s *subject) has(code string) bool {
	for _, d := range s.diseases {
		if d.code == code {
			return true
		}
	}
	return false
}

func (b *builder) visit(s *subject, v *body, at time.Time) {
	reason := pick(b.rng, complaints)
	chronic := len(s.diseases) > 0 && b.chance(0.75)
	if chronic {
		reason = "Tái khám: " + s.diseases[0].name
	}
	id := s.next("visit")
	nurse, name, _ := nurseOf(s.home.commune)
	b.put("Encounter", id, fields{
		"status": "finished", "class": fields{"system": fhir.SystemActCode, "code": "AMB", "display": "Khám tại trạm"},
		"subject": s.reference(), "period": fields{"start": instant(at), "end": instant(at.Add(20 * time.Minute))},
		"reasonCode":      []fields{{"text": reason}},
		"serviceProvider": reference("Organization", s.home.commune.station()),
		"participant":     []fields{{"individual": named("Practitioner", nurse, name)}},
	})
	// Treatment works slowly; weight and pressure wander.
	r := b.rng
	if s.has("I10") {
		v.systolic -= 0.8
		v.diastolic -= 0.4
	}
	if s.has("E11.9") {
		v.glucose -= 0.06
	}
	v.weight += 0.5 * r.NormFloat64()
	years := at.Sub(s.born).Hours() / 8766
	weight, height := v.weight, v.height
	if years < 18 {
		height, weight = child(years, v.height, v.build)
		weight *= 0.99 + 0.02*r.Float64()
	}
	b.observe(s, id, at, "29463-7", "Cân nặng", quantity(fixed(weight, 1), "kg", "kg"))
	if years < 18 || s.counts["visit"] == 1 {
		b.observe(s, id, at, "8302-2", "Chiều cao", quantity(fixed(height, 0), "cm", "cm"))
	}
	if years >= 18 {
		b.pressure(s, id, at, v.systolic+4*r.NormFloat64(), v.diastolic+3*r.NormFloat64())
	}
	if years >= 18 && (s.cast != nil || b.chance(0.35)) {
		b.observe(s, id, at, "8867-4", "Mạch", quantity(fixed(v.pulse+4*r.NormFloat64(), 0), "lần/phút", "/min"))
	}
	if !chronic && (years < 18 || b.chance(0.4)) {
		b.observe(s, id, at, "8310-5", "Nhiệt độ", quantity(fixed(math.Min(36.8+0.9*r.Float64()*r.Float64()*3, 40.2), 1), "°C", "Cel"))
	}
	if s.has("E11.9") {
		b.observe(s, id, at, "15074-8", "Đường huyết", quantity(fixed(math.Max(v.glucose+0.8*r.NormFloat64(), 3.6), 1), "mmol/L", "mmol/L"))
	}
	if s.has("J44.9") || s.has("J45.9") {
		b.observe(s, id, at, "59408-5", "SpO2", quantity(fixed(math.Min(96+1.6*r.NormFloat64(), 100), 0), "%", "%"))
	}
}

// growth is about the middle of the WHO growth standards and, from five years,
// of what is measured in Viet Nam; years, cm and kg.
var growth = []struct{ years, height, weight float64 }{
	{0, 50, 3.3},
	{0.25, 60.5, 6.1},
	{0.5, 66.7, 7.6},
	{0.75, 71, 8.6},
	{1, 75, 9.3},
	{1.5, 81.5, 10.6},
	{2, 86.8, 11.8},
	{3, 95, 13.9},
	{4, 102, 16},
	{5, 109, 18},
	{7, 120.5, 22.5},
	{10, 137, 31.5},
	{13, 155, 45},
	{15, 162, 51},
	{18, 165, 55},
}

// child returns height and weight of a child that will be so tall when grown
// and is of a build.
func child(years, grown, build float64) (height, weight float64) {
	last := growth[len(growth)-1]
	height, weight = last.height, last.weight
	for i := 1; i < len(growth); i++ {
		if a, z := growth[i-1], growth[i]; years < z.years {
			part := (years - a.years) / (z.years - a.years)
			height, weight = a.height+part*(z.height-a.height), a.weight+part*(z.weight-a.weight)
			break
		}
	}
	return height * (1 + (grown/last.height-1)*years/last.years), weight * build
}

func (b *builder) observe(s *subject, encounter string, at time.Time, code, name string, value fields) {
	o := b.observation(s, encounter, at, code, name)
	o["valueQuantity"] = value
	b.put("Observation", s.next("vital"), o)
}

// pressure writes blood pressure as one panel with two components
// (R4 vital signs profile, bp).
func (b *builder) pressure(s *subject, encounter string, at time.Time, systolic, diastolic float64) {
	systolic = math.Max(systolic, 86)
	diastolic = math.Max(math.Min(diastolic, systolic-20), 50)
	o := b.observation(s, encounter, at, "85354-9", "Huyết áp")
	o["component"] = []fields{
		{"code": concept(fhir.SystemLOINC, "8480-6", "Huyết áp tâm thu"), "valueQuantity": quantity(fixed(systolic, 0), "mmHg", "mm[Hg]")},
		{"code": concept(fhir.SystemLOINC, "8462-4", "Huyết áp tâm trương"), "valueQuantity": quantity(fixed(diastolic, 0), "mmHg", "mm[Hg]")},
	}
	b.put("Observation", s.next("vital"), o)
}

func (b *builder) observation(s *subject, encounter string, at time.Time, code, name string) fields {
	return fields{
		"status":   "final",
		"category": []fields{concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs", "Dấu hiệu sinh tồn")},
		"code":     textConcept(fhir.SystemLOINC, code, name), "subject": s.reference(),
		"encounter": reference("Encounter", encounter), "effectiveDateTime": instant(at),
	}
}

// quantity keeps the digits as written: 1.50 is not 1.5.
func quantity(value, unit, code string) fields {
	return fields{"value": json.Number(value), "unit": unit, "system": fhir.SystemUCUM, "code": code}
}

func fixed(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }
