package province

import (
	"fmt"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
)

// dose is one dose of the national schedule as practised: due at an age in
// days, and not before interval days after the dose before it.
type dose struct {
	vaccine, name, cvx    string
	number, due, interval int
	route, site           string
}

// The codes are those of the rules in services/stations.
var schedule = []dose{
	{"hepb0", "Viêm gan B sơ sinh", "08", 1, 0, 0, "IM", "right-thigh"},
	{"bcg", "Lao (BCG)", "19", 1, 10, 0, "ID", "left-arm"},
	{"dpt-hepb-hib", "Bạch hầu – ho gà – uốn ván – viêm gan B – Hib (5 trong 1)", "198", 1, 60, 28, "IM", "left-thigh"},
	{"bopv", "Bại liệt uống (bOPV)", "178", 1, 60, 28, "PO", "oral"},
	{"rota", "Tiêu chảy do vi rút Rota", "122", 1, 60, 28, "PO", "oral"},
	{"dpt-hepb-hib", "Bạch hầu – ho gà – uốn ván – viêm gan B – Hib (5 trong 1)", "198", 2, 90, 28, "IM", "left-thigh"},
	{"bopv", "Bại liệt uống (bOPV)", "178", 2, 90, 28, "PO", "oral"},
	{"rota", "Tiêu chảy do vi rút Rota", "122", 2, 90, 28, "PO", "oral"},
	{"dpt-hepb-hib", "Bạch hầu – ho gà – uốn ván – viêm gan B – Hib (5 trong 1)", "198", 3, 120, 28, "IM", "left-thigh"},
	{"bopv", "Bại liệt uống (bOPV)", "178", 3, 120, 28, "PO", "oral"},
	{"ipv", "Bại liệt tiêm (IPV)", "10", 1, 150, 0, "IM", "right-thigh"},
	{"ipv", "Bại liệt tiêm (IPV)", "10", 2, 270, 112, "IM", "right-thigh"},
	{"measles", "Sởi", "05", 1, 270, 0, "SC", "left-arm"},
	{"je", "Viêm não Nhật Bản", "129", 1, 365, 0, "SC", "left-arm"},
	{"je", "Viêm não Nhật Bản", "129", 2, 379, 7, "SC", "left-arm"},
	{"mr", "Sởi – Rubella", "04", 1, 548, 0, "SC", "left-arm"},
	{"dpt4", "Bạch hầu – ho gà – uốn ván", "01", 1, 548, 0, "IM", "left-thigh"},
	{"je", "Viêm não Nhật Bản", "129", 3, 744, 330, "SC", "left-arm"},
	{"td", "Uốn ván – bạch hầu giảm liều", "139", 1, 2557, 0, "IM", "left-arm"},
}

// registry is when the national immunization register began. Children born
// before it have their doses on paper only: half a series would read as a gap.
var registry = time.Date(2017, 6, 1, 0, 0, 0, 0, Zone)

// immunizations writes a child's doses. Most follow the schedule with some
// delay, one in four misses some, a few miss many; after a missed dose of a
// vaccine the later ones are missing too.
func (b *builder) immunizations(s *subject) {
	if s.born.Before(registry) {
		return
	}
	miss := 0.01
	switch at := b.rng.Float64(); {
	case at < 0.08:
		miss = 0.35
	case at < 0.30:
		miss = 0.08
	}
	stopped, given := map[string]bool{}, map[string]time.Time{}
	for _, d := range schedule {
		due := s.born.AddDate(0, 0, d.due)
		late := b.rng.IntN(12)
		if b.chance(0.12) {
			late += b.rng.IntN(75)
		}
		if d.vaccine == "hepb0" {
			late = 0
		}
		missed := b.chance(miss)
		// The demo's small child lacks one dose, so that something is due.
		if s.id == patientNgoc && d.vaccine == "mr" {
			missed = true
		} else if s.cast != nil {
			missed = false
		}
		at := due.AddDate(0, 0, late)
		if last, ok := given[d.vaccine]; ok {
			at = later(at, last.AddDate(0, 0, d.interval))
		}
		if stopped[d.vaccine] || missed || at.After(b.p.today) {
			stopped[d.vaccine] = true
			continue
		}
		given[d.vaccine] = at
		b.immunization(s, d, at)
	}
}

func (b *builder) immunization(s *subject, d dose, at time.Time) {
	y, m, dd := at.Date()
	at = time.Date(y, m, dd, 8, b.rng.IntN(120), 0, 0, Zone)
	nurse, name, _ := nurseOf(s.home.commune)
	b.put("Immunization", s.next("dose"), fields{
		"status": "completed", "patient": s.reference(), "occurrenceDateTime": instant(at), "primarySource": true,
		"vaccineCode": fields{"text": d.name, "coding": []fields{
			{"system": fhir.SystemVaccine, "code": d.vaccine, "display": d.name},
			{"system": fhir.SystemCVX, "code": d.cvx},
		}},
		// Lots change with the quarter, so that a recall finds its children.
		"lotNumber":      fmt.Sprintf("%s%02d%d", strings.ToUpper(d.vaccine[:2]), y%100, (int(m)+2)/3),
		"expirationDate": day(time.Date(y+1, m+6, 1, 0, 0, 0, 0, Zone)),
		"site":           fields{"text": d.site},
		"route":          concept("http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration", d.route, d.route),
		"performer": []fields{
			{"actor": named("Practitioner", nurse, name)},
			{"actor": reference("Organization", s.home.commune.station())},
		},
		"protocolApplied": []fields{{"doseNumberPositiveInt": d.number}},
	})
}
