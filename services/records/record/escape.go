package record

import "strings"

// unescapedSplit splits at sep unless a backslash stands before it
// (https://hl7.org/fhir/R4/search.html#escaping).
func unescapedSplit(s string, sep byte) []string {
	var parts []string
	begun := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			parts = append(parts, s[begun:i])
			begun = i + 1
		}
	}
	return append(parts, s[begun:])
}

func unescapeValue(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
