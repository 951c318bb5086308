package fhir

import (
	_ "embed" // the tables
	"fmt"
	"slices"
	"strings"
)

var (
	//go:embed definitions/bindings.tsv
	bindingsTable string
	//go:embed definitions/codes.tsv
	codesTable string
	//go:embed definitions/references.tsv
	referencesTable string
)

// valueSet is a required value set with all its codes.
type valueSet struct {
	url string
	// codes of any of the systems, for elements of type code.
	codes map[string]struct{}
	// systems hold the codes of each system, for codings.
	systems map[string]map[string]struct{}
}

func (s *valueSet) has(code []byte) bool {
	_, ok := s.codes[string(code)]
	return ok
}

// bindings joins elements with their required value sets and references with
// the types they may point at. A value set that is not in the table of codes
// is open (all media types, all of UCUM).
func (d *Definitions) bindings() error {
	sets := map[string]*valueSet{}
	for line := range strings.Lines(codesTable) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) < 3 {
			return fmt.Errorf("fhir: codes.tsv: %q", f)
		}
		s := sets[f[0]]
		if s == nil {
			s = &valueSet{url: f[0], codes: map[string]struct{}{}, systems: map[string]map[string]struct{}{}}
			sets[f[0]] = s
		}
		s.systems[f[1]] = map[string]struct{}{}
		for _, code := range f[2:] {
			s.codes[code] = struct{}{}
			s.systems[f[1]][code] = struct{}{}
		}
	}
	for line := range strings.Lines(bindingsTable) {
		path, url, _ := strings.Cut(strings.TrimSpace(line), "\t")
		e := d.elementAt(path)
		if e == nil {
			return fmt.Errorf("fhir: bindings.tsv: no element %q", path)
		}
		e.codes = sets[url]
		if url == "http://hl7.org/fhir/ValueSet/mimetypes" {
			e.open = "urn:ietf:bcp:13"
		}
	}
	for _, o := range d.owners {
		for _, e := range o.elements {
			// Every element of this name is bound to all languages.
			if e.Name == "language" && e.Types[0] == "code" {
				e.open = "urn:ietf:bcp:47"
			}
		}
	}
	for line := range strings.Lines(referencesTable) {
		path, types, _ := strings.Cut(strings.TrimSpace(line), "\t")
		e := d.elementAt(path)
		if e == nil {
			return fmt.Errorf("fhir: references.tsv: no element %q", path)
		}
		e.targets = strings.Split(types, ",")
	}
	return nil
}

// elementAt finds an element by its path in the specification, nil for none.
func (d *Definitions) elementAt(path string) *Element {
	dot := strings.LastIndexByte(path, '.')
	if dot < 0 || d.owners[path[:dot]] == nil {
		return nil
	}
	for _, e := range d.owners[path[:dot]].elements {
		if e.Name == path[dot+1:] {
			return e
		}
	}
	return nil
}

// concept checks a Coding or CodeableConcept with a required binding: one of
// its codings is of the value set
// (https://hl7.org/fhir/R4/terminologies.html#required).
func (c *checker) concept(v Value, m member) {
	set := m.element.codes
	list := v
	if m.typ == "CodeableConcept" {
		list = v.Get("coding")
	}
	for coding := range list.Items() {
		if _, ok := set.systems[coding.Get("system").Str()][coding.Get("code").Str()]; ok {
			return
		}
	}
	c.fail(v, "code-invalid", "no coding is of the required value set "+set.url)
}

// reference checks the type that a literal reference names
// (https://hl7.org/fhir/R4/references.html#literal).
func (c *checker) reference(v Value, e *Element) {
	ref := v.Get("reference")
	if ref.Kind() != String {
		ref = Value{}
	}
	said := v.Get("type").Str()
	if !ref.Exists() && said == "" {
		return
	}
	typ := ""
	if ref.Exists() {
		n := ref.node()
		text := ref.d.src[n.start+1 : n.end-1]
		if len(text) > 0 && text[0] == '#' {
			c.local = append(c.local, local{Value: ref, reference: true})
			typ = c.containedType(ref.Str()[1:])
		} else {
			typ = c.d.literalType(string(text))
		}
	}
	if typ == "" && c.d.Number(said) > 0 {
		typ = said
	}
	if typ == "" {
		return
	}
	if c.d.Number(said) > 0 && said != typ {
		c.fail(v, "value", "the reference points at another type than Reference.type says")
	}
	if len(e.targets) > 0 && !slices.Contains(e.targets, typ) {
		c.fail(v, "value", "a reference to "+typ+" is not allowed here, but to "+strings.Join(e.targets, ", "))
	}
}

// literalType returns the type in Type/id, http…/Type/id, either with
// /_history/version, or Type?criteria; "" when the reference does not tell.
func (d *Definitions) literalType(ref string) string {
	if strings.HasPrefix(ref, "urn:") {
		return ""
	}
	path, _, criteria := strings.Cut(ref, "?")
	if i := strings.Index(path, "/_history/"); i >= 0 {
		path = path[:i]
	}
	typ := path
	if !criteria {
		slash := strings.LastIndexByte(path, '/')
		if slash < 0 {
			return ""
		}
		typ = path[:slash]
	}
	typ = typ[strings.LastIndexByte(typ, '/')+1:]
	if d.Number(typ) == 0 {
		return ""
	}
	return typ
}
