package record

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/vitext"
)

// Zone is how dates without a time zone are read: Vietnam has one zone and no
// summer time.
var Zone = time.FixedZone("+07:00", 7*3600)

// Patient returns the id of the Patient in whose compartment the resource is,
// "" for a shared one (https://hl7.org/fhir/R4/compartmentdefinition-patient.html).
func (x *Indexer) Patient(resource fhir.Value, id string) string {
	typ := resource.Get("resourceType").Str()
	if typ == "Patient" {
		return id
	}
	found := ""
	t := x.types[typ]
	if t == nil {
		return ""
	}
	for _, p := range t.compartment {
		for _, path := range p.Paths {
			path.Walk(resource, func(v fhir.Value) {
				if ref, ok := strings.CutPrefix(v.Get("reference").Str(), "Patient/"); ok && found == "" {
					found, _, _ = strings.Cut(ref, "/")
				}
			})
		}
		if found != "" {
			return found
		}
	}
	return ""
}

// Elsewhere returns the reference by which a resource without a compartment
// names a Patient of another server, or of this one by a URL.
func (x *Indexer) Elsewhere(resource fhir.Value) (at fhir.Value, found bool) {
	t := x.types[resource.Get("resourceType").Str()]
	if t == nil {
		return at, false
	}
	for _, p := range t.compartment {
		for _, path := range p.Paths {
			path.Walk(resource, func(v fhir.Value) {
				ref := v.Get("reference")
				if s := ref.Str(); !found && strings.Contains(s, "://") && strings.Contains(s, "/Patient/") {
					at, found = ref, true
				}
			})
		}
	}
	return at, found
}

// Commune returns the key of the commune that the resource's address names
// (code@version), or "".
func Commune(resource fhir.Value) string {
	if c := unit(resource); c != "" {
		return c
	}
	for address := range resource.Get("address").Items() {
		if c := unit(address); c != "" {
			return c
		}
	}
	return ""
}

func unit(v fhir.Value) string {
	for e := range v.Get("extension").Items() {
		if e.Get("url").Str() != fhir.ExtensionUnit {
			continue
		}
		c := e.Get("valueCoding")
		if code := c.Get("code").Str(); code != "" {
			return code + "@" + c.Get("version").Str()
		}
	}
	return ""
}

// Extract returns the index rows and the resource's own date in microseconds
// since 1970, 0 without one.
func (x *Indexer) Extract(resource fhir.Value) (Rows, int64) {
	var r Rows
	var at int64
	typ := resource.Get("resourceType").Str()
	t := x.types[typ]
	if t == nil {
		return r, 0
	}
	for _, p := range t.params {
		before := len(r.Dates)
		for _, path := range p.Paths {
			if path.Exists {
				x.exists(&r, p.number, path, resource)
				continue
			}
			path.Walk(resource, func(v fhir.Value) { x.add(&r, p, path, v) })
		}
		if p.Parameter == t.main && len(r.Dates) > before {
			at = r.Dates[before].Low
			if at <= micros(fhir.FarPast) {
				at = r.Dates[before].High
			}
		}
	}
	r.dedupe()
	x.others(&r, resource)
	return r, at
}

func (r *Rows) dedupe() {
	slices.SortFunc(r.Tokens, func(a, b Token) int {
		if a.Param != b.Param {
			return int(a.Param) - int(b.Param)
		}
		if c := strings.Compare(a.Code, b.Code); c != 0 {
			return c
		}
		return strings.Compare(a.System, b.System)
	})
	r.Tokens = slices.Compact(r.Tokens)
	r.Strings = unique(r.Strings)
	r.Refs = unique(r.Refs)
	r.Dates = unique(r.Dates)
	r.URIs = unique(r.URIs)
	r.Quantities = unique(r.Quantities)
}

// few is how many rows are compared one by one; a Group may have 100,000.
const few = 32

