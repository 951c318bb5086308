package records

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// parameters are the input of an operation: a Parameters resource and what
// stands in the address (https://hl7.org/fhir/R4/operations.html#request).
type parameters struct {
	root  fhir.Value
	query url.Values
}

// anyName among the known names lets all others pass.
const anyName = "*"

// readParameters reads the input and refuses names that are not known.
func readParameters(req *recordsv1.OperationRequest, known ...string) (parameters, error) {
	var p parameters
	var err error
	if p.query, err = url.ParseQuery(req.GetQuery()); err != nil {
		return p, fault.New(fault.Invalid, "the query is not URL-encoded", nil)
	}
	// How the answer is written is no parameter of the operation.
	p.query.Del("_format")
	p.query.Del("_pretty")
	unknown := func(at string) error {
		return fault.Newf(fault.Invalid, "the operation has the parameters %s", strings.Join(known, ", ")).In(at)
	}
	takes := func(name string) bool { return slices.Contains(known, name) || slices.Contains(known, anyName) }
	for name := range p.query {
		if !takes(name) {
			return p, unknown("")
		}
	}
	if len(req.GetBody()) == 0 {
		return p, nil
	}
	doc, err := fhir.Parse(req.GetBody())
	if err != nil {
		return p, err
	}
	p.root = doc.Root()
	if p.root.Get("resourceType").Str() != "Parameters" {
		return p, fault.New(fault.Invalid, "a Parameters resource is expected", nil).In("resourceType")
	}
	for v := range p.root.Get("parameter").Items() {
		if !takes(v.Get("name").Str()) {
			return p, unknown(v.Path())
		}
	}
	return p, nil
}

// all returns the parameters of a name, as they stand in the resource.
func (p parameters) all(name string) []fhir.Value {
	var list []fhir.Value
	for v := range p.root.Get("parameter").Items() {
		if v.Get("name").Str() == name {
			list = append(list, v)
		}
	}
	return list
}

// get returns the first parameter of a name, absent if there is none.
func (p parameters) get(name string) fhir.Value {
	if list := p.all(name); len(list) > 0 {
		return list[0]
	}
	return fhir.Value{}
}

// text returns a parameter's simple value as text, from the resource or else
// from the address.
func (p parameters) text(name string) string {
	if s := simple(p.get(name)); s != "" {
		return s
	}
	return p.query.Get(name)
}

// names lists the parameters that are given, each once.
func (p parameters) names() []string {
	seen := map[string]bool{}
	for name := range p.query {
		seen[name] = true
	}
	for v := range p.root.Get("parameter").Items() {
		seen[v.Get("name").Str()] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// texts returns all values of a parameter as text, from the resource and from
// the address.
func (p parameters) texts(name string) []string {
	list := slices.Clone(p.query[name])
	for _, v := range p.all(name) {
		if s := simple(v); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// simple returns the value of a parameter as text, that of a Reference as it
// stands; "" for other complex values.
func simple(parameter fhir.Value) string {
	for member, v := range parameter.Members() {
		if strings.HasPrefix(member, "value") {
			if ref := v.Get("reference"); ref.Exists() {
				return ref.Str()
			}
			return v.Text()
		}
	}
	return ""
}

// flag reads a boolean parameter, false where it is not given.
func (p parameters) flag(name string) (bool, error) {
	switch p.text(name) {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	}
	return false, fault.Newf(fault.Invalid, "%s is true or false", name)
}
