package record

import "strings"

// URN reports whether a URI has no path, so that :above and :below mean the
// URI itself (https://hl7.org/fhir/R4/search.html#uri).
func URN(uri string) bool { return len(uri) > 4 && strings.EqualFold(uri[:4], "urn:") }

// Above lists a URL and those whose path it is below.
func Above(url string) []string {
	out := []string{url}
	if URN(url) {
		return out
	}
	begun := strings.Index(url, "://") + 3
	for i := len(url) - 1; i >= begun && begun >= 3; i-- {
		if url[i] != '/' {
			continue
		}
		if i+1 < len(url) {
			out = append(out, url[:i+1])
		}
		out = append(out, url[:i])
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

// Coding is a code of a system.
type Coding struct{ System, Code string }
