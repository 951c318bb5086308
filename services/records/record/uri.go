package record

import (
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fhir"
)

// Above lists a URI and those whose path it is below. A URN has no path, so
// that it is below nothing (https://hl7.org/fhir/R4/search.html#uri).
func Above(uri string) []string {
	out := []string{uri}
	for i := len(uri) - 1; i > 0; i-- {
		if uri[i] != '/' || uri[i-1] == '/' || uri[i-1] == ':' {
			continue
		}
		if i+1 < len(uri) {
			out = append(out, uri[:i+1])
		}
		out = append(out, uri[:i])
	}
	return out
}

// Lines lists a canonical with those of a shorter version: url|1.2.3 is of
// the lines url|1.2 and url|1.
func Lines(canonical string) []string {
	out := []string{canonical}
	url, version, _ := strings.Cut(canonical, "|")
	for i := len(version) - 1; i > 0; i-- {
		if version[i] == '.' {
			out = append(out, url+"|"+version[:i])
		}
	}
	return out
}

// Versions reports whether a value of the filter, a canonical without a
// version, stands for every version of it
// (https://hl7.org/fhir/R4/references.html#canonical).
func (f *Filter) Versions(v *Value) bool {
	return !strings.Contains(v.Text, "|") && slices.ContainsFunc(f.Param.Paths, func(p fhir.Path) bool { return p.Type == "canonical" })
}

// Coding is a code of a system.
type Coding struct{ System, Code string }
