package record

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/ucum"
)

// extraction is the version of what this file, extract.go and home.go make of a
// resource. It is part of every parameter's digest: raise it whenever they
// make other rows of the same bytes, so that stored resources are indexed again.
const extraction = "6"

// exists makes the boolean that "X.exists() and X != false" is: false also
// without the element.
func (r *Rows) exists(p *param, resource fhir.Value) {
	code := "false"
	for _, path := range p.Paths {
		path.Walk(resource, func(v fhir.Value) {
			if v.Kind() != fhir.Bool || v.True() {
				code = "true"
			}
		})
	}
	r.Tokens = append(r.Tokens, Token{p.number, "", code})
}

// add appends the rows of one value, as a parameter of type typ sees it.
func (x *Indexer) add(r *Rows, p *param, typ string, path *fhir.Path, v fhir.Value) {
	switch typ {
	case "token":
		token(r, p, path.Type, v)
	case "string":
		text(r, p.number, path.Type, v)
	case "date":
		if low, high, ok := rangeOf(v, path.Type); ok {
			r.Dates = append(r.Dates, Date{p.number, low, high})
		}
	case "reference":
		x.reference(r, p, path, v)
	case "uri":
		if s := v.Str(); s != "" {
			r.URIs = append(r.URIs, URI{p.number, Clip(s)})
		}
	case "quantity", "number":
		x.quantity(r, p.number, path.Type, v)
	}
}

func token(r *Rows, p *param, typ string, v fhir.Value) {
	switch typ {
	case "CodeableConcept":
		for c := range v.Get("coding").Items() {
			r.token(p.number, c.Get("system").Str(), c.Get("code").Str())
			r.label(p.text, c.Get("display").Str())
		}
		r.label(p.text, v.Get("text").Str())
	case "Coding":
		r.token(p.number, v.Get("system").Str(), v.Get("code").Str())
		r.label(p.text, v.Get("display").Str())
	case "Identifier":
		value := v.Get("value").Str()
		r.token(p.number, v.Get("system").Str(), value)
		kind := v.Get("type")
		r.label(p.text, kind.Get("text").Str())
		for c := range kind.Get("coding").Items() {
			if code := c.Get("code").Str(); code != "" && value != "" {
				r.token(p.ofType, c.Get("system").Str(), code+"|"+value)
			}
		}
	case "ContactPoint":
		r.token(p.number, "", contact(v.Get("value").Str()))
	default:
		r.token(p.number, "", v.Text())
	}
}

// token appends a row unless its parameter has none.
func (r *Rows) token(n int16, system, code string) {
	if n != 0 && code != "" {
		r.Tokens = append(r.Tokens, Token{n, system, Clip(code)})
	}
}

// label appends the text of a code, for the modifier :text.
func (r *Rows) label(n int16, s string) {
	if n == 0 || s == "" {
		return
	}
	if folded := cut(fold(s), longestText); folded != "" {
		r.Strings = append(r.Strings, String{Param: n, Folded: folded})
	}
}

func text(r *Rows, n int16, typ string, v fhir.Value) {
	add := func(s string) {
		if s = strings.TrimSpace(s); s == "" {
			return
		}
		if folded := cut(fold(s), longestText); folded != "" {
			r.Strings = append(r.Strings, String{n, folded, clip(s, longestText)})
		}
	}
	each := func(names ...string) {
		for _, name := range names {
			for item := range v.Get(name).Items() {
				add(item.Str())
			}
		}
	}
	switch typ {
	case "HumanName":
		each("text", "family", "given", "prefix", "suffix")
		var given []string
		for g := range v.Get("given").Items() {
			given = append(given, g.Str())
		}
		whole, family := strings.Join(given, " "), v.Get("family").Str()
		name := v.Get("text").Str()
		if name == "" {
			// People search for the whole name, family name first or last.
			add(family + " " + whole)
			add(whole + " " + family)
		}
		if family != "" && whole != "" {
			name = family + " " + whole
		}
		r.spoken(n, fold(name))
	case "Address":
		each("text", "line", "city", "district", "state", "postalCode", "country")
	default:
		add(v.Str())
	}
}

