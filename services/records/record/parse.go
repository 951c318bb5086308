package record

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/yba-health/yba/pkg/fault"
)

// Place is what a search goes over: a type, a compartment, a type within a
// compartment, or, when empty, every type.
type Place struct {
	Type string
	// Compartment and ID name a compartment: Patient and its id.
	Compartment, ID string
}

// ParseQuery reads a search of a type.
func (x *Indexer) ParseQuery(typ, raw string, lenient bool) (*Query, error) {
	if x.defs.Number(typ) == 0 {
		return nil, errType()
	}
	return x.ParseSearch(Place{Type: typ}, raw, lenient)
}

func errType() error {
	return fault.New(fault.NotFound, "there is no such resource type in FHIR R4", nil)
}

// ParseSearch reads a search. Unknown parameters are refused unless lenient,
// where they are noted in Ignored (https://hl7.org/fhir/R4/search.html#errors).
func (x *Indexer) ParseSearch(place Place, raw string, lenient bool) (*Query, error) {
	q := &Query{Type: place.Type, Number: x.defs.Number(place.Type), Count: DefaultCount, Sort: []Sort{{By: "at", Descending: true}}}
	if place.Type != "" && q.Number == 0 {
		return nil, errType()
	}
	pairs, err := Pairs(raw)
	if err != nil {
		return nil, err
	}
	types, err := x.typesOf(q, pairs)
	if err != nil {
		return nil, err
	}
	if place.Compartment != "" {
		if types, err = x.within(q, place, types); err != nil {
			return nil, err
		}
	}
	used := make([]string, 0, len(pairs))
	for i, p := range pairs {
		if repeated(pairs[:i], p) {
			return nil, fault.Newf(fault.Invalid, "%s is given once; where it takes several values, commas part them", p[0]).In(p[0])
		}
		known, err := x.parameter(q, types, p[0], p[1])
		if err != nil {
			f := fault.Of(err)
			if f.At == "" {
				f = f.In(short(p[0]))
			}
			return nil, f
		}
		switch {
		case !known && lenient:
			q.Ignored = append(q.Ignored, short(p[0]))
		case !known:
			return nil, unknown(of(place.Type), p[0])
		case p[0] == "_count" && p[1] != "": // as it was taken
			used = append(used, "_count="+strconv.Itoa(q.Count))
		case p[0] != "_cursor" && p[1] != "":
			used = append(used, url.QueryEscape(p[0])+"="+url.QueryEscape(p[1]))
		}
	}
	return q, x.check(q, place, used)
}

// repeated reports whether a parameter that says one thing of the whole list
// was given before. Which of the two is meant nobody knows.
func repeated(before [][2]string, p [2]string) bool {
	return slices.Contains([]string{"_sort", "_count", "_total", "_summary"}, p[0]) && p[1] != "" &&
		slices.ContainsFunc(before, func(o [2]string) bool { return o[0] == p[0] && o[1] != "" })
}

// Text returns the filter of a search by the beginning of one text and nothing
// else, such as Patient?name=ng, nil for every other search. Without _sort its
// list has the order of those texts, in which an index finds them: in any
// other one every match has to be looked up before the first page is known.
func (q *Query) Text() *Filter {
	if len(q.Filters) != 1 {
		return nil
	}
	f := &q.Filters[0]
	if f.Param == nil || f.Param.Type != "string" || f.Modifier != "" || len(f.Values) != 1 || len(f.Also)+len(f.Peers)+len(f.Targets)+len(f.Any) > 0 {
		return nil
	}
	return f
}

func of(typ string) string {
	if typ == "" {
		return "a search of several types"
	}
	return typ
}

// unknown names a parameter that there is not, and the way out.
func unknown(of, name string) error {
	instead := "see /metadata, or send Prefer: handling=lenient to ignore it"
	switch name {
	case "_query":
		instead = "no named queries are defined here, so search by parameters"
	case "_filter":
		instead = "combine parameters instead: several must all hold, commas part alternatives"
	}
	return fault.Newf(fault.Invalid, "%s has no search parameter %q; %s", of, short(name), instead).In(short(name))
}

// check looks at what only the whole search shows.
func (x *Indexer) check(q *Query, place Place, used []string) error {
	if len(q.Filters)+len(q.Texts) > maxFilters || len(q.Ignored) > maxFilters {
		return fault.Newf(fault.Invalid, "at most %d search parameters are allowed", maxFilters)
	}
	if q.Type == "" && len(q.Types) == 0 && len(q.Filters) == 0 {
		return fault.New(fault.Invalid, "a search of every type needs a parameter, such as _type or _id", nil)
	}
	if q.Summary == "text" && len(q.Includes) > 0 {
		// https://hl7.org/fhir/R4/search.html#summary
		return fault.New(fault.Invalid, "_summary=text cannot be asked for together with _include or _revinclude", nil)
	}
	if q.Text() != nil && !q.sorted {
		q.Sort = []Sort{{By: "text"}}
	}
	q.Self = strings.Join(used, "&")
	q.Digest = digest(place.Compartment+"/"+place.ID+"/"+place.Type, used)
	if q.sealed == "" {
		return nil
	}
	var err error
	q.Cursor, err = x.Seals.Open(q.sealed, q.Place())
	return err
}

// short keeps foreign text in messages short and printable.
func short(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, cut(s, 40))
}

