package postgres

import (
	"encoding/binary"
	"strconv"
)

// element is how an array's elements are sent. The zero element is
// PostgreSQL's text form, which serves for every type; the others are its
// binary form, which costs both sides less.
type element uint32

// The elements of binary arrays, by their type's number in PostgreSQL.
const (
	textForm element = 0
	int8s    element = 20
	int2s    element = 21
	int4s    element = 23
	texts    element = 25
)

var elements = map[string]element{"bigint": int8s, "smallint": int2s, "int": int4s, "text": texts}

// array builds an array parameter, which costs less than reflection over a slice.
type array struct {
	b  []byte
	n  uint32
	of element
}

// head is the length of what precedes the elements in the binary form.
const head = 20

func (a *array) sep() {
	a.n++
	switch {
	case a.of == textForm && a.n == 1:
		a.b = append(a.b, '{')
	case a.of == textForm:
		a.b = append(a.b, ',')
	case a.n == 1:
		a.b = append(a.b, make([]byte, head)...)
	}
}

func (a *array) int(n int64) {
	a.sep()
	//nolint:gosec // the column's type is as wide as what stands in it
	switch a.of {
	case int8s:
		a.b = binary.BigEndian.AppendUint64(append(a.b, 0, 0, 0, 8), uint64(n))
	case int4s:
		a.b = binary.BigEndian.AppendUint32(append(a.b, 0, 0, 0, 4), uint32(n))
	case int2s:
		a.b = binary.BigEndian.AppendUint16(append(a.b, 0, 0, 0, 2), uint16(n))
	default:
		a.b = strconv.AppendInt(a.b, n, 10)
	}
}

func (a *array) text(s string) {
	a.sep()
	if a.of == texts {
		a.b = append(binary.BigEndian.AppendUint32(a.b, uint32(len(s))), s...) //nolint:gosec // what is indexed is short
		return
	}
	a.b = append(a.b, '"')
	for i := range len(s) {
		if c := s[i]; c == '"' || c == '\\' {
			a.b = append(a.b, '\\')
		}
		a.b = append(a.b, s[i])
	}
	a.b = append(a.b, '"')
}

// arg returns the parameter. lib/pq sends bytes in the binary form and
// strings in the text form; an array without elements looks alike in both.
func (a *array) arg() any {
	switch {
	case a.n == 0:
		return "{}"
	case a.of == textForm:
		return string(a.b) + "}"
	}
	for i, v := range [5]uint32{1, 0, uint32(a.of), a.n, 1} { // dimensions, nulls, type, length, first index
		binary.BigEndian.PutUint32(a.b[4*i:], v)
	}
	return a.b
}
