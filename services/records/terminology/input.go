package terminology

import (
	"net/url"
	"slices"
	"strconv"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// Input are the parameters of an operation, from a query and, of a POST, from
// a Parameters resource (https://hl7.org/fhir/R4/operations.html#request).
type Input struct {
	texts  map[string][]string
	values map[string]fhir.Value // what is no primitive
}

// ReadInput reads the query and the body, which may be empty. Parameters that
// are not among the known ones are refused: what they ask for would be missing
// from the answer.
func ReadInput(query string, body []byte, known []string) (*Input, error) {
	in := &Input{texts: map[string][]string{}, values: map[string]fhir.Value{}}
	q, err := url.ParseQuery(query)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the query is not URL-encoded", err)
	}
	for name, list := range q {
		if name == "_format" || name == "_pretty" {
			continue
		}
		if err := in.add(known, name, list...); err != nil {
			return nil, err
		}
	}
	if len(body) == 0 {
		return in, nil
	}
	doc, err := fhir.Parse(body)
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	switch typ := root.Get("resourceType").Str(); {
	case typ == "Parameters":
	case typ == "ValueSet" && slices.Contains(known, "valueSet"):
		in.values["valueSet"] = root
		return in, nil
	default:
		return nil, fault.New(fault.Invalid, "the body must be a Parameters resource", nil).In("resourceType")
	}
	for p := range root.Get("parameter").Items() {
		if err := in.read(known, p); err != nil {
			return nil, err
		}
	}
	return in, nil
}

func (in *Input) read(known []string, p fhir.Value) error {
	name := p.Get("name").Str()
	for member, v := range p.Members() {
		if member == "name" || member == "id" || member == "extension" {
			continue
		}
		if v.Kind() == fhir.Object {
			if !slices.Contains(known, name) {
				return unknownParameter(name)
			}
			if in.values[name].Exists() {
				return fault.Newf(fault.Invalid, "the parameter %s stands twice", name).In(p.Path())
			}
			in.values[name] = v
			continue
		}
		if err := in.add(known, name, v.Text()); err != nil {
			return err
		}
	}
	return nil
}

func unknownParameter(name string) error {
	return fault.Newf(fault.Invalid, "the parameter %q is not known to this operation, or not supported here", name)
}

func (in *Input) add(known []string, name string, list ...string) error {
	if !slices.Contains(known, name) {
		return unknownParameter(name)
	}
	in.texts[name] = append(in.texts[name], list...)
	return nil
}

// text returns a parameter that may stand once.
func (in *Input) text(name string) (string, error) {
	switch list := in.texts[name]; len(list) {
	case 0:
		return "", nil
	case 1:
		return list[0], nil
	}
	return "", fault.Newf(fault.Invalid, "the parameter %s stands twice", name)
}

// flag returns a boolean, and whether it was given.
func (in *Input) flag(name string) (value, given bool, err error) {
	s, err := in.text(name)
	switch {
	case err != nil || s == "":
		return false, false, err
	case s == "true" || s == "false":
		return s == "true", true, nil
	}
	return false, false, fault.Newf(fault.Invalid, "the parameter %s is true or false", name)
}

// number returns a number that is not negative, or without.
func (in *Input) number(name string, without int) (int, error) {
	s, err := in.text(name)
	if err != nil || s == "" {
		return without, err
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return 0, fault.Newf(fault.Invalid, "the parameter %s is a whole number that is not negative", name)
	}
	return int(n), nil
}

// once reads parameters that may stand once each.
func (in *Input) once(names ...string) (map[string]string, error) {
	out := map[string]string{}
	for _, n := range names {
		s, err := in.text(n)
		if err != nil {
			return nil, err
		}
		out[n] = s
	}
	return out, nil
}
