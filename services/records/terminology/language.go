package terminology

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Languages reads displayLanguage: one tag, or several as in Accept-Language.
func Languages(s string) []string {
	var list []string
	for part := range strings.SplitSeq(s, ",") {
		tag, _, _ := strings.Cut(part, ";")
		if tag = strings.TrimSpace(tag); tag != "" && tag != "*" {
			list = append(list, tag)
		}
	}
	return list
}

// speaks reports whether have ("vi-VN") serves who asked for want ("vi"), or
// the other way round.
func speaks(have, want string) bool {
	if have == "" {
		return false
	}
	h, _, _ := strings.Cut(strings.ToLower(have), "-")
	w, region, _ := strings.Cut(strings.ToLower(want), "-")
	return h == w && (region == "" || !strings.Contains(have, "-") || strings.EqualFold(have, want))
}

func sameName(a, b string) bool { return plainName(a) == plainName(b) }

func plainName(s string) string {
	return strings.ToLower(strings.Join(strings.Fields(norm.NFC.String(s)), " "))
}
