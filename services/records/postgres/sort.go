package postgres

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/records/record"
)

// sortKey is one key of the order, as SQL.
type sortKey struct {
	expression string
	typ        string // bigint, numeric or text
	nullable   bool
	descending bool
}

func (k sortKey) way() string {
	if k.descending {
		return " DESC"
	}
	return " ASC"
}

// direction puts what has no value last, whatever the order.
func (k sortKey) direction() string {
	if k.nullable {
		return k.way() + " NULLS LAST"
	}
	return k.way()
}

// sorted tells where the values of a parameter's type lie.
var sorted = map[string]struct{ table, column, typ string }{
	"string":    {"strings", "folded", "text"},
	"date":      {"dates", "low", "bigint"},
	"token":     {"tokens", "code", "text"},
	"reference": {"refs", "target", "text"},
	"uri":       {"uris", "uri", "text"},
	"number":    {"quantities", "value", "numeric"},
	"quantity":  {"quantities", "value", "numeric"},
}

// order fills the keys of the order and the joins that they need.
func (b *search) order() {
	for i, s := range b.q.Sort {
		k := sortKey{descending: s.Descending, typ: "bigint"}
		switch s.By {
		case "at":
			k.expression = "f.at"
		case "text":
			k.expression, k.typ = "f.folded", "text"
		case "_lastUpdated":
			k.expression = "f.updated"
		case "_id":
			k.expression, k.typ = "f.id", "text"
		default:
			// The least value counts upwards, the greatest downwards
			// (https://hl7.org/fhir/R4/search.html#sort).
			pick := "min"
			if s.Descending {
				pick = "max"
			}
			rows := record.Filter{Param: s.Param, Number: s.Number, Also: s.Also, Narrowed: s.Narrowed}
			in, name := sorted[s.By], "o"+strconv.Itoa(i)
			value := ""
			if s.By == "string" { // further ways to find a name are no value of it
				value = " AND o.exact <> ''"
			}
			b.joins += " LEFT JOIN LATERAL (SELECT " + pick + "(o." + in.column + ") AS v FROM records." + in.table +
				" o WHERE o.patient = f.patient AND o.key = f.key AND " + b.params(rows, "o") + b.narrowed(rows, "o") + value + ") " + name + " ON true"
			k.expression, k.typ, k.nullable = name+".v", in.typ, true
		}
		b.sorts = append(b.sorts, k)
	}
}

// after adds where the page before ended: everything that follows in the
// order of all keys, the resource's key being the last.
func (b *search) after(c *record.Cursor) error {
	if c == nil {
		return nil
	}
	foreign := fault.New(fault.Invalid, "_cursor does not belong to this search", nil)
	var values []*string
	if err := json.Unmarshal([]byte(c.Value), &values); err != nil || len(values) != len(b.sorts) {
		return foreign
	}
	last := len(b.sorts) - 1
	less := map[bool]string{false: ">", true: "<"}
	key := b.arg(c.Key) + "::bigint"
	cond := "f.key " + less[b.sorts[last].descending] + " " + key
	for i := last; i >= 0; i-- {
		k := b.sorts[i]
		if values[i] == nil {
			cond = "(" + k.expression + " IS NULL AND " + cond + ")"
			continue
		}
		value, ok := b.typed(*values[i], k.typ)
		if !ok {
			return foreign
		}
		op := less[k.descending]
		if i == last {
			// One comparison of the pair, which an index in this order answers.
			cond = "(" + k.expression + ", f.key) " + op + " (" + value + ", " + key + ")"
		} else {
			cond = "(" + k.expression + " " + op + " " + value + " OR " + k.expression + " = " + value + " AND " + cond + ")"
		}
		if k.nullable {
			cond = "(" + cond + " OR " + k.expression + " IS NULL)"
		}
	}
	b.along(cond)
	return nil
}

// typed returns an argument of one of the order's types.
func (b *search) typed(s, typ string) (string, bool) {
	switch typ {
	case "bigint":
		n, err := strconv.ParseInt(s, 10, 64)
		return b.arg(n) + "::bigint", err == nil
	case "numeric":
		_, err := strconv.ParseFloat(s, 64)
		return b.arg(s) + "::text::numeric", err == nil && strings.Trim(s, "-.0123456789") == "" && len(s) < 200
	}
	return b.arg(s) + "::text", !strings.ContainsRune(s, 0)
}
