package record

import (
	"math"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/ucum"
)

var modifiers = map[string][]string{
	"string":    {"exact", "contains", "missing"},
	"token":     {"not", "missing", "text", "of-type", "in", "not-in", "above", "below"},
	"reference": {"not", "missing", "identifier", "above", "below"},
	"uri":       {"missing", "above", "below"},
	"date":      {"missing"}, "number": {"missing"}, "quantity": {"missing"}, "composite": {"missing"},
}

// Rows is the type of parameter whose index rows the filter asks, which a
// modifier may change.
func (f *Filter) Rows() string {
	switch f.Modifier {
	case "text":
		return "string"
	case "identifier":
		return "token"
	}
	return f.Param.Type
}

func (x *Indexer) values(f *Filter, value string) error {
	typed := f.Param.Type == "reference" && x.defs.Number(f.Modifier) > 0
	// What is a column of the resource itself has no rows for modifiers.
	column := f.Number == 0 && (f.Param.Code != "_id" || f.Modifier != "not")
	if f.Modifier != "" && !typed && (column || !slices.Contains(modifiers[f.Param.Type], f.Modifier)) {
		return fault.Newf(fault.Invalid, "the modifier :%s does not apply to %s, which is a %s; %s", short(f.Modifier), f.Param.Code, f.Param.Type, applying(f.Param.Type, column))
	}
	if slices.Contains([]string{"text", "of-type", "identifier"}, f.Modifier) {
		if f.Number = x.Number(f.Param.Base, f.Param.Code+":"+f.Modifier); f.Number == 0 {
			return fault.Newf(fault.Invalid, "the modifier :%s is not for this parameter, whose values have no such thing", f.Modifier)
		}
	}
	code := f.Param.Code
	if f.Modifier == "text" {
		code += ":text"
	}
	f.Also, f.Narrowed = x.Also(f.Param.Base, code), x.narrowed(f.Param)
	for _, n := range append([]int16{f.Number}, f.Also...) {
		if err := x.ready(n); err != nil {
			return err
		}
	}
	if f.Modifier == "missing" {
		if value != "true" && value != "false" {
			return fault.New(fault.Invalid, ":missing is true or false", nil)
		}
		f.Values = []Value{{Text: value}}
		for _, m := range []string{"text", "identifier"} {
			code := f.Param.Code + ":" + m
			if n := x.Number(f.Param.Base, code); n != 0 {
				f.Besides = append(f.Besides, Filter{Param: f.Param, Modifier: m, Number: n, Also: x.Also(f.Param.Base, code)})
			}
		}
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
	if f.Modifier == "" || f.Modifier == "not" {
		f.Values = implied(f.Param, f.Values)
	}
	if len(f.Values) == 0 {
		return fault.New(fault.Invalid, "a value is expected", nil)
	}
	return nil
}

// applying tells which modifiers there are instead.
func applying(typ string, column bool) string {
	if column {
		return "it has no modifiers"
	}
	list := "it has :" + strings.Join(modifiers[typ], ", :")
	if typ == "reference" {
		list += " and types, such as :Patient"
	}
	return list
}

func (x *Indexer) value(f *Filter, s string) (Value, error) {
	if f.Param.Type == "composite" {
		return x.compositeValue(f, s)
	}
	return x.simple(f, f.Rows(), s)
}

// simple reads a value as parameters of type typ have it.
func (x *Indexer) simple(f *Filter, typ, s string) (Value, error) {
	v := Value{Text: unescapeValue(s)}
	switch typ {
	case "token":
		v, err := tokenValue(f.Modifier, s)
		switch {
		case err == nil && v.System != "" && f.Param.Code == "_id":
			return v, fault.New(fault.Invalid, "an id has no system", nil)
		case v.Code != "" && finds(f.Param):
			v.Code = Clip(contact(v.Code))
		}
		return v, err
	case "string":
		if f.Modifier == "exact" {
			v.Exact = forms(v.Text)
		}
		if v.Text = cut(fold(v.Text), longestText); v.Text == "" {
			return v, fault.New(fault.Invalid, "a text is expected", nil)
		}
	case "date":
		return x.dateValue(v.Text)
	case "reference":
		return x.referenceValue(f, v)
	case "uri":
		if f.Modifier == "" {
			v.Text = Clip(v.Text)
		}
	case "number", "quantity":
		return x.numberValue(typ, s)
	default:
		return v, fault.Newf(fault.Invalid, "parameters of type %s are not supported", f.Param.Type)
	}
	return v, nil
}

// forms returns the text as it was sent, composed and decomposed: browsers and
// files write the same Vietnamese letters either way.
func forms(s string) []string {
	list := []string{clip(s, longestText)}
	for _, form := range []norm.Form{norm.NFC, norm.NFD} {
		if !form.IsNormalString(s) {
			list = append(list, clip(form.String(s), longestText))
		}
	}
	return list
}

func tokenValue(modifier, s string) (Value, error) {
	v := Value{Text: unescapeValue(s)}
	parts := unescapedSplit(s, '|')
	for i := range parts {
		parts[i] = unescapeValue(parts[i])
	}
	switch modifier {
	case "in", "not-in":
		return v, nil // the URL of a value set, which may end in |version
	case "of-type":
		if len(parts) != 3 || slices.Contains(parts, "") {
			return v, fault.New(fault.Invalid, "system|code|value of the identifier's type is expected", nil)
		}
		v.HasSystem, v.System, v.Code = true, parts[0], Clip(parts[1]+"|"+parts[2])
		return v, nil
	}
	v.Code = Clip(parts[0])
	if len(parts) == 2 {
		v.HasSystem, v.System, v.Code = true, parts[0], Clip(parts[1])
	}
	if len(parts) > 2 || v.Code == "" && v.System == "" {
		return v, fault.New(fault.Invalid, "code, system|code, |code or system| is expected", nil)
	}
	return v, nil
}

// compositeValue reads the components' values, joined by "$".
func (x *Indexer) compositeValue(f *Filter, s string) (Value, error) {
	parts := unescapedSplit(s, '$')
	components := f.Param.Composites[0].Components
	if len(parts) != len(components) {
		return Value{}, fault.Newf(fault.Invalid, "%d values joined by $ are expected", len(components))
	}
	v := Value{Text: unescapeValue(s)}
	for i, part := range parts {
		if part == "" {
			return v, fault.New(fault.Invalid, "a component has no value", nil)
		}
		one, err := x.simple(&Filter{Param: f.Param}, components[i].Type, part)
		if err != nil {
			return v, err
		}
		v.Parts = append(v.Parts, one)
	}
	return v, nil
}

var prefixes = []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}

