package record

import (
	"slices"
	"strings"
	"unicode"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// Text is a _text or _content of a search
// (https://hl7.org/fhir/R4/search.html#content). No index answers it: who
// searches reads the bodies that the other conditions leave, up to a bound.
type Text struct {
	// Narrative asks for the narrative only (_text), else for every string of
	// the resource (_content).
	Narrative bool
	// Any: the terms of one of them are all found.
	Any [][]Term
}

// Term is words that follow each other, compared like names: without case
// and tone marks.
type Term struct {
	Words []string
	// Whole tells that the last word is meant as it is (a quoted phrase);
	// otherwise it may be the beginning of one.
	Whole bool
}

// maxTerms bounds what one _text or _content looks for.
const maxTerms = 20

// textParameter reads _text or _content: words, all of which must occur,
// "quoted phrases", and alternatives parted by commas.
func (x *Indexer) textParameter(q *Query, name, value string) error {
	base, modifier, _ := strings.Cut(name, ":")
	fail := func(why string) error { return fault.New(fault.Invalid, why, nil).In(base) }
	if modifier != "" {
		return fail(base + " has no modifiers; it finds words that begin with the given ones, and \"quoted phrases\"")
	}
	if value == "" {
		return nil
	}
	t, count := Text{Narrative: base == "_text"}, 0
	for _, one := range unescapedSplit(value, ',') {
		terms := terms(unescapeValue(one))
		if len(terms) == 0 {
			return fail("a word is expected: letters or digits")
		}
		if count += len(terms); count > maxTerms {
			return fault.Newf(fault.Invalid, "at most %d words and phrases are looked for", maxTerms).In(base)
		}
		t.Any = append(t.Any, terms)
	}
	q.Texts = append(q.Texts, t)
	return nil
}

// terms reads words and "quoted phrases".
func terms(s string) (list []Term) {
	add := func(s string, whole bool) {
		if words := words(fold(s)); len(words) > 0 {
			list = append(list, Term{words, whole})
		}
	}
	for i, part := range strings.Split(s, `"`) {
		if i%2 == 1 {
			add(part, true)
			continue
		}
		for _, word := range strings.Fields(part) {
			// A code such as 8480-6 is two words that follow each other.
			add(word, false)
		}
	}
	return list
}

func words(folded string) []string {
	return strings.FieldsFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// Contains reports whether a resource has all texts that the search asks for.
func (q *Query) Contains(defs *fhir.Definitions, resource fhir.Value) bool {
	for i := range q.Texts {
		if !q.Texts[i].in(defs, resource) {
			return false
		}
	}
	return true
}

func (t *Text) in(defs *fhir.Definitions, resource fhir.Value) bool {
	missing := make([][]Term, len(t.Any))
	for i := range t.Any {
		missing[i] = slices.Clone(t.Any[i])
	}
	// has reports whether nothing is missing any more after a text was read,
	// which is asked whether it is one only where that matters.
	has := func(s string, text func() bool) bool {
		folded := fold(s)
		found := func(term Term) bool { return term.in(folded) }
		if !slices.ContainsFunc(missing, func(list []Term) bool { return slices.ContainsFunc(list, found) }) || !text() {
			return false
		}
		for i := range missing {
			missing[i] = slices.DeleteFunc(missing[i], found)
			if len(missing[i]) == 0 {
				return true
			}
		}
		return false
	}
	if t.Narrative {
		return has(fhir.Plain(resource.At("text", "div").Str()), func() bool { return true })
	}
	for v := range resource.Strings() {
		s := v.Str()
		if encoded(v) {
			continue
		}
		if v.Named("div") {
			s = fhir.Plain(s)
		}
		if has(s, func() bool { return textual(defs, v) }) {
			return true
		}
	}
	return false
}

// textual reports whether a string is text that people read: words, codes and
// the narrative (https://hl7.org/fhir/R4/datatypes.html: string and what
// specialises it). Ids, references, addresses and dates are not: they are in
// every resource, and found by parameters of their own. What the definitions
// do not know is taken for text.
func textual(defs *fhir.Definitions, v fhir.Value) bool {
	switch defs.TypeOfElement(v) {
	case "string":
		return !v.Named("reference") // only Reference.reference is a string by this name
	case "markdown", "code", "xhtml":
		return true
	case "":
		return !v.Named("resourceType")
	}
	return false
}

// encoded reports whether a string may be kept apart from the body, which is
// no text; see large.
func encoded(v fhir.Value) bool { return large([]byte(v.Name())) }

func (t Term) in(folded string) bool {
	if !strings.Contains(folded, t.Words[0]) {
		return false
	}
	list := words(folded)
	last := len(t.Words) - 1
	for i := 0; i+last < len(list); i++ {
		end := list[i+last]
		if slices.Equal(list[i:i+last], t.Words[:last]) && (end == t.Words[last] || !t.Whole && strings.HasPrefix(end, t.Words[last])) {
			return true
		}
	}
	return false
}
