package record

import (
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"
)

// Rows are the search index rows of one version of a resource.
type Rows struct {
	Tokens     []Token
	Strings    []String
	Dates      []Date
	Refs       []Ref
	URIs       []URI
	Quantities []Quantity
}

// The kinds of index rows. Param is the parameter's number in the dictionary.
type (
	// Token is a code in a system; System is "" for none.
	Token struct {
		Param        int16
		System, Code string
	}
	// String is text, folded for comparison and as it stands.
	String struct {
		Param         int16
		Folded, Exact string
	}
	// Date is a half-open range in microseconds since 1970.
	Date struct {
		Param     int16
		Low, High int64
	}
	// Ref is a reference; Type is 0 and Target a URL for one to elsewhere.
	Ref struct {
		Param  int16
		Type   int16
		Target string
	}
	// URI is an absolute or relative URI.
	URI struct {
		Param int16
		URI   string
	}
	// Quantity is a number, with unit or without.
	Quantity struct {
		Param        int16
		System, Code string
		Value        string
	}
)

// longest bounds what goes into an index key; PostgreSQL allows about 2,700 bytes.
const longest = 400

// Clip makes s fit an index key. What is longer keeps its beginning and a
// digest, so that equality still holds.
func Clip(s string) string {
	if len(s) <= longest {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return cut(s, longest-64) + hex.EncodeToString(sum[:])
}

// cut shortens s to at most n bytes without breaking a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
