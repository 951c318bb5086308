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
	Composites []Composite
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
	// Quantity is a number, with unit or without: as it stands, and the amount
	// in base units where the unit is of UCUM (Base is its dimension, otherwise
	// the code).
	Quantity struct {
		Param        int16
		System, Code string
		Value        string
		Base, Amount string
	}
	// Composite is what one element says: a token and a value beside it. Of a
	// token, a string, a reference or a URI Text is the value; of a quantity it
	// is the code, Base the dimension, Low the amount and High the value; of a
	// date Low and High are its range; of two numbers they are those.
	Composite struct {
		Param        int16
		System, Code string
		With, Text   string // With is a system
		Base         string
		Low, High    string
	}
)

// unitSystem stands for the system in the row of a quantity's human readable
// unit, where that is another than its code; no URI is written like this.
const unitSystem = "|unit"

// longest bounds what goes into an index key and longestText what a string's
// row holds; PostgreSQL allows about 2,700 bytes.
const (
	longest     = 400
	longestText = 2000
)

// Clip makes s fit an index key. What is longer keeps its beginning and a
// digest, so that equality still holds.
func Clip(s string) string { return clip(s, longest) }

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return cut(s, n-64) + hex.EncodeToString(sum[:])
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
