package terminology

// Set is a value set as it is to be computed: what it names was found.
type Set struct {
	URL, Version, Name, Title string
	Parts                     []Part // a code is in the set when it is in one of them
	Without                   []Part // and in none of these
	// ActiveOnly leaves out inactive concepts (ValueSet.compose.inactive is false).
	ActiveOnly bool
}

// Part is an include or exclude (https://hl7.org/fhir/R4/valueset-definitions.html#ValueSet.compose.include).
type Part struct {
	// URL and Version name the code system, "" for a part of value sets only.
	// System is nil for one that is not loaded; then the codes are Listed.
	URL, Version string
	System       *System
	// Enumerated tells a part that lists its codes from a whole system.
	Enumerated bool
	Listed     []Listed
	Filters    []Filter // all must hold
	Sets       []*Set   // the code must be in all
}

// Listed is a code that a value set lists.
type Listed struct {
	Code, Display string
	Designations  []Designation
}

// Folded returns the names without tone marks.
func (l *Listed) Folded() string { return folded(l.Display, l.Designations) }

// Matches reports whether the code or its names have the words.
func (l *Listed) Matches(t Text) bool {
	c := Concept{Code: l.Code}
	return t.matches(c.Words(l.Folded()))
}

// Filter chooses concepts by a property (https://hl7.org/fhir/R4/valueset-filter-operator.html).
type Filter struct{ Property, Op, Value string }

// Want is what is asked of a set.
type Want struct {
	Text Text
	// System and Code ask for one code; with no System the code of any.
	Code   string
	System string
	// Active leaves out inactive concepts, Selectable abstract ones.
	Active, Selectable bool
	// ExcludeSystems are left out.
	ExcludeSystems []string
	Offset, Count  int
}

// Entry is a code of an expansion.
type Entry struct {
	System, Version, Code, Display string
	Inactive, Abstract             bool
	Designations                   []Designation
	// Language is that of Display, where the code system says it.
	Language string
}

// In returns the entry's name in the first of the languages that it has one
// in, else its display.
func (e *Entry) In(languages []string) string {
	for _, l := range languages {
		if speaks(e.Language, l) {
			return e.Display
		}
		for _, d := range e.Designations {
			if speaks(d.Language, l) && d.Value != "" {
				return d.Value
			}
		}
	}
	return e.Display
}

// Names reports whether display is one of the entry's names; case and blanks
// do not count (https://hl7.org/fhir/R4/valueset-operation-validate-code.html).
func (e *Entry) Names(display string) bool {
	if sameName(e.Display, display) {
		return true
	}
	for _, d := range e.Designations {
		if sameName(d.Value, display) {
			return true
		}
	}
	return false
}