// rangeOf returns the range of time that a date, Period or Timing covers. Of a
// Timing only the outer limits matter (https://hl7.org/fhir/R4/search.html#date).
func rangeOf(v fhir.Value, typ string) (low, high int64, ok bool) {
	switch typ {
	case "Period":
		low, high = fhir.FarPast.UnixMicro(), fhir.FarFuture.UnixMicro()
		l, _, begun := point(v.Get("start"))
		if begun {
			low = l
		}
		_, h, ended := point(v.Get("end"))
		if ended {
			high = h
		}
		return low, high, begun || ended
	case "Timing":
		low, high = math.MaxInt64, math.MinInt64
		for e := range v.Get("event").Items() {
			if l, h, ok := point(e); ok {
				low, high = min(low, l), max(high, h)
			}
		}
		if l, h, ok := rangeOf(v.At("repeat", "boundsPeriod"), "Period"); ok {
			low, high = min(low, l), max(high, h)
		}
		return low, high, low <= high
	default:
		return point(v)
	}
}

func point(v fhir.Value) (low, high int64, ok bool) {
	s := v.Str()
	if s == "" {
		return 0, 0, false
	}
	l, h, err := fhir.TimeRange(s, Zone)
	return l.UnixMicro(), h.UnixMicro(), err == nil
}

func (x *Indexer) reference(r *Rows, p *param, path *fhir.Path, v fhir.Value) {
	s := v.Get("reference").Str()
	if i := v.Get("identifier"); p.identifier != 0 && i.Exists() {
		// resolve() is T holds of what names the type, too.
		if path.Target == "" || v.Get("type").Str() == path.Target || x.ParseReference(s).Type == x.defs.Number(path.Target) {
			r.token(p.identifier, i.Get("system").Str(), i.Get("value").Str())
		}
	}
	switch {
	case path.Type == "Resource": // Bundle.entry[0].resource
		s = v.Get("resourceType").Str() + "/" + v.Get("id").Str()
	case v.Kind() == fhir.String: // canonical or uri
		s = v.Str()
		if url, _, versioned := strings.Cut(s, "|"); versioned {
			r.Refs = append(r.Refs, Ref{Param: p.number, Target: Clip(s)})
			s = url
		}
	}
	if s == "" || s[0] == '#' {
		return
	}
	ref := x.ParseReference(s)
	ref.Param = p.number
	if p.number == 0 {
		return // another parameter has the row
	}
	if path.Target == "" || ref.Type == x.defs.Number(path.Target) {
		r.Refs = append(r.Refs, ref)
	}
}

// ParseReference reads "Type/id", "Type/id/_history/n" or a URL.
func (x *Indexer) ParseReference(s string) Ref {
	typ, rest, ok := strings.Cut(s, "/")
	id, history, versioned := strings.Cut(rest, "/")
	if ok && (!versioned || strings.HasPrefix(history, "_history")) && fhir.ValidID(id) {
		if n := x.defs.Number(typ); n > 0 {
			return Ref{Type: n, Target: id}
		}
	}
	return Ref{Target: Clip(s)}
}

func (x *Indexer) quantity(r *Rows, n int16, typ string, v fhir.Value) {
	switch {
	case typ == "Range": // found by either end
		x.quantity(r, n, "Quantity", v.Get("low"))
		x.quantity(r, n, "Quantity", v.Get("high"))
		return
	case v.Kind() != fhir.Object:
		if value, ok := number(v); ok {
			r.Quantities = append(r.Quantities, Quantity{Param: n, Value: value, Amount: value})
		}
		return
	}
	raw := v.Get("value")
	written, ok := number(raw)
	if !ok {
		return
	}
	q := Quantity{Param: n, System: v.Get("system").Str(), Code: v.Get("code").Str(), Value: written}
	unit := v.Get("unit").Str()
	if c := v.Get("currency").Str(); c != "" {
		q.System, q.Code = "urn:iso:std:iso:4217", c
	}
	if q.Code == "" {
		q.Code = unit
	}
	q.Base, q.Amount = x.measure(q.System, q.Code, written)
	q.Code, q.Base = Clip(q.Code), Clip(q.Base)
	r.Quantities = append(r.Quantities, q)
	if unit != "" && unit != q.Code {
		unit = Clip(unit)
		r.Quantities = append(r.Quantities, Quantity{n, unitSystem, unit, q.Value, unit, q.Value})
	}
}

