package stations

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fhir"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// vital is a measure that a station takes. Values outside the limits are slips
// of the pen or of the device, not sick people: the limits are wider than life.
type vital struct {
	kind, loinc, label string
	// unit is UCUM; words are what people write for it.
	unit  string
	words []string
	// Limits are whole tenths, so that they compare exactly.
	low, high int64
}

const bloodPressure = "85354-9"

func vitals() []vital {
	return []vital{
		{"height", "8302-2", "Chiều cao", "cm", nil, 300, 2500},
		{"weight", "29463-7", "Cân nặng", "kg", nil, 5, 3000},
		{"systolic", "8480-6", "Huyết áp tâm thu", "mm[Hg]", []string{"mmHg"}, 500, 3000},
		{"diastolic", "8462-4", "Huyết áp tâm trương", "mm[Hg]", []string{"mmHg"}, 200, 2000},
		{"pulse", "8867-4", "Mạch", "/min", []string{"lần/phút", "bpm"}, 200, 3000},
		{"temperature", "8310-5", "Nhiệt độ", "Cel", []string{"°C", "C"}, 300, 450},
		{"spo2", "59408-5", "SpO₂", "%", nil, 400, 1000},
		{"glucose", "15074-8", "Đường huyết", "mmol/L", nil, 5, 600},
	}
}

// spoken is the unit as people write it.
func (v vital) spoken() string {
	if len(v.words) > 0 {
		return v.words[0]
	}
	return v.unit
}

// measured is a checked measure.
type measured struct {
	vital
	value json.Number
	exact *big.Rat
}

var decimalForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,3})(\.[0-9]{1,3})?$`)

func tenths(n int64) string {
	return strings.TrimSuffix(fmt.Sprintf("%d.%d", n/10, n%10), ".0")
}

// checkMeasure reads one measure as the nurse typed it; a decimal comma is as
// good as a point.
func checkMeasure(m *stationsv1.Measure) (measured, error) {
	all := vitals()
	i := slices.IndexFunc(all, func(v vital) bool { return v.kind == m.GetKind() })
	if i < 0 {
		return measured{}, invalid("kind", "Hệ thống chưa biết chỉ số này.")
	}
	v := all[i]
	text := strings.ReplaceAll(strings.TrimSpace(m.GetValue()), ",", ".")
	if !decimalForm.MatchString(text) {
		return measured{}, invalid("value", v.label+" phải là một con số, như 36,8. Xin nhập lại.")
	}
	if m.GetUnit() != "" && m.GetUnit() != v.unit && !slices.Contains(v.words, m.GetUnit()) {
		hint := ""
		if v.kind == "glucose" {
			hint = " Nếu máy đo ra mg/dL thì chia cho 18."
		}
		return measured{}, invalid("unit", v.label+" tính bằng "+v.spoken()+"."+hint)
	}
	exact, ok := new(big.Rat).SetString(text)
	if !ok || exact.Cmp(big.NewRat(v.low, 10)) < 0 || exact.Cmp(big.NewRat(v.high, 10)) > 0 {
		return measured{}, invalid("value", fmt.Sprintf("%s thường từ %s đến %s %s. Xin đo hoặc nhập lại.", v.label, tenths(v.low), tenths(v.high), v.spoken()))
	}
	return measured{v, json.Number(text), exact}, nil
}

// checkMeasures reads the measures of one visit; each kind once, and a blood
// pressure whole.
func checkMeasures(list []*stationsv1.Measure) ([]measured, error) {
	var out []measured
	byKind := map[string]measured{}
	for i, m := range list {
		v, err := checkMeasure(m)
		if err != nil {
			return nil, within(fmt.Sprintf("measures[%d]", i), err)
		}
		if _, twice := byKind[v.kind]; twice {
			return nil, invalid(fmt.Sprintf("measures[%d].kind", i), v.label+" được nhập hai lần. Xin giữ lại một.")
		}
		byKind[v.kind] = v
		out = append(out, v)
	}
	systolic, hasSystolic := byKind["systolic"]
	diastolic, hasDiastolic := byKind["diastolic"]
	if hasSystolic != hasDiastolic {
		return nil, invalid("measures", "Huyết áp cần cả hai số, như 120/80. Xin nhập thêm số còn lại.")
	}
	if hasSystolic && diastolic.exact.Cmp(systolic.exact) >= 0 {
		return nil, invalid("measures", "Huyết áp tâm trương phải nhỏ hơn tâm thu. Có thể hai số bị đổi chỗ.")
	}
	return out, nil
}

func (m measured) quantity() element {
	return element{"value": m.value, "unit": m.unit, "system": fhir.SystemUCUM, "code": m.unit}
}

// observations builds the Observations of a visit
// (https://hl7.org/fhir/R4/observation-vitalsigns.html) by the part of the
// entry that each of them is. Blood pressure is one with two components.
func observations(list []measured) (parts []string, out []element) {
	var pressure []element
	for _, m := range list {
		if m.kind == "systolic" || m.kind == "diastolic" {
			pressure = append(pressure, element{"code": concept(m.label, coding(fhir.SystemLOINC, m.loinc, "")), "valueQuantity": m.quantity()})
			continue
		}
		parts = append(parts, m.kind)
		out = append(out, element{"code": concept(m.label, coding(fhir.SystemLOINC, m.loinc, "")), "valueQuantity": m.quantity()})
	}
	if pressure != nil {
		parts = append(parts, "blood-pressure")
		out = append(out, element{"code": concept("Huyết áp", coding(fhir.SystemLOINC, bloodPressure, "")), "component": pressure})
	}
	for i := range out {
		out[i]["resourceType"], out[i]["status"] = "Observation", "final"
		out[i]["category"] = []element{concept("", coding("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs", ""))}
	}
	return parts, out
}

// observationResource is what a station reads of an Observation.
type observationResource struct {
	Code struct {
		Coding []struct{ System, Code string }
	}
	ValueQuantity     quantity
	EffectiveDateTime string
	Component         []struct {
		Code struct {
			Coding []struct{ System, Code string }
		}
		ValueQuantity quantity
	}
}

type quantity struct {
	Value json.Number
	Unit  string
}

// lastMeasures returns the newest value of each kind; list is newest first.
func lastMeasures(list []observationResource) []*stationsv1.Measure {
	byCode := map[string]*stationsv1.Measure{}
	take := func(code, at string, q quantity) {
		if _, ok := byCode[code]; !ok && q.Value != "" {
			byCode[code] = &stationsv1.Measure{Value: q.Value.String(), Unit: q.Unit, At: at}
		}
	}
	for _, o := range list {
		for _, c := range o.Code.Coding {
			if c.System == fhir.SystemLOINC {
				take(c.Code, o.EffectiveDateTime, o.ValueQuantity)
			}
		}
		for _, part := range o.Component {
			for _, c := range part.Code.Coding {
				if c.System == fhir.SystemLOINC {
					take(c.Code, o.EffectiveDateTime, part.ValueQuantity)
				}
			}
		}
	}
	var out []*stationsv1.Measure
	for _, v := range vitals() {
		if m, ok := byCode[v.loinc]; ok {
			m.Kind = v.kind
			out = append(out, m)
		}
	}
	return out
}
