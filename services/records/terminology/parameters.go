package terminology

import (
	"encoding/json"
	"strings"

	"github.com/yba-health/yba/pkg/fhir"
)

// out builds a Parameters resource.
type out struct{ list []string }

// add adds a parameter whose value's type is typ ("String").
func (o *out) add(name, typ, value string) {
	o.list = append(o.list, `{"name":`+fhir.Quote(name)+`,`+member(typ, value)+`}`)
}

// part adds a parameter made of parts.
func (o *out) part(name string, parts *out) {
	o.list = append(o.list, `{"name":`+fhir.Quote(name)+`,"part":[`+strings.Join(parts.list, ",")+`]}`)
}

func (o *out) coding(name string, c Coding) {
	// A Coding is made of strings only, which always marshal.
	b, _ := json.Marshal(c)
	o.list = append(o.list, `{"name":`+fhir.Quote(name)+`,"valueCoding":`+string(b)+`}`)
}

// member writes a value; numbers and booleans keep the text they were read as.
func member(typ, value string) string {
	switch typ {
	case "Boolean", "Integer", "Decimal":
		return `"value` + typ + `":` + value
	}
	return `"value` + typ + `":` + fhir.Quote(value)
}

func (o *out) bytes() []byte {
	return []byte(`{"resourceType":"Parameters","parameter":[` + strings.Join(o.list, ",") + `]}`)
}
