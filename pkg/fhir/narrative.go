package fhir

import "strings"

// What a narrative may hold: the formatting elements of HTML 4 chapters 7 to 11
// and 15, links and images, and nothing that runs, loads or submits
// (https://hl7.org/fhir/R4/narrative.html#rules).
const (
	narrativeElements = " a abbr acronym address area b bdo big blockquote br caption center cite code col colgroup dd del dfn div dl dt em font" +
		" h1 h2 h3 h4 h5 h6 hr i img ins kbd li map ol p pre q s samp small span strike strong sub sup table tbody td tfoot th thead tr tt u ul var "
	narrativeAttributes = " abbr align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff charset cite class clear color" +
		" colspan compact coords datetime dir face frame headers height href hreflang hspace id lang longdesc name noshade nowrap rel rev rowspan rules scope" +
		" shape size span src start style summary tabindex target title type usemap valign value vspace width xml:lang xml:space xmlns "
)

// narrative is txt-1: one div, well formed, of allowed elements and attributes.
func narrative(s string) bool {
	if s = strings.TrimSpace(s); !strings.HasPrefix(s, "<div") {
		return false
	}
	var open []string
	for s != "" {
		text, rest, tag := strings.Cut(s, "<")
		if len(open) == 0 && text != "" {
			return false
		}
		if !tag {
			return len(open) == 0 && text == ""
		}
		if comment, ok := strings.CutPrefix(rest, "!--"); ok {
			_, after, closed := strings.Cut(comment, "-->")
			if !closed {
				return false
			}
			s = after
			continue
		}
		if name, ok := strings.CutPrefix(rest, "/"); ok {
			name, after, closed := strings.Cut(name, ">")
			if !closed || len(open) == 0 || strings.TrimSpace(name) != open[len(open)-1] {
				return false
			}
			open, s = open[:len(open)-1], after
			if len(open) == 0 {
				return s == ""
			}
			continue
		}
		name, after, alone, ok := startTag(rest)
		if !ok {
			return false
		}
		if s = after; !alone {
			open = append(open, name)
		}
	}
	return false
}

// startTag reads what follows a "<" up to its ">"; alone tells "/>".
func startTag(s string) (name, rest string, alone, ok bool) {
	end := strings.IndexAny(s, " \t\r\n/>")
	if end <= 0 || !strings.Contains(narrativeElements, " "+s[:end]+" ") {
		return "", "", false, false
	}
	name, s = s[:end], s[end:]
	for {
		s = strings.TrimLeft(s, " \t\r\n")
		if rest, found := strings.CutPrefix(s, "/>"); found {
			return name, rest, true, true
		}
		if rest, found := strings.CutPrefix(s, ">"); found {
			return name, rest, false, true
		}
		attribute, after, found := strings.Cut(s, "=")
		attribute = strings.TrimSpace(attribute)
		after = strings.TrimLeft(after, " \t\r\n")
		if !found || after == "" || after[0] != '"' && after[0] != '\'' || !strings.Contains(narrativeAttributes, " "+attribute+" ") {
			return "", "", false, false
		}
		value, after, found := strings.Cut(after[1:], after[:1])
		if !found || strings.Contains(value, "<") || runs(attribute, value) {
			return "", "", false, false
		}
		s = after
	}
}

// runs reports whether an address would run a script.
func runs(attribute, value string) bool {
	return (attribute == "href" || attribute == "src") && strings.HasPrefix(strings.ToLower(strings.TrimSpace(value)), "javascript:")
}

// contentful is txt-2: there is a character other than blanks, or an image.
func contentful(s string) bool {
	for s != "" {
		text, rest, _ := strings.Cut(s, "<")
		if strings.TrimSpace(strings.ReplaceAll(text, "&nbsp;", "")) != "" {
			return true
		}
		if strings.HasPrefix(rest, "img") {
			return true
		}
		_, s, _ = strings.Cut(rest, ">")
	}
	return false
}
