package fhir

import (
	_ "embed" // the tables
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// The tables are written by pkg/fhir/gen from the official R4 definitions.
var (
	//go:embed definitions/types.txt
	typesTable string
	//go:embed definitions/elements.tsv
	elementsTable string
	//go:embed definitions/search.tsv
	searchTable string
	//go:embed definitions/compartment.tsv
	compartmentTable string
	// The compartments but the patient's are not in the package; this table is
	// kept by hand after https://hl7.org/fhir/R4/compartmentdefinition.html.
	//go:embed definitions/compartments.tsv
	compartmentsTable string
	//go:embed definitions/summary.tsv
	summaryTable string
)

// Definitions are what the R4 base specification (4.0.1) says of its types.
// They never change while the program runs.
type Definitions struct {
	// Types are the resource types, sorted. A type's number is its place in
	// this list plus one; R4 is final, so numbers are stable.
	Types []string

	numbers     map[string]int16
	owners      map[string]*owner
	parameters  map[string]map[string]*Parameter
	compartment map[string][]string
	members     map[string]map[string][]string
}

// owner is a type or backbone element and its children.
type owner struct {
	name     string
	resource bool
	elements []*Element
	byName   map[string]member // by the name in JSON
	// required are the places of the elements that must be there.
	required uint64
	rules    []*rule
}

// member is what a JSON name means: of a choice, one of its types.
type member struct {
	element   *Element
	typ       string
	primitive bool
	owner     *owner // of the type, nil for a primitive
}

// Element is one element of a type.
type Element struct {
	Name  string // "value[x]" for a choice
	Min   int
	Many  bool
	Types []string

	place   int // among its siblings, below 64
	choice  bool
	codes   *valueSet // of a required binding
	open    string    // the system of a binding that cannot be listed
	targets []string  // of a reference, none for any type
	rules   []*rule   // invariants of the element where it stands
	// summary and modifier are isSummary and isModifier.
	summary, modifier bool
}

// Choice reports whether the element has one name per type ("value[x]").
func (e *Element) Choice() bool { return e.choice }

// Parameter is a search parameter of one resource type.
type Parameter struct {
	Base, Code, Type string
	// Targets are the types a reference may point at.
	Targets []string
	// Paths lead to the values.
	Paths []Path
	// Single is true when a resource has at most one value.
	Single bool
	// Composites are where a composite parameter's components stand.
	Composites []Composite
	// Definition is what the tables say of it; it changes with the meaning.
	Definition string
}

var definitions = sync.OnceValues(parseDefinitions)

// R4 returns the definitions. It fails only when the embedded tables are
// broken, which a test excludes.
func R4() (*Definitions, error) { return definitions() }

func parseDefinitions() (*Definitions, error) {
	d := &Definitions{
		numbers: map[string]int16{}, owners: map[string]*owner{},
		parameters: map[string]map[string]*Parameter{}, compartment: map[string][]string{},
		members: map[string]map[string][]string{},
	}
	for line := range strings.Lines(typesTable) {
		d.Types = append(d.Types, strings.TrimSpace(line))
		d.numbers[strings.TrimSpace(line)] = int16(len(d.Types))
	}
	for line := range strings.Lines(elementsTable) {
		if err := d.addElement(strings.Split(strings.TrimRight(line, "\n"), "\t")); err != nil {
			return nil, err
		}
	}
	d.link()
	if err := errors.Join(d.bindings(), d.readInvariants()); err != nil {
		return nil, err
	}
	for line := range strings.Lines(searchTable) {
		if err := d.addParameter(strings.Split(strings.TrimRight(line, "\n"), "\t")); err != nil {
			return nil, err
		}
	}
	for line := range strings.Lines(compartmentTable) {
		typ, codes, _ := strings.Cut(strings.TrimSpace(line), "\t")
		d.compartment[typ] = order(strings.Split(codes, ","))
		d.addMember("Patient", typ, codes)
	}
	for typ, code := range named {
		d.compartment[typ] = []string{code}
		d.addMember("Patient", typ, code)
	}
	d.addMember("Patient", "Patient", "_id")
	for line := range strings.Lines(compartmentsTable) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 3 {
			return nil, fmt.Errorf("fhir: compartments.tsv: %q", f)
		}
		d.addMember(f[0], f[1], f[2])
	}
	for line := range strings.Lines(summaryTable) {
		d.addFlags(strings.Split(strings.TrimRight(line, "\n"), "\t"))
	}
	return d, nil
}

