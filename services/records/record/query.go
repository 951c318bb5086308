package record

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/vitext"
)

// Limits of a search. They bound what one request can cost.
const (
	DefaultCount = 20
	MaxCount     = 1000
	maxValues    = 200
	maxFilters   = 30
)

// Query is a search as it was understood.
type Query struct {
	Type   string
	Number int16
	// Filters must all hold.
	Filters []Filter
	Sort    Sort
	Count   int
	// Total asks for the exact number of matches.
	Total bool
	// CountOnly asks for nothing but the total (_summary=count, _count=0).
	CountOnly bool
	Cursor    *Cursor
	Includes  []Include
	// Ignored are parameters that a lenient search left out.
	Ignored []string
	// Self are the parameters that were used, encoded, without the cursor.
	Self string
}

// Filter is one parameter of a search.
type Filter struct {
	Param    *fhir.Parameter
	Number   int16
	Modifier string
	// Values: one of them must hold.
	Values []Value
}

// Value is one value of a filter; which fields count depends on the
// parameter's type.
type Value struct {
	Prefix string
	Text   string
	// Token: HasSystem tells "|code" (no system) from "code" (any system).
	System    string
	HasSystem bool
	Code      string
	// Date, in microseconds.
	Low, High int64
	// Reference.
	Ref Ref
	// Quantity or number: the range that the precision leaves open, and the
	// value as given.
	NumberLow, NumberHigh, Number string
}

// Sort is the order of a list. Ties are broken by the resource's key.
type Sort struct {
	// Param is nil for the default order (by the resource's own date) and for
	// _lastUpdated and _id.
	Param      *fhir.Parameter
	Number     int16
	By         string // at, _lastUpdated, _id, string, date, token
	Descending bool
}

// Cursor is where a page ends.
type Cursor struct {
	Value string // of the sort, "" for none
	Null  bool
	Key   int64
}

// Include is an _include or _revinclude.
type Include struct {
	Reverse bool
	Source  string
	Param   *fhir.Parameter
	Number  int16
	Target  string
}

// String returns the opaque form for links.
func (c Cursor) String() string {
	null := "0"
	if c.Null {
		null = "1"
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.Key, 36) + "." + null + "." + c.Value))
}

