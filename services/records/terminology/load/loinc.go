package load

import (
	"io"
	"iter"
	"strings"

	"github.com/yba-health/yba/services/records/terminology"
)

// loincColumns are the columns of Loinc.csv and of its linguistic variants,
// folded. The six axes and the class are properties that value sets filter by
// (https://hl7.org/fhir/R4/loinc.html).
var loincColumns = map[string]string{
	"loinc_num": "LOINC_NUM", "long_common_name": "LONG_COMMON_NAME", "shortname": "SHORTNAME", "displayname": "DisplayName",
	"consumer_name": "CONSUMER_NAME", "definitiondescription": "DefinitionDescription", "status": "STATUS",
	"component": "COMPONENT", "property": "PROPERTY", "time_aspct": "TIME_ASPCT", "system": "SYSTEM", "scale_typ": "SCALE_TYP",
	"method_typ": "METHOD_TYP", "class": "CLASS", "classtype": "CLASSTYPE", "order_obs": "ORDER_OBS", "example_ucum_units": "EXAMPLE_UCUM_UNITS",
	"linguisticvariantdisplayname": "LinguisticVariantDisplayName",
}

var loincProperties = []string{
	"STATUS", "COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP", "CLASS", "CLASSTYPE", "ORDER_OBS", "EXAMPLE_UCUM_UNITS",
}

// LOINC reads Loinc.csv. names holds the names of linguistic variants by code.
func LOINC(r io.Reader, names map[string][]terminology.Designation) (iter.Seq2[terminology.Concept, error], error) {
	t, err := openTable(r, loincColumns)
	if err != nil {
		return nil, err
	}
	if err := t.needs("LOINC_NUM", "LONG_COMMON_NAME"); err != nil {
		return nil, err
	}
	return func(yield func(terminology.Concept, error) bool) {
		for {
			more, err := t.next()
			if err != nil {
				yield(terminology.Concept{}, err)
				return
			}
			if !more {
				return
			}
			c := terminology.Concept{Code: t.get("LOINC_NUM"), Display: t.get("LONG_COMMON_NAME"), Definition: t.get("DefinitionDescription")}
			switch {
			case !loincNumber(c.Code):
				err = t.fail("the LOINC number is wrong; it looks like 8867-4, and its last digit checks the others")
			case c.Display == "":
				err = t.fail("the code has no name")
			default:
				err = t.once(c.Code)
			}
			if err != nil {
				yield(c, err)
				return
			}
			for _, name := range []string{"DisplayName", "SHORTNAME", "CONSUMER_NAME"} {
				if v := t.get(name); v != "" && v != c.Display {
					c.Designations = append(c.Designations, terminology.Designation{Language: "en", Use: &terminology.Coding{System: "http://loinc.org", Code: name}, Value: v})
				}
			}
			c.Designations = append(c.Designations, names[c.Code]...)
			for _, name := range loincProperties {
				if v := t.get(name); v != "" {
					c.Properties = append(c.Properties, terminology.Property{Code: name, Type: "String", Value: v})
				}
			}
			// A discouraged code may still be used; a deprecated one may not.
			c.Inactive = strings.EqualFold(t.get("STATUS"), "DEPRECATED")
			if !yield(c, nil) {
				return
			}
		}
	}, nil
}

// LOINCNames reads a linguistic variant of LOINC into names.
func LOINCNames(r io.Reader, language string, names map[string][]terminology.Designation) error {
	t, err := openTable(r, loincColumns)
	if err != nil {
		return err
	}
	if err := t.needs("LOINC_NUM"); err != nil {
		return err
	}
	for {
		more, err := t.next()
		if err != nil || !more {
			return err
		}
		code := t.get("LOINC_NUM")
		if !loincNumber(code) {
			return t.fail("the LOINC number is wrong; it looks like 8867-4, and its last digit checks the others")
		}
		for _, name := range []string{"LinguisticVariantDisplayName", "LONG_COMMON_NAME", "SHORTNAME"} {
			if v := t.get(name); v != "" {
				names[code] = append(names[code], terminology.Designation{Language: language, Value: v})
			}
		}
	}
}

// loincNumber checks the form and the check digit (modulus 10, Luhn).
func loincNumber(s string) bool {
	digits, check, ok := strings.Cut(s, "-")
	if !ok || len(digits) < 1 || len(digits) > 7 || len(check) != 1 {
		return false
	}
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if d < 0 || d > 9 {
			return false
		}
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return int(check[0]-'0') == (10-sum%10)%10
}
