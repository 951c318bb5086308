package terminology

import (
	"context"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

var (
	validateSystemParameters = []string{"url", "code", "version", "display", "coding", "codeableConcept", "abstract", "displayLanguage"}
	validateSetParameters    = []string{
		"url", "valueSet", "valueSetVersion", "code", "system", "systemVersion", "display", "coding", "codeableConcept", "abstract",
		"displayLanguage", "system-version", "force-system-version",
	}
)

// ValidateInSystem answers CodeSystem/$validate-code
// (https://hl7.org/fhir/R4/codesystem-operation-validate-code.html). instance
// is the stored CodeSystem of a call on one, else nil.
func (s *Server) ValidateInSystem(ctx context.Context, query string, body, instance []byte) ([]byte, error) {
	in, err := ReadInput(query, body, validateSystemParameters)
	if err != nil {
		return nil, err
	}
	list, err := in.codings("url", "version")
	if err != nil {
		return nil, err
	}
	p, err := in.once("url", "version")
	if err != nil {
		return nil, err
	}
	if instance != nil {
		doc, err := fhir.Parse(instance)
		if err != nil {
			return nil, err
		}
		p["url"], p["version"] = doc.Root().Get("url").Str(), doc.Root().Get("version").Str()
	}
	r := resolver{store: s.store}
	return s.validate(ctx, in, list, func(c Coding) (*Set, error) {
		url, version := p["url"], p["version"]
		if url == "" {
			url = c.System
		}
		if version == "" {
			version = c.Version
		}
		if url == "" {
			return nil, fault.New(fault.Invalid, "say which code system: its url", nil)
		}
		sys, err := r.system(ctx, url, version)
		if err != nil {
			return nil, notFound(err)
		}
		if sys == nil {
			return nil, unknownSystem(url)
		}
		return r.whole(sys, url), nil
	}, "the code system")
}

// ValidateInSet answers ValueSet/$validate-code
// (https://hl7.org/fhir/R4/valueset-operation-validate-code.html).
func (s *Server) ValidateInSet(ctx context.Context, query string, body, instance []byte) ([]byte, error) {
	in, err := ReadInput(query, body, validateSetParameters)
	if err != nil {
		return nil, err
	}
	list, err := in.codings("system", "systemVersion")
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if c.System == "" && !in.values["codeableConcept"].Exists() {
			return nil, fault.New(fault.Invalid, "a code means nothing without its system", nil).In("system")
		}
		if c.Version == "" {
			continue
		}
		// Where the set leaves the version open, it is the one of the data.
		systems, err := s.store.Systems(ctx, c.System)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(systems, func(x System) bool { return x.Version == c.Version }) {
			in.texts["system-version"] = append([]string{c.System + "|" + c.Version}, in.texts["system-version"]...)
		}
	}
	set, _, err := s.asked(ctx, in, instance)
	if err != nil {
		return nil, err
	}
	return s.validate(ctx, in, list, func(Coding) (*Set, error) { return set, nil }, "the value set")
}

// codings reads what is to be checked: code, coding or codeableConcept.
func (in *Input) codings(systemName, versionName string) ([]Coding, error) {
	display, err := in.text("display")
	if err != nil {
		return nil, err
	}
	if v := in.values["codeableConcept"]; v.Exists() {
		var list []Coding
		for x := range v.Get("coding").Items() {
			list = append(list, codingOf(x))
		}
		if len(list) == 0 {
			return nil, fault.New(fault.Invalid, "the codeableConcept has no coding", nil).In("codeableConcept")
		}
		return list, nil
	}
	c, err := in.code(systemName, versionName)
	if err != nil {
		return nil, err
	}
	if c.Code == "" {
		return nil, fault.New(fault.Invalid, "say which code: code, coding or codeableConcept", nil)
	}
	if display != "" {
		c.Display = display
	}
	return []Coding{c}, nil
}

// validate answers whether one of the codings is in the set that is meant for it.
func (s *Server) validate(ctx context.Context, in *Input, list []Coding, setFor func(Coding) (*Set, error), what string) ([]byte, error) {
	language, err := in.text("displayLanguage")
	if err != nil {
		return nil, err
	}
	abstract, given, err := in.flag("abstract")
	if err != nil {
		return nil, err
	}
	var reasons []string
	var shown string
	for _, c := range list {
		set, err := setFor(c)
		if err != nil {
			return nil, err
		}
		system := c.System
		switch {
		case what == "the code system":
			system = set.URL
			if c.System != "" && c.System != system {
				reasons = append(reasons, "the coding is of another system than "+set.URL)
				continue
			}
		case system == "":
			reasons = append(reasons, "the code "+c.Code+" means nothing without its system")
			continue
		}
		found, err := s.store.Select(ctx, set, Want{System: system, Code: c.Code, Count: 1})
		switch {
		case err != nil:
			return nil, err
		case len(found) == 0:
			reasons = append(reasons, "the code "+c.Code+" is not in "+what+" "+set.URL)
			continue
		case c.Version != "" && found[0].Version != "" && c.Version != found[0].Version:
			reasons = append(reasons, "the code "+c.Code+" is in "+what+" of version "+found[0].Version+" of its system, not "+c.Version)
			continue
		case found[0].Abstract && given && !abstract:
			reasons = append(reasons, "the code "+c.Code+" is abstract: it groups others")
			continue
		}
		display := found[0].In(Languages(language))
		if c.Display != "" && !found[0].Names(c.Display) {
			reasons, shown = append(reasons, "the code "+c.Code+" is in "+what+", but its display is "+display), display
			continue
		}
		var o out
		o.add("result", "Boolean", "true")
		if found[0].Inactive {
			o.add("message", "String", "the code "+c.Code+" is no longer in use")
		}
		if display != "" {
			o.add("display", "String", display)
		}
		return o.bytes(), nil
	}
	var o out
	o.add("result", "Boolean", "false")
	o.add("message", "String", strings.Join(reasons, "; "))
	if shown != "" {
		o.add("display", "String", shown)
	}
	return o.bytes(), nil
}
