package terminology

import (
	"context"
	"slices"

	"github.com/yba-health/yba/pkg/fault"
)

var lookupParameters = []string{"code", "system", "version", "coding", "displayLanguage", "property"}

// Lookup answers CodeSystem/$lookup (https://hl7.org/fhir/R4/codesystem-operation-lookup.html).
// Without property all that is known is told.
func (s *Server) Lookup(ctx context.Context, query string, body []byte) ([]byte, error) {
	in, err := ReadInput(query, body, lookupParameters)
	if err != nil {
		return nil, err
	}
	c, err := in.code("system", "version")
	if err != nil {
		return nil, err
	}
	language, err := in.text("displayLanguage")
	if err != nil {
		return nil, err
	}
	if c.System == "" || c.Code == "" {
		return nil, fault.New(fault.Invalid, "say which code: code and system, or coding", nil)
	}
	r := resolver{store: s.store}
	sys, err := r.system(ctx, c.System, c.Version)
	if err != nil {
		return nil, notFound(err)
	}
	if sys == nil {
		return nil, unknownSystem(c.System)
	}
	found, err := s.store.Concept(ctx, sys, c.Code)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fault.Newf(fault.NotFound, "the code system %s (version %s) has no such code", sys.URL, sys.Version)
	}
	children, err := s.store.Children(ctx, sys, found.Code)
	if err != nil {
		return nil, err
	}
	return described(sys, found, children, Languages(language), in.texts["property"]), nil
}

// notFound makes a version that is not loaded what the operation calls it.
func notFound(err error) error {
	if f := fault.Of(err); f.Class == fault.Unprocessable {
		return fault.New(fault.NotFound, f.Message, err)
	}
	return err
}

func described(sys *System, c *Concept, children, languages, asked []string) []byte {
	wants := func(name string) bool {
		return len(asked) == 0 || slices.Contains(asked, name) || slices.Contains(asked, "*")
	}
	var o out
	name := sys.Name
	if name == "" {
		name = sys.URL
	}
	o.add("name", "String", name)
	if sys.Version != "" {
		o.add("version", "String", sys.Version)
	}
	e := Entry{Display: c.Display, Designations: c.Designations, Language: sys.Language}
	display := e.In(languages)
	if display == "" {
		display = c.Code // display is required
	}
	o.add("display", "String", display)
	if wants("designation") {
		for _, d := range c.Designations {
			var parts out
			if d.Language != "" {
				parts.add("language", "Code", d.Language)
			}
			if d.Use != nil {
				parts.coding("use", *d.Use)
			}
			parts.add("value", "String", d.Value)
			o.part("designation", &parts)
		}
	}
	property := func(p Property) {
		if !wants(p.Code) {
			return
		}
		var parts out
		parts.add("code", "Code", p.Code)
		if p.Type == "Coding" {
			parts.coding("value", Coding{System: p.System, Code: p.Value, Display: p.Display})
		} else {
			parts.add("value", p.Type, p.Value)
		}
		o.part("property", &parts)
	}
	if c.Definition != "" {
		property(Property{Code: "definition", Type: "String", Value: c.Definition})
	}
	told := map[string]bool{}
	for _, p := range c.Properties {
		told[p.Code+"\n"+p.Value] = true
		property(p)
	}
	if !told["inactive\ntrue"] && !told["inactive\nfalse"] {
		property(Property{Code: "inactive", Type: "Boolean", Value: map[bool]string{true: "true", false: "false"}[c.Inactive]})
	}
	for _, p := range c.Parents {
		if !told["parent\n"+p] {
			property(Property{Code: "parent", Type: "Code", Value: p})
		}
	}
	for _, child := range children {
		if !told["child\n"+child] {
			property(Property{Code: "child", Type: "Code", Value: child})
		}
	}
	return o.bytes()
}

// code reads code with its system, or coding.
func (in *Input) code(systemName, versionName string) (Coding, error) {
	if v := in.values["coding"]; v.Exists() {
		c := codingOf(v)
		if c.Code == "" {
			return c, fault.New(fault.Invalid, "the coding has no code", nil).In("coding")
		}
		return c, nil
	}
	p, err := in.once("code", systemName, versionName)
	return Coding{System: p[systemName], Version: p[versionName], Code: p["code"]}, err
}
