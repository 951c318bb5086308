package stations

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/yba-health/yba/pkg/vitext"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// sameEnough is the likeness from which two people may be one. It is high,
// since a hint that comes too often is not read any more; an equal number
// reaches it alone.
const sameEnough = 0.75

// asked is what is known of the person who is looked for.
type asked struct {
	name, birth, gender, phone string
	// identifiers by kind.
	identifiers map[string]string
	// prefix: the name is still being typed.
	prefix bool
}

// likeness tells how alike p is to what was asked, 0 to 1, and why.
func likeness(a asked, p *stationsv1.Person) (float64, []string) {
	var score, weight float64
	var reasons []string
	add := func(w, s float64, why string) {
		score, weight = score+w*s, weight+w
		if why != "" {
			reasons = append(reasons, why)
		}
	}
	same, different := compareIdentifiers(a.identifiers, p.GetIdentifiers())
	if same != "" {
		return 1, []string{"cùng " + numberName[same]}
	}
	if a.name != "" {
		s, why := nameLikeness(a.name, p.GetName(), a.prefix)
		add(0.5, s, why)
	}
	if a.birth != "" && p.GetBirthDate() != "" {
		s, why := birthLikeness(a.birth, p.GetBirthDate())
		add(0.3, s, why)
	}
	if known(a.gender) && known(p.GetGender()) {
		s := 0.0
		if a.gender == p.GetGender() {
			s = 1
		}
		add(0.1, s, "")
	}
	if a.phone != "" && a.phone == cleanPhone(p.GetPhone()) {
		// Families share a phone: it adds to a likeness and makes none.
		add(0.1, 1, "cùng số điện thoại")
	}
	if weight == 0 {
		return 0, nil
	}
	score /= weight
	if different != "" {
		score /= 2
		reasons = append(reasons, "khác "+numberName[different])
	}
	return score, reasons
}

var numberName = map[string]string{"cccd": "số căn cước", "bhyt": "số thẻ BHYT", "bhxh": "mã số BHXH"}

func known(gender string) bool { return gender != "" && gender != "unknown" }

// compareIdentifiers tells the kind that is the same, or else one that both
// have and that differs. Only numbers that are given once for life can differ:
// an insurance card changes.
func compareIdentifiers(a map[string]string, b []*stationsv1.Identifier) (same, different string) {
	for _, i := range b {
		v, ok := a[i.GetKind()]
		switch {
		case !ok:
		case v == i.GetValue():
			return i.GetKind(), ""
		case i.GetKind() != "bhyt":
			different = i.GetKind()
		}
	}
	return "", different
}

// nameLikeness compares names word by word without tone marks; each word of
// one goes with the most alike of the other. While a name is being typed, the
// words that are not there yet do not count.
func nameLikeness(typed, name string, prefix bool) (float64, string) {
	a, b := strings.Fields(vitext.Fold(typed)), strings.Fields(vitext.Fold(name))
	if len(a) == 0 || len(b) == 0 {
		return 0, ""
	}
	if slices.Equal(a, b) {
		if norm.NFC.String(strings.ToLower(typed)) == norm.NFC.String(strings.ToLower(name)) {
			return 1, "cùng họ tên"
		}
		// More than a longer name that only holds all that was typed.
		return 0.97, "cùng họ tên, khác dấu"
	}
	free := slices.Clone(b)
	sum := 0.0
	for i, word := range a {
		best, at := 0.0, -1
		for j, other := range free {
			s := wordLikeness(word, other)
			if prefix && i == len(a)-1 && other != word && strings.HasPrefix(other, word) {
				s = begun
			}
			if s > best {
				best, at = s, j
			}
		}
		if at >= 0 {
			sum += best
			free = slices.Delete(free, at, at+1)
		}
	}
	full := sum / float64(max(len(a), len(b)))
	if prefix {
		full = 0.8*sum/float64(len(a)) + 0.2*full
	}
	if full >= 0.6 {
		return full, "họ tên gần giống"
	}
	return full, ""
}

const (
	// begun is the likeness of a word to its beginning while it is being typed:
	// Hoàng may be meant by "hoa", but Hoa comes first.
	begun = 0.97
	// otherBegin is taken off where the first letters differ: slips are seldom
	// made there, so "hao" is rather Hoa than Thảo.
	otherBegin = 0.1
)

// wordLikeness is 1 less the share of letters to change; words that share less
// than half are not alike at all.
func wordLikeness(a, b string) float64 {
	x, y := []rune(a), []rune(b)
	s := 1 - float64(editDistance(x, y))/float64(max(len(x), len(y)))
	if x[0] != y[0] {
		s -= otherBegin
	}
	if s < 0.5 {
		return 0
	}
	return s
}

// editDistance counts letters to add, drop or change, and neighbours to swap
// (Levenshtein with transpositions, as optimal string alignment).
func editDistance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

// birthLikeness compares dates of which either may be only a year.
func birthLikeness(a, b string) (float64, string) {
	switch {
	case a == b && len(a) == len("2006-01-02"):
		return 1, "cùng ngày sinh"
	case len(a) < 4 || len(b) < 4:
		return 0, ""
	case a[:4] != b[:4]:
		// One wrong digit of a date that is otherwise equal is a slip of the pen.
		if len(a) == len(b) && editDistance([]rune(a), []rune(b)) == 1 && len(a) > 4 {
			return 0.5, "ngày sinh gần giống"
		}
		return 0, ""
	case len(a) == 4 || len(b) == 4:
		return 0.8, "cùng năm sinh"
	}
	// Day and month or two digits changed places, or one digit is different.
	if len(a) == len(b) && (sameDigits(a[5:], b[5:]) || editDistance([]rune(a), []rune(b)) == 1) {
		return 0.7, "ngày sinh gần giống"
	}
	return 0.1, "cùng năm sinh"
}

// sameDigits reports whether a and b are made of the same characters.
func sameDigits(a, b string) bool {
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}
