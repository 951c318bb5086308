package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/lib/pq"

	"github.com/yba-health/yba/services/records/record"
)

// A list for a caller who reaches some compartments only can be read in the
// population's order, leaving out what is out of reach, which is quick when
// much is within, or from each of the compartments, which are quick to look
// through when they are few. So such a list looks at the beginning of the
// population's order first, and goes on from the compartments if that did not
// fill the page. What it costs thereby grows with the page or with the scope,
// not with the province.

// ahead is how far a list goes in the population's order before it turns to
// the compartments.
const ahead = 2000

// arm is a way to a page: rows f that fulfil where.
type arm struct {
	from  string
	where []string
	// each: in every compartment that is reached by itself.
	each bool
}

// reached returns the compartments that are reached, those of communes up to
// more than few, each once.
func (q *sqlText) reached(r record.Reach) string {
	var from []string
	if r.Shared {
		from = append(from, "SELECT 0::bigint")
	}
	if len(r.Patients) > 0 {
		from = append(from, "SELECT * FROM unnest("+q.arg(pq.Array(r.Patients))+"::bigint[])")
	}
	if len(r.Communes) > 0 {
		from = append(from, "(SELECT s.patient FROM records.compartments s WHERE s.commune = ANY("+q.arg(pq.Array(r.Communes))+") LIMIT "+strconv.Itoa(few+1)+")")
	}
	return "reached(patient) AS MATERIALIZED (" + strings.Join(from, " UNION ") + ")"
}

// parted reports whether the list is better looked for in each compartment: of
// what lies in compartments, and for a caller who reaches some.
func (b *search) parted() bool {
	r := b.reach
	return !r.All && !b.inside && (r.Shared || len(r.Patients)+len(r.Communes) > 0) && (b.q.Type == "" || b.x.Movable(b.q.Number))
}

// small reports whether the scope is known to have few compartments.
func (b *search) small() bool { return len(b.reach.Communes) == 0 && len(b.reach.Patients) <= handful }

// scoped replaces the last arm, which goes along the population's order, for a
// caller who reaches some compartments.
func (b *search) scoped(with []string, arms []arm) ([]string, []arm) {
	if !b.parted() {
		return with, arms
	}
	with = append(with, b.reached(b.reach))
	whole := arms[len(arms)-1]
	each := arm{from: whole.from, where: whole.where, each: true}
	arms = arms[:len(arms)-1]
	if b.small() {
		return with, append(arms, each)
	}
	reached := "(SELECT count(*) FROM reached)"
	var on []string
	if b.ordered() {
		columns := "f.*"
		if b.from == "records.current f" { // but for the body
			columns = "f.patient, f.key, f.type, f.id, f.at, f.updated"
		}
		k := b.sorts[0]
		end := " LIMIT " + strconv.Itoa(ahead)
		begin := "(SELECT " + columns + " FROM " + b.from + " WHERE " + strings.Join(b.index, " AND ") + " ORDER BY " + k.expression + k.direction() + ", f.key" + k.way() + end + ") f"
		with = append(with, "near AS MATERIALIZED ("+b.way(arm{from: begin, where: whole.where}, "")+")",
			"done AS MATERIALIZED (SELECT (SELECT count(*) FROM near) > "+strconv.Itoa(b.q.Count)+
				" OR (SELECT count(*) FROM (SELECT FROM "+b.from+" WHERE "+strings.Join(b.index, " AND ")+end+") f) < "+strconv.Itoa(ahead)+" AS yes)")
		arms = append(arms, arm{from: "near", where: []string{"(SELECT yes FROM done)"}})
		on = []string{"NOT (SELECT yes FROM done)"}
	}
	each.where = append(append(on, reached+" <= "+strconv.Itoa(few)), each.where...)
	whole.where = append(append(on, reached+" > "+strconv.Itoa(few)), whole.where...)
	return with, append(arms, each, whole)
}

// count writes the query of a total; none is true when nothing can match.
func (b *search) count(ctx context.Context) (none bool, err error) {
	if !b.parted() {
		none, err = b.build(ctx, false)
		b.WriteString("SELECT count(DISTINCT f.key) FROM " + b.from + " WHERE " + strings.Join(b.where, " AND "))
		return none, err
	}
	// In a compartment conditions on other resources are looked at from there.
	each := *b
	each.forward = true
	if none, err = each.build(ctx, false); none || err != nil {
		return none, err
	}
	if each.inside {
		b.WriteString("SELECT count(DISTINCT f.key) FROM " + each.from + " WHERE " + strings.Join(each.where, " AND "))
		return false, nil
	}
	with := "WITH " + b.reached(b.reach) + " "
	one := "SELECT count(DISTINCT f.key) FROM reached p JOIN " + each.from + " ON f.patient = p.patient WHERE " + strings.Join(each.where, " AND ")
	if b.small() {
		b.WriteString(with + one)
		return false, nil
	}
	if none, err = b.build(ctx, false); none || err != nil {
		return none, err
	}
	b.WriteString(with + "SELECT CASE WHEN (SELECT count(*) FROM reached) <= " + strconv.Itoa(few) + " THEN (" + one +
		") ELSE (SELECT count(DISTINCT f.key) FROM " + b.from + " WHERE " + strings.Join(b.where, " AND ") + ") END")
	return false, nil
}
