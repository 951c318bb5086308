package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
)

// Inline bounds the text of a value that stays in the body, in bytes. Longer
// ones are kept apart, so that rows stay small.
const Inline = 64 << 10

// Splice is a value that is kept apart from the body it belongs to.
type Splice struct {
	// At is where in the body, which has an empty string there, the text belongs.
	At int
	// Size is how many bytes are kept.
	Size int64
	// Text tells that the text itself is kept: base64 with blanks or line
	// breaks would not come back as it was sent.
	Text bool
	// Digest is the SHA-256 of what is kept.
	Digest [sha256.Size]byte
}

// Len is the length of the text in the whole resource.
func (s Splice) Len() int64 {
	if s.Text {
		return s.Size
	}
	return (s.Size + 2) / 3 * 4
}

// Append appends the text of a value.
func (s Splice) Append(dst, value []byte) []byte {
	if s.Text {
		return append(dst, value...)
	}
	return base64.StdEncoding.AppendEncode(dst, value)
}

// Split takes the large values out of a resource. rest has an empty string in
// the place of each; values are what is to be kept. A resource without any is
// returned as it is.
func Split(body []byte) (rest []byte, list []Splice, values [][]byte) {
	if len(body) <= Inline {
		return body, nil, nil
	}
	from, name := 0, []byte(nil)
	for i := 0; ; {
		start := bytes.IndexByte(body[i:], '"')
		if start < 0 {
			break
		}
		start += i + 1
		end := closing(body, start)
		if end < 0 {
			break
		}
		text := body[start:end]
		if len(text) > Inline && large(name) && member(body[i:start-1]) {
			rest = append(rest, body[from:start]...)
			s, value := splice(text)
			s.At = len(rest)
			list, values = append(list, s), append(values, value)
			from = end
		}
		name, i = text, end+1
	}
	if list == nil {
		return body, nil, nil
	}
	return append(rest, body[from:]...), list, values
}

// closing returns where the string that begins at start ends.
func closing(body []byte, start int) int {
	for i := start; ; {
		n := bytes.IndexByte(body[i:], '"')
		if n < 0 {
			return -1
		}
		end := i + n
		escapes := 0
		for end-1-escapes >= i && body[end-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return end
		}
		i = end + 1
	}
}

// member reports whether only the colon of a member stands between two strings.
func member(between []byte) bool { return string(bytes.TrimSpace(between)) == ":" }

// large reports whether the members of a name may be kept apart: those of type
// base64Binary, none of which any search parameter reads
// (https://hl7.org/fhir/R4/datatypes.html#base64Binary), and with them
// SampledData.data.
func large(name []byte) bool {
	switch string(name) {
	case "data", "query", "hash", "carrierAIDC":
		return true
	}
	return strings.HasSuffix(string(name), "Base64Binary")
}

// splice decides in which form a text is kept.
func splice(text []byte) (Splice, []byte) {
	value := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(value, text)
	if value = value[:n]; err != nil || base64.StdEncoding.EncodedLen(n) != len(text) {
		return Splice{Size: int64(len(text)), Text: true, Digest: sha256.Sum256(text)}, text
	}
	return Splice{Size: int64(n), Digest: sha256.Sum256(value)}, value
}

// Whole is the length of the resource with all its values.
func (x *Stored) Whole() int64 {
	n := int64(len(x.Body))
	for _, s := range x.Splices {
		n += s.Len()
	}
	return n
}

// Marker stands where a value belongs in a resource that Marked returns. One
// that stands elsewhere too does no harm: the values are then read for nothing.
const Marker = "yba-splice"

// Marked returns the body with a marker in the place of each value, to find
// out whether a part of the resource shows any.
func (x *Stored) Marked() []byte {
	out := make([]byte, 0, len(x.Body)+len(x.Splices)*len(Marker))
	from := 0
	for _, s := range x.Splices {
		out = append(append(out, x.Body[from:s.At]...), Marker...)
		from = s.At
	}
	return append(out, x.Body[from:]...)
}

// Bare returns the body without the members whose values are kept apart.
func (x *Stored) Bare() []byte {
	out := bytes.Clone(x.Body)
	for i := len(x.Splices) - 1; i >= 0; i-- {
		// Names of such members have no escapes; see large.
		end := x.Splices[i].At + 1
		colon := bytes.LastIndexByte(out[:end-2], ':')
		name := bytes.LastIndexByte(out[:colon], '"')
		start := bytes.LastIndexByte(out[:name], '"')
		if before := bytes.TrimRight(out[:start], " \t\r\n"); before[len(before)-1] == ',' {
			start = len(before) - 1
		} else if after := bytes.TrimLeft(out[end:], " \t\r\n"); after[0] == ',' {
			end = len(out) - len(after) + 1
		}
		out = append(out[:start], out[end:]...)
	}
	return out
}

// Same reports whether a body, of which values may be kept apart already, is
// that of x.
func (x *Stored) Same(body []byte, list []Splice) bool {
	if len(x.Splices) > 0 && list == nil {
		body, list, _ = Split(body)
	}
	return bytes.Equal(body, x.Body) && slices.Equal(list, x.Splices)
}

// Carried returns where the values that are kept apart belong in body, which
// is the resource's own but for one stretch, such as its meta.
func (x *Stored) Carried(body []byte) ([]Splice, error) {
	most := min(len(body), len(x.Body))
	begun := 0
	for begun < most && body[begun] == x.Body[begun] {
		begun++
	}
	rest := 0
	for rest < most-begun && body[len(body)-1-rest] == x.Body[len(x.Body)-1-rest] {
		rest++
	}
	list := slices.Clone(x.Splices)
	for i, s := range list {
		switch {
		case s.At <= begun:
		case s.At >= len(x.Body)-rest:
			list[i].At += len(body) - len(x.Body)
		default:
			return nil, errCarried
		}
	}
	return list, nil
}

var errCarried = errors.New("records: a value that is kept apart stands in what was changed")
