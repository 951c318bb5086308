package province

import (
	"fmt"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
)

// scatter makes of the serial number six digits that look drawn by lot and
// are still unique below a million: 7919 has no factor in common with it.
func scatter(serial int) int { return (serial*7919 + 104729) % 1_000_000 }

// cccd makes a citizen number: three digits of the place, one of century and
// sex, two of the birth year, six more (Decree 137/2015 article 13). 099 is
// no place.
func cccd(m *member) string {
	c := 0
	if m.born.Year() >= 2000 {
		c = 2
	}
	if m.sex == "female" {
		c++
	}
	return fmt.Sprintf("099%d%02d%06d", c, m.born.Year()%100, scatter(m.serial))
}

// bhxh makes a social insurance number of ten digits.
func bhxh(m *member) string { return fmt.Sprintf("99%08d", 20_000_000+scatter(m.serial)) }

// insuranceGroup is the letters and the benefit level of a card (Decision
// 1351/QĐ-BHXH): children, the poor, the old, households.
func insuranceGroup(years int, poor bool) string {
	switch {
	case years < 6:
		return "TE1"
	case poor:
		return "HN2"
	case years >= 80:
		return "BT2"
	}
	return "GD4"
}

// personalNumber is the day since which the insurance knows people by their
// citizen number (Decree 188/2025).
var personalNumber = time.Date(2025, 8, 15, 0, 0, 0, 0, Zone)

// identifiers lists a person's numbers with their periods.
func (b *builder) identifiers(m *member) []fields {
	today := b.p.today
	years := age(m.born, today)
	var out []fields
	number := cccd(m)
	hasNumber := b.chance(0.96)
	if years < 14 {
		hasNumber = b.chance(0.7)
	}
	if m.cast != nil {
		hasNumber = true
	}
	if hasNumber {
		from := m.born.AddDate(0, 1, 0)
		if years >= 14 {
			from = later(m.born.AddDate(14, 1, 0), time.Date(2021, 3, 1, 0, 0, 0, 0, Zone).AddDate(0, 0, b.rng.IntN(700)))
		}
		out = append(out, identifier(fhir.SystemCCCD, number, from, time.Time{},
			"Cục Cảnh sát quản lý hành chính về trật tự xã hội"))
	}
	if m.cast == nil && !b.chance(0.9) {
		return out
	}
	const issuer = "BHXH " + provinceName
	insured := bhxh(m)
	start := later(m.born, time.Date(today.Year()-1-b.rng.IntN(3), 1, 1, 0, 0, 0, 0, Zone))
	out = append(out, identifier(fhir.SystemBHXH, insured, start, time.Time{}, issuer))
	card := insuranceGroup(years, b.chance(0.07)) + "99" + insured
	// Cards run for a year; those renewed since the change carry the citizen number.
	end := time.Date(today.Year(), 12, 31, 0, 0, 0, 0, Zone)
	if hasNumber && start.Before(personalNumber) && !personalNumber.After(today) && b.chance(0.5) {
		out = append(out,
			identifier(fhir.SystemBHYT, card, start, personalNumber.AddDate(0, 0, -1), issuer),
			identifier(fhir.SystemBHYT, number, personalNumber, end, issuer))
		return out
	}
	return append(out, identifier(fhir.SystemBHYT, card, start, end, issuer))
}

func identifier(system, value string, from, until time.Time, assigner string) fields {
	period := fields{"start": from.Format(time.DateOnly)}
	if !until.IsZero() {
		period["end"] = until.Format(time.DateOnly)
	}
	return fields{"use": "official", "system": system, "value": value, "period": period, "assigner": fields{"display": assigner}}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
