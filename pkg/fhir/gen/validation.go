package main

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
)

// rules are what validation needs beside the elements: invariants, required
// bindings and the types a reference may point at.
type rules struct{ invariants, bindings, targets []string }

// inherited invariants stand in every snapshot; they are written once, at the
// type that defines them.
var inherited = map[string]string{
	"ele-1": "Element", "ext-1": "Extension",
	"dom-2": "DomainResource", "dom-3": "DomainResource", "dom-4": "DomainResource", "dom-5": "DomainResource", "dom-6": "DomainResource",
}

// add notes the rules of one type.
func (r *rules) add(s structure) {
	for _, e := range s.Snapshot.Element {
		for _, c := range e.Constraint {
			if home, ok := inherited[c.Key]; ok && home != e.Path || c.Expression == "" {
				continue
			}
			r.invariants = append(r.invariants, strings.Join([]string{e.Path, c.Key, c.Severity, c.Expression, line(c.Human)}, "\t"))
		}
		if e.Binding.Strength == "required" {
			url, _, _ := strings.Cut(e.Binding.ValueSet, "|")
			r.bindings = append(r.bindings, e.Path+"\t"+url)
		}
		for _, t := range e.Type {
			if t.Code != "Reference" || len(t.TargetProfile) == 0 {
				continue
			}
			var types []string
			for _, p := range t.TargetProfile {
				types = append(types, strings.TrimPrefix(p, "http://hl7.org/fhir/StructureDefinition/"))
			}
			if !slices.Contains(types, "Resource") {
				slices.Sort(types)
				r.targets = append(r.targets, e.Path+"\t"+strings.Join(slices.Compact(types), ","))
			}
		}
	}
}

// line keeps a text on one line of a table.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

func (r *rules) write(from, out string) error {
	codes, err := expand(from, r.bindings)
	if err != nil {
		return err
	}
	for _, list := range []*[]string{&r.invariants, &r.bindings, &r.targets} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return errors.Join(
		write(filepath.Join(out, "invariants.tsv"), r.invariants),
		write(filepath.Join(out, "bindings.tsv"), r.bindings),
		write(filepath.Join(out, "references.tsv"), r.targets),
		write(filepath.Join(out, "codes.tsv"), codes))
}

type concept struct {
	Code    string    `json:"code"`
	Concept []concept `json:"concept"`
}

func (c concept) codes() []string {
	list := []string{c.Code}
	for _, child := range c.Concept {
		list = append(list, child.codes()...)
	}
	return list
}

type terminology struct {
	ResourceType string    `json:"resourceType"`
	URL          string    `json:"url"`
	Concept      []concept `json:"concept"`
	Compose      struct {
		Include []struct {
			System   string            `json:"system"`
			Concept  []concept         `json:"concept"`
			Filter   []json.RawMessage `json:"filter"`
			ValueSet []string          `json:"valueSet"`
		} `json:"include"`
		Exclude []json.RawMessage `json:"exclude"`
	} `json:"compose"`
}

// expand writes one line for each value set and system of the bindings: value
// set, system, codes. A value set that cannot be expanded from the package,
// such as all media types or all of UCUM, gets no line and is checked in form
// only.
func expand(from string, bindings []string) ([]string, error) {
	all := map[string]terminology{}
	for _, file := range []string{"valuesets.json", "v3-codesystems.json", "v2-tables.json", "valuesets-medplum-generated.json"} {
		var b bundle
		if err := read(filepath.Join(from, file), &b); err != nil {
			return nil, err
		}
		for _, e := range b.Entry {
			var t terminology
			if err := json.Unmarshal(e.Resource, &t); err != nil {
				return nil, err
			}
			if _, twice := all[t.ResourceType+" "+t.URL]; !twice {
				all[t.ResourceType+" "+t.URL] = t
			}
		}
	}
	var lines []string
	for _, b := range bindings {
		_, url, _ := strings.Cut(b, "\t")
		lines = append(lines, all["ValueSet "+url].expansion(url, all)...)
	}
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

func (t terminology) expansion(url string, all map[string]terminology) []string {
	var lines []string
	if len(t.Compose.Exclude) > 0 {
		return nil
	}
	for _, i := range t.Compose.Include {
		list := i.Concept
		if len(list) == 0 {
			list = all["CodeSystem "+i.System].Concept
		}
		if len(list) == 0 || len(i.Filter) > 0 || len(i.ValueSet) > 0 {
			return nil
		}
		codes := concept{Concept: list}.codes()[1:]
		slices.Sort(codes)
		lines = append(lines, url+"\t"+i.System+"\t"+strings.Join(slices.Compact(codes), "\t"))
	}
	return lines
}
