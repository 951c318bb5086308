package record

import (
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/vitext"
)

var modifiers = map[string][]string{
	"string": {"exact", "contains", "missing"}, "token": {"not", "missing"}, "date": {"missing"},
	"uri": {"missing"}, "number": {"missing"}, "quantity": {"missing"}, "reference": {"missing", "not"},
}

func (x *Indexer) values(f *Filter, value string) error {
	typed := f.Param.Type == "reference" && x.defs.Number(f.Modifier) > 0
	if f.Modifier != "" && !typed && (!slices.Contains(modifiers[f.Param.Type], f.Modifier) || f.Param.Code[0] == '_' && f.Number == 0) {
		return fault.Newf(fault.Invalid, "the modifier :%s does not apply to %s, which is a %s", short(f.Modifier), f.Param.Code, f.Param.Type)
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
