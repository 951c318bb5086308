package record

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fhir"
)

// Limits of a search. They bound what one request can cost.
const (
	DefaultCount = 20
	MaxCount     = 1000
	maxValues    = 200
	maxFilters   = 30
	maxIncludes  = 30
	maxSorts     = 6
	maxLinks     = 5
	maxTargets   = 12
	maxElements  = 100
)

// Query is a search as it was understood.
type Query struct {
	// Type is the resource type that is searched, "" for several.
	Type   string
	Number int16
	// Types are the numbers of several types; none means every type.
	Types []int16
	// Filters must all hold.
	Filters []Filter
	// Texts must all be found.
	Texts []Text
	// Sort is never empty; ties are broken by the resource's key.
	Sort  []Sort
	Count int
	// Total asks for the exact number of matches.
	Total bool
	// CountOnly asks for nothing but the total (_summary=count, _count=0).
	CountOnly bool
	// Summary is "", true, text or data.
	Summary string
	// Elements are the top-level elements that the answer is cut down to, by
	// resource type; "" stands for the types that are searched.
	Elements map[string][]string
	Cursor   *Cursor
	// sealed is the cursor as it was given; it is opened when the digest is known.
	sealed   string
	Includes []Include
	includes int // as they were given
	// sorted and counted tell that the order and the length of pages were
	// asked for.
	sorted, counted bool
	// Ignored are parameters that a lenient search left out.
	Ignored []string
	// Self are the parameters that were used, encoded, without the cursor.
	Self string
	// Digest tells this search from others: a cursor belongs to one search.
	Digest string
}

// Filter is one parameter of a search.
type Filter struct {
	// Of is the type of the resources that the filter is about.
	Of     string
	Param  *fhir.Parameter
	Number int16
	// Also are numbers of further parameters whose rows are this one's too.
	Also []int16
	// Narrowed is the type that a reference parameter's rows are narrowed to,
	// 0 for none.
	Narrowed int16
	Modifier string
	// Besides, of :missing, are further rows that tell that a value is there.
	Besides []Filter
	// Values: one of them must hold.
	Values []Value
	// Peers are the same condition for other types that have the parameter.
	Peers []Filter
	// Targets makes the reference Param a chain: the resource that it points
	// at fulfils one of them.
	Targets []Filter
	// Reverse turns the chain round (_has): a resource that points here by
	// Param fulfils one of Targets.
	Reverse bool
	// Any replaces everything above: one of the filters must hold.
	Any []Filter
}

// Value is one value of a filter; which fields count depends on the
// parameter's type.
type Value struct {
	Prefix string
	Text   string
	// Exact, of a text's :exact, are the forms in which Unicode writes it; Text
	// is then what rows of it are folded to.
	Exact []string
	// Token: HasSystem tells "|code" (no system) from "code" (any system).
	System    string
	HasSystem bool
	Code      string
	// Date, in microseconds.
	Low, High int64
	// Reference.
	Ref Ref
	// Tree, of :above and :below, is the number of the parameter by which a
	// resource is part of another of its type; 0 for a canonical.
	Tree int16
	// Quantity or number: the range that the precision leaves open, and the
	// value as given.
	NumberLow, NumberHigh, Number string
	// The same in base units, whose dimension is Base.
	Base                          string
	AmountLow, AmountHigh, Amount string
	// Parts are the components of a composite's value.
	Parts []Value
}

// Sort is one key of the order of a list.
type Sort struct {
	// Param is nil for the default order (by the resource's own date) and for
	// _lastUpdated and _id.
	Param    *fhir.Parameter
	Number   int16
	Also     []int16
	Narrowed int16
	// By is at, text (that of the only filter), _lastUpdated, _id, or the
	// parameter's type.
	By         string
	Descending bool
}

// Contents is what $everything asks of a patient's compartment. Times are in
// microseconds.
type Contents struct {
	// Types are the numbers of the types that are wanted; none means all.
	Types []int16
	// Since is when a resource was last written at the earliest, 0 for any.
	Since int64
	// Care bounds the dates of care, nil for any.
	Care  *[2]int64
	After *Cursor
	Limit int
}

// Include is an _include or _revinclude.
type Include struct {
	Reverse bool
	// Iterate applies it to what was included as well.
	Iterate bool
	Source  string
	Param   *fhir.Parameter
	// Numbers are those of the parameter's rows, which may be narrowed to a
	// type of target.
	Numbers  []int16
	Narrowed int16
	Target   string
}

// Canonical returns criteria in one order, so that equal criteria have one
// digest however they were written.
func (q *Query) Canonical() string {
	parts := slices.DeleteFunc(strings.Split(q.Self, "&"), display)
	slices.Sort(parts)
	return fmt.Sprintf("%s?%s", q.Type, strings.Join(parts, "&"))
}

// Partial reports whether the search shows parts of resources only.
func (q *Query) Partial() bool { return q.Summary != "" || q.Elements != nil }

// Place names the list for its cursors.
func (q *Query) Place() string { return "search " + q.Digest }

// digest identifies what a list holds and in which order. What only changes
// how a page is shown may differ from page to page.
func digest(place string, used []string) string {
	var parts []string
	for _, p := range used {
		if !display(p) {
			parts = append(parts, p)
		}
	}
	slices.Sort(parts)
	sum := sha256.Sum256([]byte(place + "?" + strings.Join(parts, "&")))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// display reports whether a parameter only changes how a page is shown.
func display(parameter string) bool {
	name, _, _ := strings.Cut(parameter, "=")
	name, _, _ = strings.Cut(name, "%3A")
	return slices.Contains([]string{"_count", "_total", "_summary", "_elements", "_format", "_pretty", "_include", "_revinclude"}, name)
}

// Expander tells which codes a value set holds and which codes are above and
// below others. It asks for no scope: terminology is about nobody.
type Expander interface {
	// Expand returns the codes of a value set, given by its URL, with |version
	// or without.
	Expand(ctx context.Context, url string) ([]Coding, error)
	// Related returns the code and all codes above it, or below it.
	Related(ctx context.Context, c Coding, below bool) ([]Coding, error)
}
