package fhir

import (
	"slices"
	"strings"
)

// Subset is the part of a resource that a caller asks for
// (https://hl7.org/fhir/R4/search.html#summary).
type Subset struct {
	// Summary is "" or one of true, text and data.
	Summary string
	// Elements are names of top-level elements, nil for all.
	Elements []string
}

// Whole reports whether nothing is left out.
func (s Subset) Whole() bool { return s.Summary == "" && s.Elements == nil }

// subsetted marks a resource that is not whole, so that nobody stores it back.
const subsetted = `{"system":"` + subsettedSystem + `","code":"SUBSETTED"}`

const subsettedSystem = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"

// Subsetted reports whether a resource says that it is not whole.
func Subsetted(v Value) bool {
	for tag := range v.At("meta", "tag").Items() {
		if tag.Get("code").Str() == "SUBSETTED" && tag.Get("system").Str() == subsettedSystem {
			return true
		}
	}
	return false
}

// Subset returns a part of a resource. What is kept is kept byte for byte,
// but for the tag that says that it is a part.
func (d *Definitions) Subset(resource Value, s Subset) []byte {
	typ := resource.Get("resourceType").Str()
	out := make([]byte, 0, len(resource.Raw()))
	out = append(out, '{')
	n := 0
	member := func(name string) {
		out = comma(out, n)
		n++
		out = append(append(append(out, '"'), name...), `":`...)
	}
	tagged := false
	for name, v := range resource.Members() {
		switch {
		case name == "meta" && v.Kind() == Object:
			tagged = true
			member(name)
			out = append(out, tag(v)...)
		case name == "resourceType" || d.keeps(typ, name, s):
			member(name)
			out = d.nested(out, typ, name, v, s)
		}
	}
	if !tagged {
		member("meta")
		out = append(out, `{"tag":[`+subsetted+`]}`...)
	}
	return append(out, '}')
}

// keeps reports whether a top-level element stays. Elements that must be there
// and those that change the meaning of others always do.
func (d *Definitions) keeps(typ, name string, s Subset) bool {
	o := d.owners[typ]
	bare := strings.TrimPrefix(name, "_")
	if o == nil || bare == "id" {
		return true
	}
	m, known := o.byName[bare]
	if !known {
		return s.Summary != "true"
	}
	must := m.element.Min > 0
	if s.Elements != nil && !must && !m.element.modifier {
		return slices.Contains(s.Elements, bare) || slices.Contains(s.Elements, strings.TrimSuffix(m.element.Name, "[x]"))
	}
	switch s.Summary {
	case "true":
		return m.element.summary || must
	case "text":
		return bare == "text" || must
	case "data":
		return bare != "text"
	}
	return true
}

// nested writes what a summary keeps within an element; any other part keeps
// the element as it is.
func (d *Definitions) nested(out []byte, owner, name string, v Value, s Subset) []byte {
	o := d.owners[owner]
	if s.Summary != "true" || o == nil {
		return append(out, v.Raw()...)
	}
	m, known := o.byName[name]
	if !known || d.owners[m.typ] == nil || m.typ == "Resource" || m.typ == "Meta" {
		return append(out, v.Raw()...)
	}
	switch v.Kind() {
	case Array:
		out = append(out, '[')
		i := 0
		for item := range v.Items() {
			out = d.nested(comma(out, i), owner, name, item, s)
			i++
		}
		return append(out, ']')
	case Object:
		out = append(out, '{')
		i := 0
		for child, w := range v.Members() {
			if d.keeps(m.typ, child, Subset{Summary: "true"}) {
				out = append(append(append(comma(out, i), '"'), child...), `":`...)
				out = d.nested(out, m.typ, child, w, s)
				i++
			}
		}
		return append(out, '}')
	default:
		return append(out, v.Raw()...)
	}
}

// tag adds the mark to meta.
func tag(meta Value) []byte {
	e := Edit(meta)
	tags := meta.Get("tag")
	switch {
	case !tags.Exists():
		e.Put(meta, "tag", "["+subsetted+"]")
	case tags.Kind() == Array && tags.Index(0).Exists():
		e.Put(meta, "tag", "["+subsetted+","+string(tags.Raw()[1:]))
	default:
		e.Replace(tags, "["+subsetted+"]")
	}
	return e.Bytes()
}

// addFlags reads a line of summary.tsv.
func (d *Definitions) addFlags(f []string) {
	if len(f) != 3 {
		return
	}
	o := d.owners[f[0]]
	if o == nil {
		return
	}
	for _, e := range o.elements {
		e.summary = slices.Contains(strings.Split(f[1], ","), e.Name)
		e.modifier = slices.Contains(strings.Split(f[2], ","), e.Name)
	}
}
