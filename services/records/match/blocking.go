package match

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
)

// escaped writes a text as a value of a search (https://hl7.org/fhir/R4/search.html#escaping).
var escaped = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `|`, `\|`, `$`, `\$`)

// Searches returns the FHIR searches of Patient by which the candidates for a
// Patient are found ("blocking"): whoever agrees with it in none of these is
// not compared. Each is of the form "identifier=…", the narrowest first.
func Searches(patient fhir.Value) []string {
	var list []string
	search := func(pairs ...string) {
		var parts []string
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] == "" {
				return
			}
			parts = append(parts, pairs[i]+"="+url.QueryEscape(pairs[i+1]))
		}
		list = append(list, strings.Join(parts, "&"))
	}
	p := Of(patient)
	var values, phones []string
	for i := range patient.Get("identifier").Items() {
		values = append(values, i.Get("value").Str())
	}
	n := p.numbers
	for _, l := range [][]string{n.citizen, n.insured, n.oldCard} {
		values = append(values, l...)
	}
	search("identifier", joined(values))
	for t := range patient.Get("telecom").Items() {
		phones = append(phones, PhoneForms(t.Get("value").Str())...)
	}
	search("phone", joined(phones))
	year, day := "", ""
	if p.birth.year > 0 {
		year = strconv.Itoa(p.birth.year)
	}
	if p.birth.month > 0 {
		day = time.Date(p.birth.year, time.Month(p.birth.month), p.birth.day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	}
	city := ""
	for a := range patient.Get("address").Items() {
		if city == "" {
			city = escaped.Replace(a.Get("city").Str())
		}
	}
	seen := map[string]bool{}
	for _, name := range p.names {
		whole := name.text()
		if seen[whole] {
			continue
		}
		seen[whole] = true
		search("name", whole, "birthdate", year)
		search("name", whole, "address-city", city)
		search("given", name.own.folded, "birthdate", day)
	}
	search("birthdate", day, "address-city", city)
	return list
}

func joined(values []string) string {
	var list []string
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			list = append(list, escaped.Replace(v))
		}
	}
	return strings.Join(list, ",")
}

// text is the whole name without marks, "" where it holds initials, which
// find nobody.
func (n name) text() string {
	parts := []string{n.family.folded}
	for _, w := range append(append([]word{}, n.middle...), n.own) {
		parts = append(parts, w.folded)
	}
	for _, p := range parts {
		if len(p) < 2 {
			return ""
		}
	}
	return escaped.Replace(strings.Join(parts, " "))
}
