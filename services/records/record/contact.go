package record

import (
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fhir"
)

// contacts is the version of what contact makes of a value. It is part of the
// digest of the parameters that find one.
const contacts = "contact 1"

// finds reports whether a parameter finds phone numbers and e-mail addresses.
func finds(p *fhir.Parameter) bool {
	return slices.ContainsFunc(p.Paths, func(q fhir.Path) bool { return q.Type == "ContactPoint" })
}

// contact is how phone numbers and e-mail addresses are compared: the number
// without what people group its digits by, in its national form, the address
// in small letters. The standard leaves it to servers
// (https://hl7.org/fhir/R4/search.html#token).
func contact(s string) string {
	s = strings.TrimSpace(s)
	if strings.Contains(s, "@") {
		return strings.ToLower(s)
	}
	number := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .-()/\t\u00a0", r) {
			return -1
		}
		return r
	}, s)
	digits := strings.TrimPrefix(number, "+")
	if !isDigits(digits) {
		return s
	}
	for _, country := range []string{"+84", "0084"} {
		if rest, ok := strings.CutPrefix(number, country); ok && len(rest) >= 9 {
			return "0" + strings.TrimPrefix(rest, "0")
		}
	}
	return number
}