// Pairs reads the parameters of a query in their order, which url.ParseQuery
// loses. A semicolon parts nothing: it stands in _format=json;fhirVersion=4.0.
func Pairs(raw string) ([][2]string, error) {
	var pairs [][2]string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(k)
		value, err2 := url.QueryUnescape(v)
		if err != nil || err2 != nil || strings.ContainsRune(name+value, 0) {
			return nil, fault.New(fault.Invalid, "the query is not URL-encoded", nil)
		}
		if !utf8.ValidString(name + value) {
			return nil, fault.New(fault.Invalid, "the query is not UTF-8", nil)
		}
		pairs = append(pairs, [2]string{name, value})
	}
	return pairs, nil
}

// parameter adds one parameter to q; known is false when there is none of the name.
func (x *Indexer) parameter(q *Query, types []string, name, value string) (known bool, err error) {
	// An empty value is ignored (https://hl7.org/fhir/R4/search.html#escaping).
	empty := value == ""
	switch name {
	case "_count", "_total", "_summary", "_elements", "_format", "_pretty", "_sort", "_contained", "_containedType":
		if empty {
			return true, nil
		}
		return x.shown(q, name, value)
	case "_type":
		return q.typed() || empty, nil
	case "_cursor":
		q.sealed = value
		return true, nil
	}
	base, modifier, _ := strings.Cut(name, ":")
	switch base {
	case "_include", "_revinclude":
		return x.includeParameter(q, types, base == "_revinclude", modifier, value)
	case "_text", "_content":
		return true, x.textParameter(q, name, value)
	}
	f, known, err := x.common(types, name, value)
	if known && !empty && err == nil {
		q.Filters = append(q.Filters, f)
	}
	return known, err
}

// shown reads what decides how the answer is shown.
func (x *Indexer) shown(q *Query, name, value string) (known bool, err error) {
	switch name {
	case "_count":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return true, fault.New(fault.Invalid, "_count must be a whole number", nil)
		}
		q.Count, q.counted = min(n, MaxCount), true
		q.CountOnly = q.CountOnly || n == 0
		q.Total = q.Total || n == 0
	case "_total":
		if !slices.Contains([]string{"none", "estimate", "accurate"}, value) {
			return true, fault.New(fault.Invalid, "_total is none, estimate or accurate", nil)
		}
		q.Total = q.Total || value != "none"
	case "_summary":
		if !slices.Contains(Summaries, value) {
			return true, fault.New(fault.Invalid, "_summary is true, text, data, count or false", nil)
		}
		q.CountOnly, q.Total = q.CountOnly || value == "count", q.Total || value == "count"
		if q.Summary = value; value == "false" || value == "count" {
			q.Summary = ""
		}
	case "_elements":
		more, err := x.Elements(value)
		if err != nil {
			return true, err
		}
		for typ, names := range q.Elements {
			more[typ] = append(names, more[typ]...)
		}
		q.Elements = more
	case "_sort":
		q.sorted = true
		return true, x.sort(q, value)
	case "_format":
		return strings.Contains(value, "json"), nil
	case "_contained", "_containedType":
		// https://hl7.org/fhir/R4/search.html#contained
		if name == "_containedType" || value != "false" {
			return true, fault.New(fault.Invalid, "contained resources are not searched by themselves; search for what contains them", nil)
		}
	}
	return true, nil
}

// Summaries are the values of _summary (https://hl7.org/fhir/R4/search.html#summary).
var Summaries = []string{"true", "text", "data", "count", "false"}

// Elements reads _elements: names of top-level elements, which a type may
// precede as in Patient.name (https://hl7.org/fhir/R4/search.html#elements).
func (x *Indexer) Elements(value string) (map[string][]string, error) {
	elements := map[string][]string{}
	list := strings.Split(value, ",")
	if len(list) > maxElements {
		return nil, fault.Newf(fault.Invalid, "at most %d elements are allowed", maxElements)
	}
	for _, e := range list {
		typ, name, typed := strings.Cut(strings.TrimSpace(e), ".")
		if !typed {
			typ, name = "", typ
		}
		if name == "" || strings.Contains(name, ".") || typed && x.defs.Number(typ) == 0 {
			return nil, fault.New(fault.Invalid, "_elements lists top-level elements such as name or Patient.name", nil)
		}
		elements[typ] = append(elements[typ], name)
	}
	return elements, nil
}

// sort reads _sort=a,-b (https://hl7.org/fhir/R4/search.html#sort).
func (x *Indexer) sort(q *Query, value string) error {
	q.Sort = nil
	for key := range strings.SplitSeq(value, ",") {
		s, err := x.sortKey(q, strings.TrimSpace(key))
		if err != nil {
			return err
		}
		if q.Sort = append(q.Sort, s); len(q.Sort) > maxSorts {
			return fault.Newf(fault.Invalid, "at most %d keys of _sort are allowed", maxSorts)
		}
	}
	return nil
}

func (x *Indexer) sortKey(q *Query, key string) (Sort, error) {
	code, descending := strings.CutPrefix(key, "-")
	switch {
	case code == "_lastUpdated" || code == "_id":
		return Sort{By: code, Descending: descending}, nil
	case descending && code != "" && code == x.Main(q.Type):
		// What has no date is older than everything and comes last, as it
		// should; upwards it would come first.
		_, _, _, err := x.rows(x.defs.Parameters(q.Type)[code])
		return Sort{By: "at", Descending: true}, err
	}
	p := x.defs.Parameters(q.Type)[code]
	if p == nil || x.Number(q.Type, code) == 0 || p.Type == "composite" {
		return Sort{}, fault.Newf(fault.Invalid, "%s cannot be sorted by %q", of(q.Type), short(code))
	}
	s := Sort{Param: p, By: p.Type, Descending: descending}
	var err error
	s.Number, s.Also, s.Narrowed, err = x.rows(p)
	return s, err
}
