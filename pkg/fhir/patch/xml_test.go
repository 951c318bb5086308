package patch

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fhir"
)

// element is an XML element of the test cases.
type element struct {
	name  xml.Name
	attrs []xml.Attr
	kids  []*element
	inner string // of XHTML: its own text
}

func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (e *element) child(name string) *element {
	for _, k := range e.kids {
		if k.name.Local == name {
			return k
		}
	}
	return nil
}

const xhtml = "http://www.w3.org/1999/xhtml"

// readXML reads the elements; XHTML is kept as normalised text.
func readXML(t *testing.T, text []byte) *element {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(text))
	root := &element{}
	stack := []*element{root}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return root.kids[0]
		}
		if err != nil {
			t.Fatal(err)
		}
		top := stack[len(stack)-1]
		switch x := token.(type) {
		case xml.StartElement:
			e := &element{name: x.Name, attrs: x.Attr}
			stack = append(stack, e)
			top.kids = append(top.kids, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
			if top.name.Space == xhtml {
				attrs := ""
				for _, a := range top.attrs {
					attrs += " " + a.Name.Local + `="` + a.Value + `"`
				}
				outer := stack[len(stack)-1]
				outer.inner += "<" + top.name.Local + attrs + ">" + top.inner + "</" + top.name.Local + ">"
				top.inner = "<" + top.name.Local + attrs + ">" + top.inner + "</" + top.name.Local + ">"
			}
		case xml.CharData:
			top.inner += strings.Join(strings.Fields(string(x)), " ")
		}
	}
}

// toJSON writes an element as FHIR JSON says (https://hl7.org/fhir/R4/json.html).
func toJSON(t *testing.T, defs *fhir.Definitions, e *element, typ string) (value, twin string) {
	t.Helper()
	var members []string
	if defs.Number(typ) > 0 {
		members = append(members, `"resourceType":`+fhir.Quote(typ))
	}
	primitive := fhir.Primitive(typ)
	if primitive {
		typ = "Element"
	}
	for _, name := range []string{"id", "url"} {
		if a := e.attr(name); a != "" {
			members = append(members, fhir.Quote(name)+":"+fhir.Quote(a))
		}
	}
	var names []string
	for _, k := range e.kids {
		if !slices.Contains(names, k.name.Local) {
			names = append(names, k.name.Local)
		}
	}
	for _, name := range names {
		el, kind, ok := defs.Child(typ, name)
		if !ok {
			t.Fatalf("%s has no %s", typ, name)
		}
		var values, twins []string
		for _, k := range e.kids {
			if k.name.Local != name {
				continue
			}
			v, w := "", ""
			switch {
			case name == "div":
				v = fhir.Quote(k.inner)
			case kind == "Resource":
				v, _ = toJSON(t, defs, k.kids[0], k.kids[0].name.Local)
			default:
				v, w = toJSON(t, defs, k, kind)
			}
			values, twins = append(values, orNull(v)), append(twins, orNull(w))
		}
		for prefix, list := range map[string][]string{"": values, "_": twins} {
			if strings.Trim(strings.Join(list, ""), "nul") == "" {
				continue
			}
			text := list[0]
			if el.Many {
				text = "[" + strings.Join(list, ",") + "]"
			}
			members = append(members, fhir.Quote(prefix+name)+":"+text)
		}
	}
	object := "{" + strings.Join(members, ",") + "}"
	if !primitive {
		return object, ""
	}
	if len(members) > 0 {
		twin = object
	}
	if v := e.attr("value"); v != "" {
		value = fhir.Quote(v)
		if e.name.Local == "valueInteger" || e.name.Local == "valueBoolean" || v == "true" || v == "false" {
			value = v
		}
	}
	return value, twin
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}
