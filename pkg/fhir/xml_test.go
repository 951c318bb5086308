package fhir

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// element is an XML element of a resource.
type xmlElement struct {
	XMLName  xml.Name
	Attrs    []xml.Attr   `xml:",any,attr"`
	Children []xmlElement `xml:",any"`
	Inner    string       `xml:",innerxml"`
}

func (e xmlElement) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// fromXML turns a resource in XML into JSON, by the definitions
// (https://hl7.org/fhir/R4/json.html).
func fromXML(t *testing.T, d *Definitions, src []byte) []byte {
	t.Helper()
	var root xmlElement
	dec := xml.NewDecoder(bytes.NewReader(src))
	if err := dec.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	var b strings.Builder
	xmlResource(t, d, root, &b)
	return []byte(b.String())
}

func xmlResource(t *testing.T, d *Definitions, e xmlElement, b *strings.Builder) {
	t.Helper()
	b.WriteString(`{"resourceType":` + Quote(e.XMLName.Local))
	xmlMembers(t, d, e, d.owners[e.XMLName.Local], b, false)
	b.WriteByte('}')
}

func xmlMembers(t *testing.T, d *Definitions, e xmlElement, o *owner, b *strings.Builder, first bool) {
	t.Helper()
	comma := func() {
		if !first {
			b.WriteByte(',')
		}
		first = false
	}
	for _, name := range []string{"id", "url"} {
		if v := e.attr(name); v != "" {
			comma()
			b.WriteString(Quote(name) + ":" + Quote(v))
		}
	}
	for i := 0; i < len(e.Children); {
		name := e.Children[i].XMLName.Local
		j := i
		for j < len(e.Children) && e.Children[j].XMLName.Local == name {
			j++
		}
		list := e.Children[i:j]
		i = j
		m, ok := o.byName[name]
		if !ok {
			t.Fatalf("%s has no %s", o.name, name)
		}
		comma()
		var values, twins []string
		some, someTwin := false, false
		for _, c := range list {
			v, twin := xmlValue(t, d, c, m)
			values, twins = append(values, v), append(twins, twin)
			some, someTwin = some || v != "null", someTwin || twin != "null"
		}
		put := func(name string, list []string) {
			if m.element.Many {
				b.WriteString(Quote(name) + ":[" + strings.Join(list, ",") + "]")
			} else {
				b.WriteString(Quote(name) + ":" + list[0])
			}
		}
		if some {
			put(name, values)
		}
		if someTwin {
			if some {
				b.WriteByte(',')
			}
			put("_"+name, twins)
		}
	}
}

func xmlValue(t *testing.T, d *Definitions, c xmlElement, m member) (value, twin string) {
	t.Helper()
	var b strings.Builder
	switch {
	case m.typ == "xhtml":
		return Quote(`<div xmlns="http://www.w3.org/1999/xhtml">` + c.Inner + `</div>`), "null"
	case m.typ == "Resource":
		xmlResource(t, d, c.Children[0], &b)
		return b.String(), "null"
	case !m.primitive:
		b.WriteByte('{')
		xmlMembers(t, d, c, m.owner, &b, true)
		b.WriteByte('}')
		return b.String(), "null"
	}
	value, twin = "null", "null"
	if v := c.attr("value"); v != "" {
		switch m.typ {
		case "boolean", "integer", "decimal", "positiveInt", "unsignedInt":
			value = v
		default:
			value = Quote(v)
		}
	}
	if len(c.Children) > 0 || c.attr("id") != "" {
		b.WriteByte('{')
		xmlMembers(t, d, c, d.owners["Element"], &b, true)
		b.WriteByte('}')
		twin = b.String()
	}
	return value, twin
}
