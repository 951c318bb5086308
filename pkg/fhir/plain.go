package fhir

import (
	"html"
	"strings"
)

// Plain returns what a reader sees of a narrative: its text without markup. A
// tag parts words, since most stand for a cell, a line or a paragraph.
func Plain(div string) string {
	var b strings.Builder
	for {
		text, rest, tag := strings.Cut(div, "<")
		b.WriteString(text)
		if !tag {
			return html.UnescapeString(b.String())
		}
		b.WriteByte(' ')
		div = afterTag(rest)
	}
}

// afterTag returns what follows the tag or comment whose "<" was read; a ">"
// between quotes does not end it.
func afterTag(s string) string {
	if comment, ok := strings.CutPrefix(s, "!--"); ok {
		_, rest, _ := strings.Cut(comment, "-->")
		return rest
	}
	for {
		i := strings.IndexAny(s, `>"'`)
		if i < 0 {
			return ""
		}
		quote, rest := s[i], s[i+1:]
		if quote == '>' {
			return rest
		}
		_, s, _ = strings.Cut(rest, string(quote))
	}
}
