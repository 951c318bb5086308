package record

import (
	"strings"

	"github.com/yba-health/yba/pkg/vitext"
)

// apostrophes are written in many ways in names such as H'Hen Niê, and left out.
var apostrophes = strings.NewReplacer("'", "", "’", "", "‘", "", "ʼ", "", "`", "", "´", "")

// fold is how texts are compared: without case, tone marks, apostrophes and
// needless blanks (https://hl7.org/fhir/R4/search.html#string).
func fold(s string) string {
	folded := vitext.Fold(s)
	for i := range len(folded) {
		if c := folded[i]; c == '\'' || c == '`' || c >= 0x80 {
			return strings.Join(strings.Fields(apostrophes.Replace(folded)), " ")
		}
	}
	return folded
}

// maxSpoken is how many words of a name are found by themselves.
const maxSpoken = 8

// spoken adds the ways in which a name, the family name first, is found that
// are no element's value: from each of its words on and round again (thi hoa
// nguyen, hoa nguyen thi), and without what stands between family name and
// last name (nguyen hoa). They have no exact text.
func (r *Rows) spoken(n int16, name string) {
	words := strings.Fields(name)
	if len(words) < 2 || len(words) > maxSpoken {
		return
	}
	add := func(parts ...string) {
		folded := cut(strings.Join(parts, " "), longestText)
		for _, have := range r.Strings {
			if have.Param == n && have.Folded == folded {
				return
			}
		}
		r.Strings = append(r.Strings, String{Param: n, Folded: folded})
	}
	for i := range words {
		add(append(append([]string{}, words[i:]...), words[:i]...)...)
	}
	if len(words) > 2 {
		add(words[0], words[len(words)-1])
	}
}
