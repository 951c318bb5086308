package match

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/vitext"
)

// word is one word of a name.
type word struct {
	// exact is in small letters, its tone mark last, so that "hoà" and "hòa"
	// are equal; folded has no marks.
	exact, folded string
}

// tones are the combining marks of the five written tones.
const tones = "\u0300\u0301\u0303\u0309\u0323"

func words(s string) []word {
	var list []word
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" .,\t\u00a0", r) }) {
		folded := vitext.Fold(part)
		if folded == "" {
			continue
		}
		var letters, tone strings.Builder
		for _, r := range norm.NFD.String(strings.ToLower(part)) {
			if strings.ContainsRune(tones, r) {
				tone.WriteRune(r)
			} else {
				letters.WriteRune(r)
			}
		}
		list = append(list, word{letters.String() + tone.String(), folded})
	}
	return list
}

// name is one reading of a HumanName.
type name struct {
	family, own word
	middle      []word
	marked      bool
	// guessed: the words were put in another order than is usual or given.
	guessed bool
}

// maxReadings bounds the readings of one Patient's names that are compared.
const maxReadings = 8

// namesOf returns the readings of a Patient's names. A name that is only a
// text is read with the family name first, as Vietnamese is, and last, as some
// peoples and foreign forms have it; so is one whose parts were swapped.
func namesOf(patient fhir.Value) []name {
	var list []name
	read := func(family string, given []word) {
		if f := words(family); len(f) > 0 && len(given) > 0 {
			list = append(list, reading(f[0], slices.Concat(f[1:], given)))
		}
	}
	for n := range patient.Get("name").Items() {
		var given []string
		for g := range n.Get("given").Items() {
			given = append(given, g.Str())
		}
		family, rest := n.Get("family").Str(), words(strings.Join(given, " "))
		whole := words(n.Get("text").Str())
		switch {
		case family != "" && len(rest) > 0:
			read(family, rest)
			list = append(list, swapped(family, rest)...)
		case len(whole) > 1:
			list = append(list, reading(whole[0], whole[1:]), guess(reading(whole[len(whole)-1], whole[:len(whole)-1])))
		}
	}
	return list[:min(len(list), maxReadings)]
}

// swapped reads a name whose family name stands among the given ones: before
// the others, or behind them with the whole name turned round (Mận, Thị Lê).
func swapped(family string, given []word) []name {
	if _, known := families[vitext.Fold(family)]; known {
		return nil
	}
	var list []name
	n := len(given) - 1
	if families[given[0].folded] > 0 {
		list = append(list, guess(reading(given[0], append(slices.Clone(given[1:]), words(family)...))))
	}
	if n > 0 && families[given[n].folded] > 0 {
		list = append(list, guess(reading(given[n], append(slices.Clone(given[:n]), words(family)...))))
	}
	return list
}

func reading(family word, given []word) name {
	n := name{family: family, own: given[len(given)-1], middle: given[:len(given)-1]}
	for _, w := range append([]word{family}, given...) {
		n.marked = n.marked || w.exact != w.folded
	}
	return n
}

func guess(n name) name {
	n.guessed = true
	return n
}

// likeness is how two words compare.
type likeness int

const (
	unlike likeness = iota
	slip
	initial
	marks // both are written with marks, which differ
	bare  // equal but for the marks, which one side does not write
	equal
)

func compareWords(a, b word, marked bool) likeness {
	switch {
	case a.exact == b.exact:
		return equal
	case a.folded == b.folded && marked:
		return marks
	case a.folded == b.folded:
		return bare
	case len(a.folded) == 1 && b.folded[0] == a.folded[0], len(b.folded) == 1 && a.folded[0] == b.folded[0]:
		return initial
	case min(len(a.folded), len(b.folded)) > 2 && near(a.folded, b.folded):
		return slip
	}
	return unlike
}

// variants are family names that are one, as the north and the south say it.
var variants = map[string]string{"hoang": "huynh", "huynh": "hoang", "vu": "vo", "vo": "vu"}

// compareNames returns the evidence of two readings.
func compareNames(a, b name) (own finding, total float64) {
	marked := a.marked && b.marked
	own = map[likeness]finding{unlike: otherOwn, slip: slipOwn, initial: initialOwn, marks: otherMarks, bare: bareOwn, equal: sameOwn}[compareWords(a.own, b.own, marked)]
	total = bits(own) + bits(compareMiddle(a.middle, b.middle))
	switch compareWords(a.family, b.family, false) {
	case equal, bare, marks:
		return own, total + familyBits(a.family.folded)
	case initial:
		return own, total + bits(initialFamily)
	case slip:
		if variants[a.family.folded] != b.family.folded {
			return own, total + bits(slipFamily)
		}
	default: // another name, or the same in another region
	}
	if variants[a.family.folded] == b.family.folded {
		return own, total + bits(variantFamily)
	}
	return own, total + bits(otherFamily)
}

func compareMiddle(a, b []word) finding {
	if len(a) == 0 || len(b) == 0 {
		return none
	}
	if len(a) != len(b) {
		short, long := a, b
		if len(a) > len(b) {
			short, long = b, a
		}
		for _, w := range short {
			if !slices.ContainsFunc(long, func(o word) bool { return o.folded == w.folded || len(w.folded) == 1 && o.folded[0] == w.folded[0] }) {
				return otherMiddle
			}
		}
		return partMiddle
	}
	worst, common := sameMiddle, true
	for i := range a {
		common = common && (a[i].folded == "thi" || a[i].folded == "van")
		switch compareWords(a[i], b[i], false) {
		case unlike:
			return otherMiddle
		case slip:
			worst = slipMiddle
		case initial:
			if worst == sameMiddle {
				worst = initialMiddle
			}
		default: // equal without marks
		}
	}
	if worst == sameMiddle && common {
		return commonMiddle
	}
	return worst
}

// near reports whether one letter is missing, added or another, or two
// neighbours are swapped.
func near(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || a == b {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	return a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}
