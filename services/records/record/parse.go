package record

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/yba-health/yba/pkg/fault"
)

// ParseQuery reads a search of a type. Unknown parameters are refused unless
// lenient, where they are noted in Ignored
// (https://hl7.org/fhir/R4/search.html#errors).
func (x *Indexer) ParseQuery(typ, raw string, lenient bool) (*Query, error) {
	q := &Query{Type: typ, Number: x.defs.Number(typ), Count: DefaultCount, Sort: Sort{By: "at", Descending: true}}
	if q.Number == 0 {
		return nil, fault.New(fault.NotFound, "there is no such resource type in FHIR R4", nil)
	}
	pairs, err := split(raw)
	if err != nil {
		return nil, err
	}
	self := make([]string, 0, len(pairs))
	for _, p := range pairs {
		known, err := x.parameter(q, p[0], p[1])
		if err != nil {
			return nil, err
		}
		switch {
		case !known && lenient:
			q.Ignored = append(q.Ignored, p[0])
		case !known:
			return nil, fault.Newf(fault.Invalid, "%s has no search parameter %q; see /metadata, or send Prefer: handling=lenient to ignore it", typ, short(p[0]))
		case p[0] != "_cursor":
			self = append(self, url.QueryEscape(p[0])+"="+url.QueryEscape(p[1]))
		}
	}
	if len(q.Filters) > maxFilters || len(q.Ignored) > maxFilters {
		return nil, fault.Newf(fault.Invalid, "at most %d search parameters are allowed", maxFilters)
	}
	q.Self = strings.Join(self, "&")
	return q, nil
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

// split keeps the order of parameters, which url.ParseQuery loses.
func split(raw string) ([][2]string, error) {
	var pairs [][2]string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(k)
		value, err2 := url.QueryUnescape(v)
		if err != nil || err2 != nil || strings.ContainsRune(name+value, 0) {
			return nil, fault.New(fault.Invalid, "the search is not URL-encoded", nil)
		}
		if !utf8.ValidString(name + value) {
			return nil, fault.New(fault.Invalid, "the search is not UTF-8", nil)
		}
		pairs = append(pairs, [2]string{name, value})
	}
	return pairs, nil
}

// parameter adds one parameter to q; known is false when there is none of the name.
func (x *Indexer) parameter(q *Query, name, value string) (known bool, err error) {
	switch name {
	case "_count":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return true, fault.New(fault.Invalid, "_count must be a whole number", nil)
		}
		q.Count = min(n, MaxCount)
		q.CountOnly = q.CountOnly || n == 0
		q.Total = q.Total || n == 0
		return true, nil
	case "_total":
		if !slices.Contains([]string{"none", "estimate", "accurate"}, value) {
			return true, fault.New(fault.Invalid, "_total is none, estimate or accurate", nil)
		}
		q.Total = value != "none"
		return true, nil
	case "_summary":
		if value != "count" && value != "false" {
			return false, nil
		}
		q.CountOnly, q.Total = value == "count", q.Total || value == "count"
		return true, nil
	case "_format":
		return strings.Contains(value, "json"), nil
	case "_cursor":
		q.Cursor, err = ParseCursor(value)
		return true, err
	case "_sort":
		q.sorted = true
		return true, x.sort(q, value)
	}
	base, modifier, _ := strings.Cut(name, ":")
	if base == "_include" || base == "_revinclude" {
		if modifier != "" {
			return false, nil
		}
		if q.includes++; q.includes > maxIncludes {
			return true, fault.Newf(fault.Invalid, "at most %d _include and _revinclude are allowed", maxIncludes)
		}
		inc, err := x.include(q.Type, value, base == "_revinclude")
		q.Includes = append(q.Includes, inc...)
		return true, err
	}
	p := x.defs.Parameters(q.Type)[base]
	if p == nil {
		return false, nil
	}
	f := Filter{Param: p, Number: x.Number(q.Type, base), Modifier: modifier}
	if f.Number == 0 && base != "_id" && base != "_lastUpdated" {
		return false, nil
	}
	if value == "" {
		return true, nil // https://hl7.org/fhir/R4/search.html: an empty value is ignored
	}
	if err := x.values(&f, value); err != nil {
		return true, fault.Of(err).In(base)
	}
	q.Filters = append(q.Filters, f)
	return true, nil
}

func (x *Indexer) sort(q *Query, value string) error {
	if strings.Contains(value, ",") {
		return fault.New(fault.Invalid, "_sort by several parameters is not supported", nil)
	}
	code, descending := strings.CutPrefix(value, "-")
	switch {
	case code == "_lastUpdated" || code == "_id":
		q.Sort = Sort{By: code, Descending: descending}
		return nil
	case code != "" && code == x.Main(q.Type):
		q.Sort = Sort{By: "at", Descending: descending}
		return nil
	}
	p, n := x.defs.Parameters(q.Type)[code], x.Number(q.Type, code)
	if p == nil || n == 0 || p.Type != "string" && p.Type != "date" && p.Type != "token" {
		return fault.Newf(fault.Invalid, "%s cannot be sorted by %q", q.Type, short(code))
	}
	q.Sort = Sort{Param: p, Number: n, By: p.Type, Descending: descending}
	return nil
}

// include reads Source:param[:Target].
func (x *Indexer) include(typ, value string, reverse bool) ([]Include, error) {
	parts := strings.Split(value, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return nil, fault.New(fault.Invalid, "_include and _revinclude are written Type:parameter", nil)
	}
	if !reverse && parts[0] != typ {
		return nil, fault.New(fault.Invalid, "_include must begin with the type that is searched", nil)
	}
	target := ""
	if len(parts) == 3 {
		target = parts[2]
	}
	var out []Include
	for code, p := range x.defs.Parameters(parts[0]) {
		n := x.Number(parts[0], code)
		if p.Type != "reference" || n == 0 || parts[1] != code && (parts[1] != "*" || reverse) {
			continue
		}
		out = append(out, Include{reverse, parts[0], p, n, target})
	}
	if len(out) == 0 {
		return nil, fault.Newf(fault.Invalid, "%s has no reference parameter %q", short(parts[0]), short(parts[1]))
	}
	return out, nil
}
