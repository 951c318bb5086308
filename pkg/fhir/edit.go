package fhir

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Edits collects replacements of byte ranges of one value. What no edit
// touches stays byte for byte.
type Edits struct {
	of   Value
	list []edit
}

type edit struct {
	start, end int32
	text       string
}

// Edit begins editing v.
func Edit(v Value) *Edits { return &Edits{of: v} }

// Replace puts text, which is JSON, in the place of v.
func (e *Edits) Replace(v Value, text string) {
	n := v.node()
	e.list = append(e.list, edit{n.start, n.end, text})
}

// Insert puts text, which is JSON with its own comma, after v.
func (e *Edits) Insert(after Value, text string) {
	n := after.node()
	e.list = append(e.list, edit{n.end, n.end, text})
}

// Put sets the named member of an object to text, which is JSON. A new
// member comes first in the object.
func (e *Edits) Put(object Value, name, text string) {
	if old := object.Get(name); old.Exists() {
		e.Replace(old, text)
		return
	}
	n := object.node()
	member := `"` + name + `":` + text
	if n.child != 0 {
		member += ","
	}
	e.list = append(e.list, edit{n.start + 1, n.start + 1, member})
}

// Bytes returns the edited value.
func (e *Edits) Bytes() []byte {
	n := e.of.node()
	src := e.of.d.src
	slices.SortStableFunc(e.list, func(a, b edit) int { return int(a.start) - int(b.start) })
	size := int(n.end - n.start)
	for _, x := range e.list {
		size += len(x.text)
	}
	out := make([]byte, 0, size)
	at := n.start
	for _, x := range e.list {
		out = append(out, src[at:x.start]...)
		out = append(out, x.text...)
		at = x.end
	}
	return append(out, src[at:n.end]...)
}

// InstantLayout is how the server writes instants: UTC with milliseconds.
const InstantLayout = "2006-01-02T15:04:05.000Z"

// Instant writes a time as the server writes instants.
func Instant(t time.Time) string { return t.UTC().Format(InstantLayout) }

// Stamp sets id, meta.versionId and meta.lastUpdated of a resource
// (https://hl7.org/fhir/R4/resource.html#Meta). Everything else stays.
func (e *Edits) Stamp(resource Value, id string, version int64, at time.Time) {
	versionID := `"` + strconv.FormatInt(version, 10) + `"`
	updated := `"` + at.UTC().Format(InstantLayout) + `"`
	var fresh strings.Builder
	if old := resource.Get("id"); old.Exists() {
		e.Replace(old, `"`+id+`"`)
	} else {
		fresh.WriteString(`,"id":"` + id + `"`)
	}
	if meta := resource.Get("meta"); meta.Kind() == Object {
		e.Put(meta, "versionId", versionID)
		e.Put(meta, "lastUpdated", updated)
	} else {
		text := `{"versionId":` + versionID + `,"lastUpdated":` + updated + `}`
		if meta.Exists() {
			e.Replace(meta, text)
		} else {
			fresh.WriteString(`,"meta":` + text)
		}
	}
	if fresh.Len() > 0 {
		e.Insert(resource.Get("resourceType"), fresh.String())
	}
}

// Quote returns s as a JSON string, without escaping HTML.
func Quote(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c < 0x20:
			const hex = "0123456789abcdef"
			b.WriteString(`\u00`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
