package record

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// Limits of a search. They bound what one request can cost.
const (
	DefaultCount = 20
	MaxCount     = 1000
	maxValues    = 200
	maxFilters   = 30
	maxIncludes  = 30
)

// Query is a search as it was understood.
type Query struct {
	Type   string
	Number int16
	// Filters must all hold.
	Filters []Filter
	Sort    Sort
	Count   int
	// Total asks for the exact number of matches.
	Total bool
	// CountOnly asks for nothing but the total (_summary=count, _count=0).
	CountOnly bool
	Cursor    *Cursor
	Includes  []Include
	includes  int // as they were given
	sorted    bool
	// Ignored are parameters that a lenient search left out.
	Ignored []string
	// Self are the parameters that were used, encoded, without the cursor.
	Self string
}

// Filter is one parameter of a search.
type Filter struct {
	Param    *fhir.Parameter
	Number   int16
	Modifier string
	// Values: one of them must hold.
	Values []Value
}

// Value is one value of a filter; which fields count depends on the
// parameter's type.
type Value struct {
	Prefix string
	Text   string
	// Token: HasSystem tells "|code" (no system) from "code" (any system).
	System    string
	HasSystem bool
	Code      string
	// Date, in microseconds.
	Low, High int64
	// Reference.
	Ref Ref
	// Quantity or number: the range that the precision leaves open, and the
	// value as given.
	NumberLow, NumberHigh, Number string
}

// Sort is the order of a list. Ties are broken by the resource's key.
type Sort struct {
	// Param is nil for the default order (by the resource's own date) and for
	// _lastUpdated and _id.
	Param      *fhir.Parameter
	Number     int16
	By         string // at, _lastUpdated, _id, string, date, token
	Descending bool
}

// Cursor is where a page ends.
type Cursor struct {
	Value string // of the sort, "" for none
	Null  bool
	Key   int64
}

// Include is an _include or _revinclude.
type Include struct {
	Reverse bool
	Source  string
	Param   *fhir.Parameter
	Number  int16
	Target  string
}

// String returns the opaque form for links.
func (c Cursor) String() string {
	null := "0"
	if c.Null {
		null = "1"
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.Key, 36) + "." + null + "." + c.Value))
}

// ParseCursor reads what String wrote.
func ParseCursor(s string) (*Cursor, error) {
	fail := fault.New(fault.Invalid, "_cursor is not one that this server gave; follow the next link as it is", nil)
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, fail
	}
	parts := strings.SplitN(string(b), ".", 3)
	if len(parts) != 3 {
		return nil, fail
	}
	key, err := strconv.ParseInt(parts[0], 36, 64)
	if err != nil || strings.ContainsRune(parts[2], 0) || !utf8.ValidString(parts[2]) {
		return nil, fail
	}
	return &Cursor{Key: key, Null: parts[1] == "1", Value: parts[2]}, nil
}

// Canonical returns criteria in one order, so that equal criteria have one
// digest however they were written.
func (q *Query) Canonical() string {
	parts := strings.Split(q.Self, "&")
	slices.Sort(parts)
	return fmt.Sprintf("%s?%s", q.Type, strings.Join(parts, "&"))
}
