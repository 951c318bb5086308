// Package vitext compares Vietnamese text: people type names without tone
// marks, in either Unicode form, with đ as d.
package vitext

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Fold returns s in lower case, without tone and vowel marks, with single
// blanks and without blanks at the ends: "Nguyễn  Thị HOÀ" is "nguyen thi hoa".
func Fold(s string) string {
	if ascii(s) {
		return strings.Join(strings.Fields(strings.ToLower(s)), " ")
	}
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range norm.NFD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == 'đ' || r == 'Đ':
			space = write(&b, 'd', space)
		case unicode.IsSpace(r):
			space = true
		default:
			space = write(&b, unicode.ToLower(r), space)
		}
	}
	return b.String()
}

func write(b *strings.Builder, r rune, space bool) bool {
	if space && b.Len() > 0 {
		b.WriteByte(' ')
	}
	b.WriteRune(r)
	return false
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