// ParseCursor reads what String wrote.
func ParseCursor(s string) (*Cursor, error) {
	fail := fault.New(fault.Invalid, "_cursor is not one that this server gave; follow the next link as it is", nil)
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, fail
	}
	parts := strings.SplitN(string(b), ".", 3)
	if len(parts) != 3 {
		return nil, fail
	}
	key, err := strconv.ParseInt(parts[0], 36, 64)
	if err != nil || strings.ContainsRune(parts[2], 0) {
		return nil, fail
	}
	return &Cursor{Key: key, Null: parts[1] == "1", Value: parts[2]}, nil
}

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
	if len(q.Filters) > maxFilters {
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
		return true, x.sort(q, value)
	}
	base, modifier, _ := strings.Cut(name, ":")
	if base == "_include" || base == "_revinclude" {
		if modifier != "" {
			return false, nil
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

var modifiers = map[string][]string{
	"string": {"exact", "contains", "missing"}, "token": {"not", "missing"}, "date": {"missing"},
	"uri": {"missing"}, "number": {"missing"}, "quantity": {"missing"}, "reference": {"missing"},
}

func (x *Indexer) values(f *Filter, value string) error {
	typed := f.Param.Type == "reference" && x.defs.Number(f.Modifier) > 0
	if f.Modifier != "" && !typed && (!slices.Contains(modifiers[f.Param.Type], f.Modifier) || f.Param.Code[0] == '_' && f.Number == 0) {
		return fault.Newf(fault.Invalid, "the modifier :%s is not supported here", short(f.Modifier))
	}
	if f.Modifier == "missing" {
		if value != "true" && value != "false" {
			return fault.New(fault.Invalid, ":missing is true or false", nil)
		}
		f.Values = []Value{{Text: value}}
		return nil
	}
	for _, part := range unescapedSplit(value, ',') {
		if part == "" {
			continue
		}
		v, err := x.value(f, part)
		if err != nil {
			return err
		}
		if f.Values = append(f.Values, v); len(f.Values) > maxValues {
			return fault.Newf(fault.Invalid, "at most %d values are allowed", maxValues)
		}
	}
	if len(f.Values) == 0 {
		return fault.New(fault.Invalid, "a value is expected", nil)
	}
	return nil
}

func (x *Indexer) value(f *Filter, s string) (Value, error) {
	v := Value{Text: unescapeValue(s)}
	switch f.Param.Type {
	case "token":
		parts := unescapedSplit(s, '|')
		v.Code = Clip(unescapeValue(parts[0]))
		if len(parts) == 2 {
			v.HasSystem, v.System, v.Code = true, unescapeValue(parts[0]), Clip(unescapeValue(parts[1]))
		}
		if len(parts) > 2 || v.Code == "" && v.System == "" {
			return v, fault.New(fault.Invalid, "code, system|code, |code or system| is expected", nil)
		}
	case "string":
		if f.Modifier != "exact" {
			v.Text = vitext.Fold(v.Text)
		}
		v.Text = cut(v.Text, longest)
		if v.Text == "" {
			return v, fault.New(fault.Invalid, "a text is expected", nil)
		}
	case "date":
		return dateValue(v.Text)
	case "reference":
		return x.referenceValue(f, v)
	case "uri":
		v.Text = Clip(v.Text)
	case "number", "quantity":
		return numberValue(s)
	default:
		return v, fault.Newf(fault.Invalid, "parameters of type %s are not supported", f.Param.Type)
	}
	return v, nil
}

var prefixes = []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"}

func prefixed(s string) (prefix, rest string) {
	if len(s) > 2 && slices.Contains(prefixes, s[:2]) {
		return s[:2], s[2:]
	}
	return "eq", s
}

func dateValue(s string) (Value, error) {
	v := Value{}
	v.Prefix, s = prefixed(s)
	// "+" of a time zone arrives as a blank when the client did not encode it.
	low, high, err := fhir.TimeRange(strings.ReplaceAll(s, " ", "+"), Zone)
	if err != nil {
		return v, err
	}
	v.Low, v.High = micros(low), micros(high)
	return v, nil
}

func (x *Indexer) referenceValue(f *Filter, v Value) (Value, error) {
	v.Ref = x.ParseReference(v.Text)
	if v.Ref.Type == 0 && !strings.Contains(v.Text, "/") && !strings.Contains(v.Text, ":") {
		if !fhir.ValidID(v.Text) {
			return v, fault.New(fault.Invalid, "an id, Type/id or a URL is expected", nil)
		}
		// A bare id: of the modifier's type, of the only target, or of any.
		v.Ref = Ref{Type: -1, Target: v.Text}
		if len(f.Param.Targets) == 1 {
			v.Ref.Type = x.defs.Number(f.Param.Targets[0])
		}
		for _, p := range f.Param.Paths {
			if p.Target != "" {
				v.Ref.Type = x.defs.Number(p.Target)
			}
		}
	}
	if n := x.defs.Number(f.Modifier); n > 0 {
		if v.Ref.Type > 0 && v.Ref.Type != n {
			return v, fault.New(fault.Invalid, "the reference is of another type than the modifier", nil)
		}
		v.Ref.Type = n
	}
	return v, nil
}

// numberValue reads [prefix]number[|system|code] and the range that the
// number's digits leave open (https://hl7.org/fhir/R4/search.html#number).
func numberValue(s string) (Value, error) {
	parts := unescapedSplit(s, '|')
	v := Value{}
	var digits string
	v.Prefix, digits = prefixed(parts[0])
	low, high, ok := decimalRange(digits)
	if !ok || len(parts) > 3 {
		return v, fault.New(fault.Invalid, "a number such as 5.40 or 5.40|http://unitsofmeasure.org|mg is expected", nil)
	}
	v.Number, v.NumberLow, v.NumberHigh = digits, low, high
	if len(parts) == 3 {
		v.System, v.Code = unescapeValue(parts[1]), Clip(unescapeValue(parts[2]))
		v.HasSystem = v.System != ""
	} else if len(parts) == 2 {
		v.Code = Clip(unescapeValue(parts[1]))
	}
	return v, nil
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

// unescapedSplit splits at sep unless a backslash stands before it
// (https://hl7.org/fhir/R4/search.html#escaping).
func unescapedSplit(s string, sep byte) []string {
	var parts []string
	begun := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			parts = append(parts, s[begun:i])
			begun = i + 1
		}
	}
	return append(parts, s[begun:])
}

func unescapeValue(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Canonical returns criteria in one order, so that equal criteria have one
// digest however they were written.
func (q *Query) Canonical() string {
	parts := strings.Split(q.Self, "&")
	slices.Sort(parts)
	return fmt.Sprintf("%s?%s", q.Type, strings.Join(parts, "&"))
}