// number returns a number without an exponent and needless zeros.
func number(v fhir.Value) (string, bool) {
	if v.Kind() != fhir.Number {
		return "", false
	}
	raw := v.Raw()
	if len(raw) <= maxDigits && bytes.IndexByte(raw, 'e') < 0 && bytes.IndexByte(raw, 'E') < 0 {
		return plainNumber(string(raw)), true
	}
	d, ok := parseDecimal(string(raw))
	if !ok {
		return "", false
	}
	return plain(d.value), true
}

// measure returns the dimension and the amount in base units; the code and
// the value, written as plain does, for what is no unit of UCUM.
func (x *Indexer) measure(system, code, written string) (base, amount string) {
	if system != ucum.System {
		return code, written
	}
	u := x.units.get(code)
	if u == nil {
		return code, written
	}
	return u.Base, u.amount(written)
}

// composite pairs what stands in one element: every token with every value.
func (x *Indexer) composite(r *Rows, p *param, resource fhir.Value) {
	for i := range p.Composites {
		c := &p.Composites[i]
		c.Element.Walk(resource, func(element fhir.Value) {
			var first, second, third Rows
			for i, part := range []*Rows{&first, &second, &third} {
				if i < len(c.Components) {
					from := element
					if c.Components[i].Root {
						from = resource
					}
					x.component(part, p, &c.Components[i], from)
				}
				if i == 0 && len(first.Tokens) == 0 {
					return
				}
			}
			for _, t := range first.Tokens {
				row := Composite{Param: p.number, System: t.System, Code: t.Code, Low: "0", High: "0"}
				if len(c.Components) == 3 {
					r.numbers(row, second.Quantities, third.Quantities)
				} else {
					x.pairs(r, row, &second)
				}
			}
		})
	}
}

func (x *Indexer) component(r *Rows, p *param, c *fhir.Component, from fhir.Value) {
	for i := range c.Paths {
		path := &c.Paths[i]
		path.Walk(from, func(v fhir.Value) { x.add(r, p, c.Type, path, v) })
	}
}

func (r *Rows) numbers(row Composite, low, high []Quantity) {
	for _, l := range low {
		for _, h := range high {
			row.Low, row.High = l.Value, h.Value
			r.Composites = append(r.Composites, row)
		}
	}
}

func (x *Indexer) pairs(r *Rows, row Composite, second *Rows) {
	add := func(with, text, base, low, high string) {
		row.With, row.Text, row.Base, row.Low, row.High = with, text, base, low, high
		r.Composites = append(r.Composites, row)
	}
	for _, t := range second.Tokens {
		add(t.System, t.Code, "", "0", "0")
	}
	for _, s := range second.Strings {
		add("", cut(s.Folded, longest), "", "0", "0")
	}
	for _, d := range second.Dates {
		add("", "", "", strconv.FormatInt(d.Low, 10), strconv.FormatInt(d.High, 10))
	}
	for _, ref := range second.Refs {
		add("", x.text(ref), "", "0", "0")
	}
	for _, q := range second.Quantities {
		add(q.System, q.Code, q.Base, q.Amount, q.Value)
	}
}

// text writes a reference as "Type/id" or as the URL that it is.
func (x *Indexer) text(ref Ref) string {
	if ref.Type > 0 {
		return x.defs.TypeOf(ref.Type) + "/" + ref.Target
	}
	return ref.Target
}