func prefixed(s string) (prefix, rest string) {
	if len(s) > 2 && slices.Contains(prefixes, s[:2]) {
		return s[:2], s[2:]
	}
	return "eq", s
}

func (x *Indexer) dateValue(s string) (Value, error) {
	v := Value{}
	v.Prefix, s = prefixed(s)
	// "+" of a time zone arrives as a blank when the client did not encode it.
	low, high, err := fhir.TimeRange(strings.ReplaceAll(s, " ", "+"), Zone)
	if err != nil {
		return v, err
	}
	v.Low, v.High = low.UnixMicro(), high.UnixMicro()
	if v.Prefix == "ap" {
		// https://hl7.org/fhir/R4/search.html#prefix: 10 % of the gap between
		// now and the date.
		gap := x.Now().UnixMicro() - v.Low
		gap = max(gap, -gap) / 10
		v.Low, v.High = v.Low-gap, v.High+gap
	}
	return v, nil
}

// nowhere is the type of no reference.
const nowhere = math.MaxInt16

func (x *Indexer) referenceValue(f *Filter, v Value) (Value, error) {
	s := v.Text
	if x.Base != "" {
		s = strings.TrimPrefix(s, x.Base+"/")
	}
	if f.Modifier == "above" || f.Modifier == "below" {
		return x.treeValue(f, v, s)
	}
	v.Ref = x.ParseReference(s)
	named := v.Ref.Type > 0
	if v.Ref.Type == 0 && !strings.Contains(s, "/") && !strings.Contains(s, ":") {
		if !fhir.ValidID(s) {
			return v, fault.New(fault.Invalid, "an id, Type/id or a URL is expected", nil)
		}
		// A bare id: of the modifier's type, of the only target, or of any.
		v.Ref = Ref{Type: -1, Target: s}
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
		if named && v.Ref.Type != n {
			return v, fault.New(fault.Invalid, "the reference is of another type than the modifier", nil)
		}
		v.Ref.Type = n
	}
	if f.Narrowed > 0 && v.Ref.Type >= 0 && v.Ref.Type != f.Narrowed {
		v.Ref.Type = nowhere
	}
	return v, nil
}

// numberValue reads [prefix]number[|system|code] and the range that the
// number's digits leave open (https://hl7.org/fhir/R4/search.html#number).
func (x *Indexer) numberValue(typ, s string) (Value, error) {
	parts := unescapedSplit(s, '|')
	v := Value{}
	var digits string
	v.Prefix, digits = prefixed(parts[0])
	d, ok := parseDecimal(digits)
	if !ok || len(parts) > 3 || typ == "number" && len(parts) > 1 {
		return v, fault.New(fault.Invalid, "a number such as 5.40 or, of a quantity, 5.40|http://unitsofmeasure.org|mg is expected", nil)
	}
	low, high := d.rounding()
	if v.Prefix == "ap" {
		low, high = d.approximate()
	}
	v.Number, v.NumberLow, v.NumberHigh = plain(d.value), plain(low), plain(high)
	if len(parts) == 3 {
		v.System, v.Code = unescapeValue(parts[1]), unescapeValue(parts[2])
		v.HasSystem = v.System != ""
	} else if len(parts) == 2 {
		v.Code = unescapeValue(parts[1])
	}
	if v.Code == "" {
		return v, nil
	}
	system := v.System
	if !v.HasSystem {
		system = ucum.System // only to find the rows
	}
	v.Base, v.Amount = x.measure(system, v.Code, v.Number)
	_, v.AmountLow = x.measure(system, v.Code, v.NumberLow)
	_, v.AmountHigh = x.measure(system, v.Code, v.NumberHigh)
	v.Code, v.Base = Clip(v.Code), Clip(v.Base)
	return v, nil
}
