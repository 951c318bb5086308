package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
)

// flags writes one line for each owner that has elements of a summary or
// elements that modify the meaning of others: owner, the first, the second
// (https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.isSummary).
func flags(from, out string) error {
	summary, modifier := map[string][]string{}, map[string][]string{}
	for _, file := range []string{"profiles-types.json", "profiles-resources.json"} {
		var b bundle
		if err := read(filepath.Join(from, file), &b); err != nil {
			return err
		}
		for _, e := range b.Entry {
			var head struct{ ResourceType string }
			if err := json.Unmarshal(e.Resource, &head); err != nil {
				return err
			}
			if head.ResourceType != "StructureDefinition" {
				continue
			}
			var s struct {
				ID, Kind, Type, Derivation string
				Snapshot                   struct {
					Element []struct {
						Path                  string
						IsSummary, IsModifier bool
					}
				}
			}
			if err := json.Unmarshal(e.Resource, &s); err != nil {
				return err
			}
			if s.Kind == "logical" || s.Derivation == "constraint" && s.ID != s.Type || slices.Contains(later, s.ID) {
				continue
			}
			for _, x := range s.Snapshot.Element {
				dot := strings.LastIndexByte(x.Path, '.')
				if dot < 0 {
					continue
				}
				owner, name := x.Path[:dot], x.Path[dot+1:]
				if x.IsSummary {
					summary[owner] = append(summary[owner], name)
				}
				if x.IsModifier {
					modifier[owner] = append(modifier[owner], name)
				}
			}
		}
	}
	var lines []string
	for owner, names := range summary {
		lines = append(lines, strings.Join([]string{owner, strings.Join(names, ","), strings.Join(modifier[owner], ",")}, "\t"))
	}
	for owner, names := range modifier {
		if summary[owner] == nil {
			lines = append(lines, strings.Join([]string{owner, "", strings.Join(names, ",")}, "\t"))
		}
	}
	slices.Sort(lines)
	return write(filepath.Join(out, "summary.tsv"), lines)
}
