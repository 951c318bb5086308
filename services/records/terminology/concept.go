package terminology

import (
	"slices"
	"strings"
	"unicode"

	"github.com/yba-health/yba/pkg/vitext"
)

// System is a loaded version of a code system.
type System struct {
	ID            int32 // of the load: the same version loaded again has another
	URL           string
	Version       string
	Name          string
	Language      string // of the displays
	CaseSensitive bool
	ValueSet      string // the canonical of the value set of all its codes
	Source        string
}

// Concept is one concept of a code system.
type Concept struct {
	Code, Display, Definition string
	// Inactive concepts are kept for what was recorded with them; Abstract
	// ones group others and are not recorded.
	Inactive, Abstract bool
	Designations       []Designation
	Properties         []Property
	Parents            []string
}

// Designation is another name of a concept; it reads and writes as
// CodeSystem.concept.designation.
type Designation struct {
	Language string  `json:"language,omitempty"`
	Use      *Coding `json:"use,omitempty"`
	Value    string  `json:"value"`
}

// Coding is a code with its system.
type Coding struct {
	System  string `json:"system,omitempty"`
	Version string `json:"version,omitempty"`
	Code    string `json:"code,omitempty"`
	Display string `json:"display,omitempty"`
}

// Property is a property of a concept. Type is the end of its element's name
// ("String" of valueString); of a Coding, Value is the code.
type Property struct {
	Code    string `json:"code"`
	Type    string `json:"type"`
	Value   string `json:"value"`
	System  string `json:"system,omitempty"`
	Display string `json:"display,omitempty"`
}

// Folded returns the concept's names without tone marks, each between line
// feeds.
func (c *Concept) Folded() string { return folded(c.Display, c.Designations) }

func folded(display string, others []Designation) string {
	var b strings.Builder
	b.WriteByte('\n')
	add := func(name string) {
		if f := vitext.Fold(name); f != "" && !strings.Contains(b.String(), "\n"+f+"\n") {
			b.WriteString(f + "\n")
		}
	}
	add(display)
	for _, d := range others {
		add(d.Value)
	}
	return b.String()
}

// Words returns what the concept is found by: the words of its names and of
// its code, the code also without points and brackets ("e119" for E11.9).
func (c *Concept) Words(folded string) []string {
	code := vitext.Fold(c.Code)
	list := append(words(folded), words(code)...)
	if bare := strings.Map(plain, code); bare != "" {
		list = append(list, bare)
	}
	return list
}

// maxWord bounds a word; PostgreSQL takes no longer ones than 2 kB.
const maxWord = 200

// words parts folded text at whatever is no letter and no digit.
func words(s string) []string {
	list := strings.FieldsFunc(s, func(r rune) bool { return plain(r) < 0 })
	for i, w := range list {
		if len(w) > maxWord {
			list[i] = strings.ToValidUTF8(w[:maxWord], "")
		}
	}
	return list
}

func plain(r rune) rune {
	if unicode.IsLetter(r) || unicode.IsDigit(r) {
		return r
	}
	return -1
}

// Text is what a user typed to find a concept: each word is the beginning of
// one of the concept's words.
type Text struct {
	Phrase string
	Words  []string
}

// maxTyped bounds the words that are looked for; more make no difference.
const maxTyped = 20

// ParseText reads a filter of $expand.
func ParseText(s string) Text {
	t := Text{Phrase: vitext.Fold(s)}
	t.Words = words(t.Phrase)
	if len(t.Words) > maxTyped {
		t.Words = t.Words[:maxTyped]
	}
	return t
}

// matches reports whether each word typed begins one of the words.
func (t Text) matches(have []string) bool {
	return !slices.ContainsFunc(t.Words, func(w string) bool {
		return !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, w) })
	})
}
