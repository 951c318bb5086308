package province

import (
	"fmt"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
)

// subject is a member whose record is being written.
type subject struct {
	*member
	home     *household
	id       string
	years    int
	since    time.Time
	diseases []disease
	counts   map[string]int
}

// next returns the next id of a kind for this person, "visit-00012-1-03".
func (s *subject) next(kind string) string {
	s.counts[kind]++
	return fmt.Sprintf("%s-%s-%02d", kind, s.id[len("patient-"):], s.counts[kind])
}

func (s *subject) reference() fields { return reference("Patient", s.id) }

// record writes a household and everyone in it who has a record.
func (p *Province) record(b *builder, h *household) {
	if h.registered() == 0 {
		return
	}
	var present []fields
	head := ""
	for i := range h.members {
		m := &h.members[i]
		if !m.hasFile {
			continue
		}
		s := &subject{
			member: m, home: h, id: h.patient(i), years: age(m.born, p.today),
			since: later(h.since, m.born.AddDate(0, 0, 1)), counts: map[string]int{},
		}
		if head == "" {
			head = s.id
		}
		present = append(present, fields{"entity": s.reference()})
		b.patient(s)
		b.health(s)
		b.immunizations(s)
		b.visits(s)
		b.remoteCare(s)
	}
	b.put("Group", h.id(), fields{
		"type": "person", "actual": true, "active": true, "quantity": len(present),
		"identifier": []fields{{"system": fhir.SystemClient, "value": h.id()}},
		"code":       fields{"coding": []fields{{"system": fhir.SystemGroupKind, "code": "household", "display": "Hộ gia đình"}}},
		"name":       h.house + ", " + h.hamlet.name, "member": present,
		"managingEntity": reference("Organization", h.commune.station()),
		"extension": append(h.unitExtensions(), fields{
			"url":            fhir.ExtensionHouseholdHead,
			"valueReference": reference("Patient", head),
		}),
	})
}

func (b *builder) patient(s *subject) {
	_, _, place := s.home.unit()
	born := s.born.Format(time.DateOnly)
	if s.yearOnly {
		born = s.born.Format("2006")
	}
	text := s.home.house + ", " + s.home.hamlet.name + ", " + place + ", " + provinceName
	r := fields{
		"active": true, "gender": s.sex, "birthDate": born,
		"name": []fields{{"use": "official", "text": s.name.text, "family": s.name.family, "given": s.name.given}},
		"address": []fields{{
			"use": "home", "text": text, "line": []string{s.home.house, s.home.hamlet.name},
			"city": place, "state": provinceName, "country": "VN", "extension": s.home.unitExtensions(),
		}},
		"managingOrganization": reference("Organization", s.home.commune.station()),
	}
	if ids := b.identifiers(s.member); len(ids) > 0 {
		r["identifier"] = ids
	}
	if s.phone != "" {
		r["telecom"] = []fields{{"system": "phone", "value": s.phone, "use": "mobile"}}
	}
	b.put("Patient", s.id, r)
}

func day(t time.Time) string     { return t.Format(time.DateOnly) }
func instant(t time.Time) string { return t.Format(time.RFC3339) }

// between returns a day of work in [from, to) at an hour the station is open.
func (b *builder) between(from, to time.Time) time.Time {
	days := int(to.Sub(from).Hours() / 24)
	t := from
	if days > 0 {
		t = from.AddDate(0, 0, b.rng.IntN(days))
	}
	if t.Weekday() == time.Sunday && t.AddDate(0, 0, -1).After(from) {
		t = t.AddDate(0, 0, -1)
	}
	y, m, d := t.Date()
	return time.Date(y, m, d, 7, 30+b.rng.IntN(9*60), 0, 0, Zone)
}
