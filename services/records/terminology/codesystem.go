package terminology

import (
	"iter"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// Head is what a CodeSystem says of itself.
type Head struct {
	URL, Version, Name, Language, ValueSet string
	CaseSensitive                          bool
}

// maxConceptDepth bounds the nesting of concepts; the parser bounds it too.
const maxConceptDepth = 60

// ReadCodeSystem reads a CodeSystem resource whose content is complete. The
// concepts are yielded in the resource's order; a nested one is below the one
// around it, whatever hierarchyMeaning says: filters and :below ask for the
// tree as its author drew it.
func ReadCodeSystem(v fhir.Value) (Head, iter.Seq2[Concept, error], error) {
	h := Head{
		URL: v.Get("url").Str(), Version: v.Get("version").Str(), Name: v.Get("name").Str(), Language: v.Get("language").Str(),
		ValueSet: v.Get("valueSet").Str(), CaseSensitive: !v.Get("caseSensitive").Exists() || v.Get("caseSensitive").True(),
	}
	switch {
	case v.Get("resourceType").Str() != "CodeSystem":
		return h, nil, fault.New(fault.Invalid, "this is no CodeSystem", nil).In("resourceType")
	case h.URL == "":
		return h, nil, fault.New(fault.Invalid, "a CodeSystem without url cannot be referred to", nil).In("CodeSystem.url")
	case v.Get("content").Str() != "complete":
		return h, nil, fault.New(fault.Unprocessable, "only a CodeSystem whose content is complete can be used", nil).In("CodeSystem.content")
	}
	if title := v.Get("title").Str(); h.Name == "" {
		h.Name = title
	}
	r := reader{parent: map[string]bool{"parent": true}, child: map[string]bool{"child": true}, above: map[string][]string{}, seen: map[string]bool{}}
	for p := range v.Get("property").Items() {
		switch p.Get("uri").Str() {
		case "http://hl7.org/fhir/concept-properties#parent":
			r.parent[p.Get("code").Str()] = true
		case "http://hl7.org/fhir/concept-properties#child":
			r.child[p.Get("code").Str()] = true
		}
	}
	concepts := v.Get("concept")
	r.children(concepts)
	return h, func(yield func(Concept, error) bool) { r.walk(concepts, "", 0, yield) }, nil
}

// reader turns the two ways to say who is below whom (nesting, and the
// properties parent and child) into one.
type reader struct {
	parent, child map[string]bool // codes of properties
	above         map[string][]string
	seen          map[string]bool
}

func (r *reader) children(list fhir.Value) {
	for c := range list.Items() {
		for p := range c.Get("property").Items() {
			if r.child[p.Get("code").Str()] {
				below := propertyOf(p).Value
				r.above[below] = append(r.above[below], c.Get("code").Str())
			}
		}
		r.children(c.Get("concept"))
	}
}

func (r *reader) walk(list fhir.Value, parent string, depth int, yield func(Concept, error) bool) bool {
	if depth > maxConceptDepth {
		return yield(Concept{}, fault.New(fault.Unprocessable, "concepts are nested more than 60 deep", nil).In(list.Path()))
	}
	for v := range list.Items() {
		c := Concept{Code: v.Get("code").Str(), Display: v.Get("display").Str(), Definition: v.Get("definition").Str()}
		if c.Code == "" {
			return yield(c, fault.New(fault.Invalid, "a concept needs a code", nil).In(v.Path()+".code"))
		}
		if r.seen[c.Code] {
			return yield(c, fault.Newf(fault.Invalid, "the code %s stands twice", c.Code).In(v.Path()+".code"))
		}
		r.seen[c.Code] = true
		for d := range v.Get("designation").Items() {
			c.Designations = append(c.Designations, designationOf(d))
		}
		add := func(p string) {
			if p != "" && !slices.Contains(c.Parents, p) {
				c.Parents = append(c.Parents, p)
			}
		}
		add(parent)
		for _, p := range r.above[c.Code] {
			add(p)
		}
		for v := range v.Get("property").Items() {
			p := propertyOf(v)
			if r.parent[p.Code] {
				add(p.Value)
			}
			c.Properties = append(c.Properties, p)
			c.note(p)
		}
		if !yield(c, nil) || !r.walk(v.Get("concept"), c.Code, depth+1, yield) {
			return false
		}
	}
	return true
}

// note takes from the standard's own properties what an expansion shows
// (https://hl7.org/fhir/R4/codesystem-concept-properties.html).
func (c *Concept) note(p Property) {
	switch strings.ToLower(p.Code) {
	case "inactive":
		c.Inactive = c.Inactive || p.Value == "true"
	case "status":
		c.Inactive = c.Inactive || p.Value == "retired" || p.Value == "inactive"
	case "notselectable", "abstract":
		c.Abstract = c.Abstract || p.Value == "true"
	}
}

func propertyOf(v fhir.Value) Property {
	p := Property{Code: v.Get("code").Str()}
	for name, x := range v.Members() {
		typ, ok := strings.CutPrefix(name, "value")
		if !ok {
			continue
		}
		p.Type, p.Value = typ, x.Text()
		if typ == "Coding" {
			p.System, p.Value, p.Display = x.Get("system").Str(), x.Get("code").Str(), x.Get("display").Str()
		}
	}
	return p
}

func designationOf(v fhir.Value) Designation {
	d := Designation{Language: v.Get("language").Str(), Value: v.Get("value").Str()}
	if u := v.Get("use"); u.Exists() {
		c := codingOf(u)
		d.Use = &c
	}
	return d
}

func codingOf(v fhir.Value) Coding {
	return Coding{
		System: v.Get("system").Str(), Version: v.Get("version").Str(), Code: v.Get("code").Str(), Display: v.Get("display").Str(),
	}
}