// named are types that R4 leaves out of the patient's compartment although
// they can be about one person; outside it they would be everybody's.
var named = map[string]string{"Device": "patient", "GuidanceResponse": "subject", "Contract": "subject"}

// order puts what names the record's subject before those who took part, so
// that a resource is in the compartment of the person it is about.
func order(codes []string) []string {
	rank := func(c string) int { return slices.Index([]string{"performer", "author", "subject", "patient"}, c) }
	slices.SortStableFunc(codes, func(a, b string) int { return rank(b) - rank(a) })
	return codes
}

func (d *Definitions) addElement(f []string) error {
	if len(f) != 5 {
		return fmt.Errorf("fhir: elements.tsv: %q", f)
	}
	o := d.owners[f[0]]
	if o == nil {
		o = &owner{name: f[0], resource: d.numbers[f[0]] > 0, byName: map[string]member{}}
		d.owners[f[0]] = o
	}
	e := &Element{Name: f[1], Many: f[3] != "1" && f[3] != "0", place: len(o.elements), Types: strings.Split(f[4], ",")}
	e.choice = strings.HasSuffix(e.Name, "[x]")
	if e.place > 63 {
		return fmt.Errorf("fhir: elements.tsv: %s has more than 64 elements", f[0])
	}
	if f[2] != "0" {
		e.Min = 1
		o.required |= 1 << e.place
	}
	o.elements = append(o.elements, e)
	if !e.Choice() {
		o.byName[e.Name] = member{element: e, typ: e.Types[0]}
		return nil
	}
	for _, t := range e.Types {
		o.byName[choiceName(e.Name, t)] = member{element: e, typ: t}
	}
	return nil
}

// link joins every member with its type, when all are known.
func (d *Definitions) link() {
	for _, o := range d.owners {
		for name, m := range o.byName {
			if m.primitive = primitive(m.typ); !m.primitive {
				m.owner = d.owners[m.typ]
			}
			o.byName[name] = m
		}
	}
}

func choiceName(name, typ string) string {
	return strings.TrimSuffix(name, "[x]") + strings.ToUpper(typ[:1]) + typ[1:]
}

func (d *Definitions) addParameter(f []string) error {
	if len(f) != 6 {
		return fmt.Errorf("fhir: search.tsv: %q", f)
	}
	p := &Parameter{Base: f[0], Code: f[1], Type: f[2], Definition: strings.Join(f[2:], "\t")}
	if f[3] != "" {
		p.Targets = strings.Split(f[3], ",")
	}
	bases := []string{f[0]}
	if f[0] == "Resource" || f[0] == "DomainResource" {
		bases = d.Types
	}
	var err error
	switch {
	case p.Type == "composite":
		p.Composites, err = d.composites(f[0], f[4], f[5])
	case f[4] != "":
		p.Paths, p.Single, err = d.compile(f[0], f[4])
	}
	if err != nil {
		return fmt.Errorf("fhir: search parameter %s.%s: %w", f[0], f[1], err)
	}
	for _, base := range bases {
		if d.parameters[base] == nil {
			d.parameters[base] = map[string]*Parameter{}
		}
		if d.parameters[base][p.Code] == nil {
			q := *p
			q.Base = base
			d.parameters[base][p.Code] = &q
		}
	}
	return nil
}

// Number returns the stable number of a resource type, 0 for an unknown one.
func (d *Definitions) Number(typ string) int16 { return d.numbers[typ] }

// TypeOf returns the type with the given number.
func (d *Definitions) TypeOf(number int16) string {
	if number < 1 || int(number) > len(d.Types) {
		return ""
	}
	return d.Types[number-1]
}

// Parameters returns the search parameters of a type by code.
func (d *Definitions) Parameters(typ string) map[string]*Parameter { return d.parameters[typ] }

// Compartment returns the codes of the reference parameters that put a
// resource of the type into a patient's compartment, the subject's first.
func (d *Definitions) Compartment(typ string) []string { return d.compartment[typ] }

// Members returns by type the codes of the parameters that put a resource
// into a compartment: that of a Patient, Encounter, Practitioner, Device or
// RelatedPerson (https://hl7.org/fhir/R4/compartmentdefinition.html). "_id"
// stands for the resource that the compartment is about.
func (d *Definitions) Members(compartment string) map[string][]string { return d.members[compartment] }

func (d *Definitions) addMember(compartment, typ, codes string) {
	if d.members[compartment] == nil {
		d.members[compartment] = map[string][]string{}
	}
	for code := range strings.SplitSeq(codes, ",") {
		d.members[compartment][typ] = append(d.members[compartment][typ], code)
	}
}
