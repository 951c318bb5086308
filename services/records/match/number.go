package match

import (
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fhir"
)

// systemCMND is the nine digits of the old identity card.
const (
	systemCMND      = "http://fhir.hl7.org.vn/core/sid/cmnd"
	systemHousehold = "https://yba.health/fhir/sid/household"
)

// numbers are a Patient's identifiers by what they are, whatever system they
// stand in: a card of the health insurance bears the citizen number or that of
// the social insurance, by its age.
type numbers struct {
	citizen, insured, oldCard, household, other []string
}

func numbersOf(patient fhir.Value) numbers {
	var n numbers
	for i := range patient.Get("identifier").Items() {
		system, value := i.Get("system").Str(), clean(i.Get("value").Str())
		if value == "" {
			continue
		}
		digits := strings.Trim(value, "0123456789") == ""
		add := func(list *[]string, v string) {
			if !slices.Contains(*list, v) {
				*list = append(*list, v)
			}
		}
		known := system == fhir.SystemCCCD || system == systemCMND || system == fhir.SystemBHYT || system == fhir.SystemBHXH
		switch {
		case system == systemHousehold:
			add(&n.household, value)
		case known && digits && len(value) == 12:
			add(&n.citizen, value)
		case known && digits && len(value) == 9:
			add(&n.oldCard, value)
		case known && digits && len(value) == 10:
			add(&n.insured, value)
		case system == fhir.SystemBHYT && len(value) == 15: // QĐ 1351/QĐ-BHXH: the last ten are the person's
			add(&n.insured, value[5:])
		default:
			add(&n.other, system+"|"+value)
		}
	}
	return n
}

// clean takes blanks, dots and hyphens away, which people write into numbers.
func clean(s string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .-\t\u00a0", r) {
			return -1
		}
		return r
	}, s))
}

// citizenFacts reads century, sex and birth year out of a citizen number
// (NĐ 137/2015/NĐ-CP article 13). The place in it is that of registration at
// birth, not of residence, so it is left alone.
func citizenFacts(number string) (year int, sex string) {
	century := int(number[3] - '0')
	year, _ = strconv.Atoi(number[4:6]) // digits only
	return 1900 + century/2*100 + year, []string{"male", "female"}[century%2]
}

// contradicts reports whether a citizen number says another birth year or sex
// than its own record.
func (p *Person) contradicts(number string) bool {
	year, sex := citizenFacts(number)
	return p.birth.year > 0 && p.birth.year != year || p.sex != "" && p.sex != sex
}

func shared(a, b []string) string {
	for _, v := range a {
		if slices.Contains(b, v) {
			return v
		}
	}
	return ""
}

func both(a, b []string) bool { return len(a) > 0 && len(b) > 0 }

func compareCitizen(a, b *Person) finding {
	x, y := a.numbers.citizen, b.numbers.citizen
	if v := shared(x, y); v != "" {
		if a.contradicts(v) || b.contradicts(v) {
			return weakCitizen
		}
		return sameCitizen
	}
	if !both(x, y) {
		return none
	}
	for _, v := range x {
		if slices.ContainsFunc(y, func(w string) bool { return near(v, w) }) {
			return slipCitizen
		}
	}
	return otherCitizen
}

func compareLists(a, b []string, same, other finding) finding {
	switch {
	case shared(a, b) != "":
		return same
	case both(a, b):
		return other
	}
	return none
}

// moved are the prefixes of mobile numbers that lost a digit in 2018 (the
// Ministry of Information and Communications, decision 798/QĐ-BTTTT).
var moved = map[string]string{
	"0162": "032", "0163": "033", "0164": "034", "0165": "035", "0166": "036", "0167": "037", "0168": "038", "0169": "039",
	"0120": "070", "0121": "079", "0122": "077", "0126": "076", "0128": "078",
	"0123": "083", "0124": "084", "0125": "085", "0127": "081", "0129": "082",
	"0186": "056", "0188": "058", "0199": "059",
}

// phone returns a number in its present national form, "" for none.
func phone(s string) string {
	s = clean(s)
	s = strings.TrimLeft(strings.NewReplacer("(", "", ")", "").Replace(s), "+")
	for _, prefix := range []string{"0084", "84"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok && len(rest) >= 9 {
			s = "0" + strings.TrimPrefix(rest, "0")
			break
		}
	}
	if len(s) == 11 {
		if now, ok := moved[s[:4]]; ok {
			s = now + s[4:]
		}
	}
	if len(s) < 8 || strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return s
}

// PhoneForms lists how a phone number may stand in a record.
func PhoneForms(s string) []string {
	now := phone(s)
	if now == "" {
		return nil
	}
	forms := []string{s, now, "+84" + now[1:], "84" + now[1:]}
	for old, p := range moved {
		if rest, ok := strings.CutPrefix(now, p); ok && len(now) == 10 {
			forms = append(forms, old+rest)
		}
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}
