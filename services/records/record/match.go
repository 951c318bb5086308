package record

import (
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// Version is a version of a resource as a search sees it.
type Version struct {
	ID      string
	Updated time.Time
	Rows    Rows
}

// Matchable refuses a query that Matches cannot answer for one version alone:
// what looks at other resources, and what is not about which are found. It
// names what it knows, so that a form of search that is added later is
// refused until it is added here.
func (q *Query) Matchable() error {
	if q.counted || q.Total || q.CountOnly || q.Cursor != nil || len(q.Includes) > 0 || len(q.Ignored) > 0 || q.sorted || q.Summary != "" || len(q.Elements) > 0 {
		return fault.New(fault.Unprocessable, "only search parameters may stand here, not the result's _count, _sort, _include and the like", nil)
	}
	if len(q.Texts) > 0 {
		return fault.New(fault.Unprocessable, "_text and _content cannot stand here: name codes, dates or references", nil)
	}
	for _, f := range q.Filters {
		if !f.matchable() {
			return fault.Newf(fault.Unprocessable, "the filter %q with this modifier cannot be asked of one resource alone", f.Param.Code)
		}
	}
	return nil
}

func (f *Filter) matchable() bool {
	if len(f.Targets) > 0 || len(f.Any) > 0 || len(f.Peers) > 0 || f.Reverse {
		return false
	}
	if f.Param.Code == "_id" || f.Param.Code == "_lastUpdated" {
		return f.Modifier == ""
	}
	switch f.Param.Type {
	case "string":
		return f.Modifier == "" || f.Modifier == "exact" || f.Modifier == "contains" || f.Modifier == "missing"
	case "token":
		return f.Modifier == "" || f.Modifier == "not" || f.Modifier == "missing"
	case "reference": // a type is a modifier, too; the value carries it
		return f.Modifier == "" || f.Modifier == "missing" || f.Modifier[0] >= 'A' && f.Modifier[0] <= 'Z' && !strings.Contains(f.Modifier, ".")
	case "date", "uri", "number", "quantity":
		return f.Modifier == "" || f.Modifier == "missing"
	}
	return false
}

// Matches reports whether the search finds the version, by the rules of the
// conditions that package postgres writes in SQL. The query is Matchable.
func (q *Query) Matches(v *Version) bool {
	for i := range q.Filters {
		if !q.Filters[i].matches(v) {
			return false
		}
	}
	return true
}

func (f *Filter) matches(v *Version) bool {
	switch f.Modifier {
	case "missing":
		none := !f.any(v, func(any) bool { return true })
		for i := range f.Besides {
			none = none && !f.Besides[i].any(v, func(any) bool { return true })
		}
		return none == (f.Values[0].Text == "true")
	case "not":
		return !f.any(v, f.holds)
	}
	switch f.Param.Code {
	case "_id":
		for i := range f.Values {
			if f.Values[i].Code == v.ID {
				return true
			}
		}
		return false
	case "_lastUpdated":
		at := v.Updated.UnixMicro()
		return f.holds(Date{Low: at, High: at + 1})
	}
	return f.any(v, f.holds)
}

// any reports whether holds is true of a row of the parameter.
func (f *Filter) any(v *Version, holds func(any) bool) bool {
	mine := func(param int16) bool { return param == f.Number || slices.Contains(f.Also, param) }
	switch f.Rows() {
	case "token":
		return some(v.Rows.Tokens, func(r Token) bool { return mine(r.Param) && holds(r) })
	case "string":
		return some(v.Rows.Strings, func(r String) bool { return mine(r.Param) && holds(r) })
	case "date":
		return some(v.Rows.Dates, func(r Date) bool { return mine(r.Param) && holds(r) })
	case "reference":
		return some(v.Rows.Refs, func(r Ref) bool {
			return mine(r.Param) && (f.Narrowed == 0 || r.Type == f.Narrowed) && holds(r)
		})
	case "uri":
		return some(v.Rows.URIs, func(r URI) bool { return mine(r.Param) && holds(r) })
	case "number", "quantity":
		return some(v.Rows.Quantities, func(r Quantity) bool { return mine(r.Param) && holds(r) })
	case "composite": // asked for by :missing only
		return some(v.Rows.Composites, func(r Composite) bool { return mine(r.Param) })
	}
	return false
}

func some[T any](list []T, holds func(T) bool) bool {
	for _, x := range list {
		if holds(x) {
			return true
		}
	}
	return false
}

// holds reports whether one of the filter's values is true of a row.
func (f *Filter) holds(row any) bool {
	for i := range f.Values {
		v := &f.Values[i]
		ok := false
		switch r := row.(type) {
		case Token:
			ok = (v.Code == "" || r.Code == v.Code) && (!v.HasSystem || r.System == v.System)
		case String:
			ok = v.text(f.Modifier, r)
		case Date:
			ok = v.dates(r.Low, r.High)
		case Ref:
			ok = r.Target == v.Ref.Target && (v.Ref.Type < 0 || r.Type == v.Ref.Type)
		case URI:
			ok = r.URI == v.Text || f.Versions(v) && strings.HasPrefix(r.URI, v.Text+"|")
		case Quantity:
			ok = v.quantity(r)
		}
		if ok {
			return true
		}
	}
	return false
}

func (v *Value) text(modifier string, r String) bool {
	switch modifier {
	case "exact":
		return slices.Contains(v.Exact, r.Exact)
	case "contains":
		return strings.Contains(r.Folded, v.Text)
	}
	return strings.HasPrefix(r.Folded, v.Text)
}

// dates compares ranges of time (https://hl7.org/fhir/R4/search.html#prefix).
func (v *Value) dates(low, high int64) bool {
	within := low >= v.Low && high <= v.High
	switch v.Prefix {
	case "ne":
		return !within
	case "gt":
		return high > v.High
	case "lt":
		return low < v.Low
	case "ge":
		return low >= v.Low || high > v.High
	case "le":
		return low < v.Low || high <= v.High
	case "sa":
		return low >= v.High
	case "eb":
		return high <= v.Low
	case "ap":
		return low < v.High && high > v.Low
	}
	return within
}

func (v *Value) quantity(r Quantity) bool {
	if v.HasSystem && r.System != v.System {
		return false
	}
	if v.HasSystem && v.Code != "" {
		// In this unit or another of the same dimension.
		return r.Base == v.Base && v.number(r.Amount, v.Amount, v.AmountLow, v.AmountHigh)
	}
	return (v.Code == "" || r.Code == v.Code) && v.number(r.Value, v.Number, v.NumberLow, v.NumberHigh)
}

// number compares a number with that of the search
// (https://hl7.org/fhir/R4/search.html#number).
func (v *Value) number(value, exact, low, high string) bool {
	n, ok := new(big.Rat).SetString(value)
	if !ok {
		return false
	}
	against := func(s string) int {
		x, _ := new(big.Rat).SetString(s)
		if x == nil {
			return 0
		}
		return n.Cmp(x)
	}
	switch v.Prefix {
	case "ne":
		return against(low) < 0 || against(high) >= 0
	case "gt", "sa":
		return against(exact) > 0
	case "lt", "eb":
		return against(exact) < 0
	case "ge":
		return against(exact) >= 0
	case "le":
		return against(exact) <= 0
	case "ap":
		return against(low) >= 0 && against(high) <= 0
	}
	return against(low) >= 0 && against(high) < 0
}

// Seen returns a version as a search sees it, nil for a deletion.
func (x *Indexer) Seen(s *Stored) (*Version, error) {
	if s.Deleted {
		return nil, nil
	}
	doc, err := fhir.Parse(s.Body)
	if err != nil {
		return nil, err
	}
	v := &Version{ID: s.ID, Updated: s.Updated}
	v.Rows, _ = x.Extract(doc.Root())
	return v, nil
}

// AsOf returns the indexer for searches that are put to single versions: they
// ask no index, so that one that is being built does not matter, and what they
// mean does not change with the time of the day they are read at.
func (x *Indexer) AsOf(at time.Time) *Indexer {
	y := *x
	y.building, y.rebuilt = nil, nil
	y.Now = func() time.Time { return at }
	return &y
}
