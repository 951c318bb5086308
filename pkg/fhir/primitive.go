package fhir

import (
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
)

// primitive reports whether a type is written as a bare JSON value.
func primitive(typ string) bool {
	if typ == "" || strings.Contains(typ, ".") {
		return false
	}
	return typ[0] >= 'a' && typ[0] <= 'z' || typ == "String"
}

// maxString is the length of a string
// (https://hl7.org/fhir/R4/datatypes.html#string).
const maxString = 1 << 20

// primitive checks the form of a bare value
// (https://hl7.org/fhir/R4/datatypes.html#primitive) and its code.
func (c *checker) primitive(v Value, m member) {
	want := String
	switch m.typ {
	case "boolean":
		want = Bool
	case "integer", "positiveInt", "unsignedInt", "decimal":
		want = Number
	}
	if v.Kind() != want {
		c.fail(v, "structure", "the JSON kind does not fit "+m.typ)
		return
	}
	switch want {
	case Number:
		if message := numeric(string(v.Raw()), m.typ); message != "" {
			c.fail(v, "value", message)
		}
		return
	case Bool:
		return
	default: // a string
	}
	n := v.node()
	text := v.d.src[n.start+1 : n.end-1]
	if n.escaped {
		text = []byte(v.Str())
	}
	if message := form(text, m.typ, n.escaped); message != "" {
		c.fail(v, "value", message)
		return
	}
	if m.element.codes != nil && !m.element.codes.has(text) {
		c.fail(v, "code-invalid", "the code is not in the required value set "+m.element.codes.url)
	}
	if text[0] == '#' {
		switch m.typ {
		case "canonical", "uri", "url":
			c.local = append(c.local, local{Value: v})
		}
	}
}

// form says what is wrong with the characters of a value.
func form(text []byte, typ string, escaped bool) string {
	if len(text) == 0 {
		return "a string must not be empty"
	}
	switch typ {
	case "string", "markdown", "xhtml", "String":
		switch {
		case len(text) > maxString:
			return "a string has at most 1 MB"
		case escaped && controls(text):
			return "of the control characters only tab, line feed and carriage return are allowed"
		case blank(text[0]) && len(strings.TrimSpace(string(text))) == 0:
			return "a string must not be blank"
		}
	case "code":
		return codeForm(text)
	case "date", "dateTime", "instant":
		return temporal(string(text), typ)
	case "time":
		return clockForm(string(text))
	case "id":
		if !ValidID(string(text)) {
			return "an id has 1 to 64 letters, digits, hyphens and dots"
		}
	case "uri", "url", "canonical", "oid", "uuid":
		return uriForm(text, typ)
	case "base64Binary":
		return base64Form(text)
	}
	return ""
}

func controls(text []byte) bool {
	for _, b := range text {
		if b < ' ' && b != '\t' && b != '\n' && b != '\r' {
			return true
		}
	}
	return false
}

func blank(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// codeForm is [^\s]+(\s[^\s]+)*.
func codeForm(text []byte) string {
	last := true
	for _, b := range text {
		now := blank(b)
		if now && last {
			return "a code has no blanks at its ends, and single ones within"
		}
		last = now
	}
	if last {
		return "a code has no blanks at its ends, and single ones within"
	}
	return ""
}

func uriForm(text []byte, typ string) string {
	for _, b := range text {
		if b <= ' ' {
			return "a URI has no blanks"
		}
	}
	switch typ {
	case "oid":
		if !oidForm(string(text)) {
			return "an OID is written urn:oid:1.2.3"
		}
	case "uuid":
		if !uuidForm(string(text)) {
			return "a UUID is written urn:uuid: and 32 hexadecimal digits in lower case, as in urn:uuid:c757873d-ec9a-4326-a141-556f43239520"
		}
	}
	return ""
}

// oidForm is urn:oid:[0-2](\.(0|[1-9][0-9]*))+.
func oidForm(s string) bool {
	s, ok := strings.CutPrefix(s, "urn:oid:")
	root, rest, more := strings.Cut(s, ".")
	if !ok || !more || root != "0" && root != "1" && root != "2" {
		return false
	}
	for part := range strings.SplitSeq(rest, ".") {
		if part == "" || part[0] == '0' && part != "0" || strings.Trim(part, "0123456789") != "" {
			return false
		}
	}
	return true
}

func uuidForm(s string) bool {
	s, ok := strings.CutPrefix(s, "urn:uuid:")
	if !ok || len(s) != 36 {
		return false
	}
	for i := range len(s) {
		b := s[i]
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (b == '-') || !dash && (b < '0' || b > '9') && (b < 'a' || b > 'f') {
			return false
		}
	}
	return true
}

// base64Form asks for whole groups of four, padded at the end (RFC 4648
// section 4); blanks between them are allowed.
func base64Form(text []byte) string {
	const wrong = "base64 is expected, in groups of four characters"
	n, pad := 0, 0
	for _, b := range text {
		switch {
		case blank(b):
		case b == '=':
			pad++
			n++
		case pad > 0, (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '+' && b != '/':
			return wrong
		default:
			n++
		}
	}
	if n == 0 || n%4 != 0 || pad > 2 {
		return wrong
	}
	return ""
}

func numeric(raw, typ string) string {
	if typ == "decimal" {
		return ""
	}
	if strings.ContainsAny(raw, ".eE") || raw == "-0" {
		return "a whole number is expected"
	}
	n, err := strconv.ParseInt(raw, 10, 32)
	switch {
	case raw[0] == '-' && typ != "integer", raw == "0" && typ == "positiveInt":
		return "the number is too small for " + typ
	case err != nil:
		return "the number has more than 32 bits"
	case n < 0 && typ != "integer":
		return "the number is too small for " + typ
	}
	return ""
}

func temporal(s, typ string) string {
	if _, _, err := TimeRange(s, time.UTC); err != nil {
		return fault.Of(err).Message
	}
	clock := strings.IndexByte(s, 'T')
	switch {
	case typ == "date" && clock >= 0:
		return "a date has no time of day"
	case typ == "instant" && clock < 0:
		return "an instant has a time of day and a zone"
	case clock < 0:
		return ""
	case !strings.ContainsAny(s[clock:], "Z+-"):
		return "a time of day needs its time zone"
	case len(s) < clock+9 || s[clock+6] != ':':
		return "a time of day needs its seconds"
	}
	// The widest zone is 14:00 exactly.
	if i := strings.LastIndexAny(s, "+-"); i > clock && s[i+1:i+3] == "14" && s[i+4:] != "00" {
		return "a time zone is at most 14 hours from UTC"
	}
	return ""
}

// clockForm is ([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?.
func clockForm(s string) string {
	const wrong = "a time such as 08:30:00 is expected"
	if len(s) < 8 || strings.ContainsAny(s, "Z+-") {
		return wrong
	}
	if _, _, err := TimeRange("2000-01-01T"+s, time.UTC); err != nil || s[5] != ':' {
		return wrong
	}
	return ""
}

// ValidID reports whether s has the form of a logical id
// (https://hl7.org/fhir/R4/datatypes.html#id).
func ValidID(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}
