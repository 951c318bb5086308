package terminology

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

var expandParameters = []string{
	"url", "valueSet", "valueSetVersion", "filter", "offset", "count", "includeDesignations", "includeDefinition", "activeOnly",
	"excludeNested", "excludeNotForUI", "excludePostCoordinated", "displayLanguage", "exclude-system", "system-version", "force-system-version",
}

// Expand answers ValueSet/$expand (https://hl7.org/fhir/R4/valueset-operation-expand.html).
// instance is the stored ValueSet of a call on one, else nil. The answer is
// always flat, which excludeNested asks for and the standard permits anyway.
func (s *Server) Expand(ctx context.Context, query string, body, instance []byte, at time.Time) ([]byte, error) {
	in, err := ReadInput(query, body, expandParameters)
	if err != nil {
		return nil, err
	}
	set, definition, err := s.asked(ctx, in, instance)
	if err != nil {
		return nil, err
	}
	x, err := readExpansion(in)
	if err != nil {
		return nil, err
	}
	total, err := s.store.Total(ctx, set, x.want)
	if err != nil {
		return nil, err
	}
	if x.want.Count < 0 {
		if total-x.want.Offset > maxExpansion {
			return nil, fault.New(fault.TooLarge, "the value set has "+strconv.Itoa(total)+" codes: ask for them in pages with count and offset, or narrow them with filter", ErrTooCostly)
		}
		x.want.Count = maxExpansion
	}
	x.want.Count = min(x.want.Count, maxExpansion)
	var list []Entry
	if x.want.Count > 0 && total > x.want.Offset {
		if list, err = s.store.Select(ctx, set, x.want); err != nil {
			return nil, err
		}
	}
	return x.answer(set, definition, list, total, at), nil
}

// asked finds the value set that an operation is about.
func (s *Server) asked(ctx context.Context, in *Input, instance []byte) (*Set, fhir.Value, error) {
	r := resolver{store: s.store, versions: map[string]string{}, forced: map[string]string{}}
	for name, to := range map[string]map[string]string{"system-version": r.versions, "force-system-version": r.forced} {
		for _, canonical := range in.texts[name] {
			url, version, ok := strings.Cut(canonical, "|")
			if !ok || version == "" {
				return nil, fhir.Value{}, fault.Newf(fault.Invalid, "%s reads <system>|<version>", name)
			}
			to[url] = version
		}
	}
	p, err := in.once("url", "valueSetVersion")
	if err != nil {
		return nil, fhir.Value{}, err
	}
	if instance != nil {
		doc, err := fhir.Parse(instance)
		if err != nil {
			return nil, fhir.Value{}, err
		}
		set, err := r.defined(ctx, doc.Root())
		return set, doc.Root(), err
	}
	if v := in.values["valueSet"]; v.Exists() {
		set, err := r.defined(ctx, v)
		return set, v, err
	}
	if p["url"] == "" {
		return nil, fhir.Value{}, fault.New(fault.Invalid, "say which value set: its url, or the resource itself as valueSet", nil)
	}
	canonical := p["url"]
	if v := p["valueSetVersion"]; v != "" && !strings.Contains(canonical, "|") {
		canonical += "|" + v
	}
	set, err := r.named(ctx, canonical)
	return set, fhir.Value{}, err
}

// expansion is a call of $expand.
type expansion struct {
	want         Want
	designations bool
	definition   bool
	languages    []string
	echo         []string // of parameters
}

