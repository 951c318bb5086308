package postgres

import (
	"strings"

	"github.com/lib/pq"

	"github.com/yba-health/yba/services/records/terminology"
)

// filter returns the condition on concept c of a filter that was checked
// (https://hl7.org/fhir/R4/valueset-filter-operator.html).
func (q *query) filter(x *terminology.System, f terminology.Filter) string {
	switch f.Op {
	case "is-a":
		return `(` + q.below(x, f.Value) + ` OR c.code = ` + q.arg(f.Value) + `)`
	case "descendent-of":
		return q.below(x, f.Value)
	case "is-not-a":
		return `NOT (` + q.below(x, f.Value) + ` OR c.code = ` + q.arg(f.Value) + `)`
	case "generalizes":
		return `(c.code = ` + q.arg(f.Value) + ` OR c.ordinal IN (SELECT a.ancestor FROM records.concept_ancestors a
			JOIN records.concepts d ON d.system = a.system AND d.ordinal = a.descendant
			WHERE a.system = ` + q.arg(x.ID) + ` AND d.code = ` + q.arg(f.Value) + `))`
	case "exists":
		if f.Value == "true" {
			return q.has(x, f.Property, "true")
		}
		return `NOT ` + q.has(x, f.Property, "true")
	case "regex":
		// The whole value must match.
		return q.has(x, f.Property, `v ~ `+q.arg(`^(?:`+f.Value+`)$`))
	case "in":
		return q.has(x, f.Property, `v = ANY(`+q.arg(pq.Array(split(f.Value)))+`::text[])`)
	case "not-in":
		return `NOT ` + q.has(x, f.Property, `v = ANY(`+q.arg(pq.Array(split(f.Value)))+`::text[])`)
	}
	return q.has(x, f.Property, `v = `+q.arg(f.Value))
}

// split reads the value of in and not-in, codes parted by commas.
func split(s string) []string {
	list := strings.Split(s, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

func (q *query) below(x *terminology.System, code string) string {
	return `c.ordinal IN (SELECT a.descendant FROM records.concept_ancestors a
		JOIN records.concepts p ON p.system = a.system AND p.ordinal = a.ancestor
		WHERE a.system = ` + q.arg(x.ID) + ` AND p.code = ` + q.arg(code) + `)`
}

// has asks for a value v of the property for which cond holds. The concept's
// own elements and its place in the hierarchy are properties too.
func (q *query) has(x *terminology.System, property, cond string) string {
	var values string
	switch property {
	case "concept", "code":
		values = `(VALUES (c.code)) AS x(v)`
	case "display":
		values = `(VALUES (nullif(c.display, ''))) AS x(v)`
	case "definition":
		values = `(VALUES (nullif(c.definition, ''))) AS x(v)`
	case "inactive":
		values = `(VALUES (c.inactive::text)) AS x(v)`
	case "notSelectable", "abstract":
		values = `(VALUES (c.abstract::text)) AS x(v)`
	case "parent":
		values = `(SELECT p.code FROM records.concept_ancestors a JOIN records.concepts p ON p.system = a.system AND p.ordinal = a.ancestor
			WHERE a.system = ` + q.arg(x.ID) + ` AND a.descendant = c.ordinal AND a.direct) AS x(v)`
	case "child":
		values = `(SELECT d.code FROM records.concept_ancestors a JOIN records.concepts d ON d.system = a.system AND d.ordinal = a.descendant
			WHERE a.system = ` + q.arg(x.ID) + ` AND a.ancestor = c.ordinal AND a.direct) AS x(v)`
	default:
		values = `(SELECT e->>'value' FROM jsonb_array_elements(c.properties) AS e WHERE e->>'code' = ` + q.arg(property) + `) AS x(v)`
	}
	return `EXISTS (SELECT FROM ` + values + ` WHERE v IS NOT NULL AND ` + cond + `)`
}