// unique drops repeated rows.
func unique[T comparable](list []T) []T {
	out := list[:0]
	if len(list) <= few {
		for _, v := range list {
			if !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
		return out
	}
	seen := make(map[T]struct{}, len(list))
	for _, v := range list {
		if _, twice := seen[v]; !twice {
			seen[v] = struct{}{}
			out = append(out, v)
		}
	}
	return out
}

func (x *Indexer) exists(r *Rows, number int16, path fhir.Path, resource fhir.Value) {
	path.Walk(resource, func(v fhir.Value) {
		code := "true"
		if v.Kind() == fhir.Bool && !v.True() {
			code = "false"
		}
		r.Tokens = append(r.Tokens, Token{number, "", code})
	})
}

func (x *Indexer) add(r *Rows, p param, path fhir.Path, v fhir.Value) {
	switch p.Type {
	case "token":
		token(r, p.number, path.Type, v)
	case "string":
		text(r, p.number, path.Type, v)
	case "date":
		if low, high, ok := Range(v, path.Type); ok {
			r.Dates = append(r.Dates, Date{p.number, low, high})
		}
	case "reference":
		if ref, ok := x.reference(p.number, path, v); ok {
			r.Refs = append(r.Refs, ref)
		}
	case "uri":
		if s := v.Str(); s != "" {
			r.URIs = append(r.URIs, URI{p.number, Clip(s)})
		}
	case "quantity", "number":
		quantity(r, p.number, v)
	}
}

func token(r *Rows, n int16, typ string, v fhir.Value) {
	add := func(system, code string) {
		if code != "" {
			r.Tokens = append(r.Tokens, Token{n, system, Clip(code)})
		}
	}
	switch typ {
	case "CodeableConcept":
		for c := range v.Get("coding").Items() {
			add(c.Get("system").Str(), c.Get("code").Str())
		}
	case "Coding":
		add(v.Get("system").Str(), v.Get("code").Str())
	case "Identifier":
		add(v.Get("system").Str(), v.Get("value").Str())
	case "ContactPoint":
		add("", v.Get("value").Str())
	default:
		add("", v.Text())
	}
}

func text(r *Rows, n int16, typ string, v fhir.Value) {
	add := func(s string) {
		if s = strings.TrimSpace(s); s == "" {
			return
		}
		if folded := cut(vitext.Fold(s), longest); folded != "" {
			r.Strings = append(r.Strings, String{n, folded, cut(s, longest)})
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
		if !v.Get("text").Exists() {
			// People search for the whole name, family name first or last.
			var given []string
			for g := range v.Get("given").Items() {
				given = append(given, g.Str())
			}
			whole, family := strings.Join(given, " "), v.Get("family").Str()
			add(family + " " + whole)
			add(whole + " " + family)
		}
	case "Address":
		each("text", "line", "city", "district", "state", "postalCode", "country")
	default:
		add(v.Str())
	}
}

func micros(t time.Time) int64 { return t.UnixMicro() }

// Range returns the range of time that a date, Period or Timing covers.
func Range(v fhir.Value, typ string) (low, high int64, ok bool) {
	switch typ {
	case "Period":
		low, high = micros(fhir.FarPast), micros(fhir.FarFuture)
		start, end := v.Get("start"), v.Get("end")
		if l, _, ok := point(start); ok {
			low = l
		}
		if _, h, ok := point(end); ok {
			high = h
		}
		return low, high, start.Exists() || end.Exists()
	case "Timing":
		low, high = math.MaxInt64, math.MinInt64
		for e := range v.Get("event").Items() {
			if l, h, ok := point(e); ok {
				low, high = min(low, l), max(high, h)
			}
		}
		if low <= high {
			return low, high, true
		}
		return Range(v.At("repeat", "boundsPeriod"), "Period")
	default:
		return point(v)
	}
}

func point(v fhir.Value) (low, high int64, ok bool) {
	l, h, err := fhir.TimeRange(v.Str(), Zone)
	return micros(l), micros(h), err == nil
}

func (x *Indexer) reference(n int16, path fhir.Path, v fhir.Value) (Ref, bool) {
	s := v.Get("reference").Str()
	if v.Kind() == fhir.String { // canonical or uri
		s, _, _ = strings.Cut(v.Str(), "|")
	}
	if s == "" || s[0] == '#' {
		return Ref{}, false
	}
	ref := x.ParseReference(s)
	ref.Param = n
	if path.Target != "" && ref.Type != x.defs.Number(path.Target) {
		return Ref{}, false
	}
	return ref, true
}

// ParseReference reads "Type/id", "Type/id/_history/n" or a URL.
func (x *Indexer) ParseReference(s string) Ref {
	parts := strings.Split(s, "/")
	if len(parts) >= 2 && len(parts) <= 4 {
		if n := x.defs.Number(parts[0]); n > 0 && fhir.ValidID(parts[1]) {
			return Ref{Type: n, Target: parts[1]}
		}
	}
	return Ref{Target: Clip(s)}
}

func quantity(r *Rows, n int16, v fhir.Value) {
	q := Quantity{Param: n}
	number := v
	if v.Kind() == fhir.Object {
		number = v.Get("value")
		q.System, q.Code = v.Get("system").Str(), v.Get("code").Str()
		if q.Code == "" {
			q.Code = v.Get("unit").Str()
		}
		if c := v.Get("currency").Str(); c != "" {
			q.System, q.Code = "urn:iso:std:iso:4217", c
		}
		q.Code = Clip(q.Code)
	}
	// An exponent of thousands would cost numeric as many digits.
	if raw := string(number.Raw()); number.Kind() == fhir.Number && len(raw) <= 40 && !strings.ContainsAny(raw, "eE") {
		q.Value = plainNumber(raw)
		r.Quantities = append(r.Quantities, q)
	}
}