func readExpansion(in *Input) (*expansion, error) {
	x := &expansion{}
	p, err := in.once("filter", "displayLanguage")
	if err != nil {
		return nil, err
	}
	x.want.Text, x.languages = ParseText(p["filter"]), Languages(p["displayLanguage"])
	if p["filter"] != "" && len(x.want.Text.Words) == 0 {
		return nil, fault.New(fault.Invalid, "the filter has neither letters nor digits", nil).In("filter")
	}
	if x.want.Offset, err = in.number("offset", 0); err != nil {
		return nil, err
	}
	if x.want.Count, err = in.number("count", -1); err != nil {
		return nil, err
	}
	var nested, coordinated bool
	for name, to := range map[string]*bool{
		"includeDesignations": &x.designations, "includeDefinition": &x.definition, "activeOnly": &x.want.Active,
		"excludeNotForUI": &x.want.Selectable, "excludeNested": &nested, "excludePostCoordinated": &coordinated,
	} {
		if *to, _, err = in.flag(name); err != nil {
			return nil, err
		}
	}
	for _, canonical := range in.texts["exclude-system"] {
		system, _, _ := strings.Cut(canonical, "|")
		x.want.ExcludeSystems = append(x.want.ExcludeSystems, system)
	}
	for _, e := range []struct{ name, typ string }{
		{"filter", "String"},
		{"offset", "Integer"},
		{"count", "Integer"},
		{"includeDesignations", "Boolean"},
		{"activeOnly", "Boolean"},
		{"excludeNested", "Boolean"},
		{"excludeNotForUI", "Boolean"},
		{"displayLanguage", "Code"},
		{"exclude-system", "Uri"},
		{"system-version", "Uri"},
		{"force-system-version", "Uri"},
	} {
		for _, v := range in.texts[e.name] {
			if v != "" {
				x.echo = append(x.echo, `{"name":"`+e.name+`",`+member(e.typ, v)+`}`)
			}
		}
	}
	return x, nil
}

func (x *expansion) answer(set *Set, definition fhir.Value, list []Entry, total int, at time.Time) []byte {
	var b bytes.Buffer
	b.WriteString(`{"resourceType":"ValueSet"`)
	for _, m := range [][2]string{{"url", set.URL}, {"version", set.Version}, {"name", set.Name}, {"title", set.Title}} {
		if m[1] != "" {
			b.WriteString(`,"` + m[0] + `":` + fhir.Quote(m[1]))
		}
	}
	status := definition.Get("status").Str()
	if status == "" {
		status = "active"
	}
	b.WriteString(`,"status":` + fhir.Quote(status))
	if c := definition.Get("compose"); x.definition && c.Exists() {
		b.WriteString(`,"compose":`)
		b.Write(c.Raw())
	}
	b.WriteString(`,"expansion":{"identifier":"urn:uuid:` + uuid.NewString() + `","timestamp":"` + at.UTC().Format(fhir.InstantLayout) +
		`","total":` + strconv.Itoa(total) + `,"offset":` + strconv.Itoa(x.want.Offset))
	parameters := append(slices.Clone(x.echo), used(set)...)
	if len(parameters) > 0 {
		b.WriteString(`,"parameter":[` + strings.Join(parameters, ",") + `]`)
	}
	if len(list) > 0 {
		b.WriteString(`,"contains":[`)
		for i := range list {
			if i > 0 {
				b.WriteByte(',')
			}
			x.entry(&b, &list[i])
		}
		b.WriteByte(']')
	}
	b.WriteString(`}}`)
	return b.Bytes()
}

// used tells the versions of the code systems that the expansion was made from.
func used(set *Set) []string {
	var list []string
	var visit func(*Set)
	visit = func(s *Set) {
		for _, p := range s.Parts {
			if p.System != nil && p.System.Version != "" {
				v := `{"name":"version","valueUri":` + fhir.Quote(p.System.URL+"|"+p.System.Version) + `}`
				if !slices.Contains(list, v) {
					list = append(list, v)
				}
			}
			for _, inner := range p.Sets {
				visit(inner)
			}
		}
	}
	visit(set)
	return list
}

func (x *expansion) entry(b *bytes.Buffer, e *Entry) {
	b.WriteByte('{')
	if e.System != "" {
		b.WriteString(`"system":` + fhir.Quote(e.System) + `,`)
	}
	if e.Abstract {
		b.WriteString(`"abstract":true,`)
	}
	if e.Inactive {
		b.WriteString(`"inactive":true,`)
	}
	if e.Version != "" {
		b.WriteString(`"version":` + fhir.Quote(e.Version) + `,`)
	}
	b.WriteString(`"code":` + fhir.Quote(e.Code))
	if d := e.In(x.languages); d != "" {
		b.WriteString(`,"display":` + fhir.Quote(d))
	}
	if x.designations && len(e.Designations) > 0 {
		// Designations are made of strings only, which always marshal.
		d, _ := json.Marshal(e.Designations)
		b.WriteString(`,"designation":`)
		b.Write(d)
	}
	b.WriteByte('}')
}
