package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/yba-health/yba/services/records/record"
)

// HistoryQuery asks for versions, newest first.
type HistoryQuery struct {
	Type  int16  // 0: of all types
	ID    string // "": of all resources of the type
	Since int64  // microseconds; only versions written at or after it
	// During, if not nil, are the ends of a half-open range of time: only
	// versions that were current at some point of it.
	During *[2]int64
	// Before continues after the page that ended with this sequence number.
	Before int64
	Limit  int
	// Lean leaves out the values that are kept apart.
	Lean bool
}

// History returns versions, newest first; more tells that there are others.
func (s *Store) History(ctx context.Context, h HistoryQuery, r record.Reach) (list []record.Stored, more bool, err error) {
	q := &sqlText{}
	q.history(h, r)
	list, more, err = s.versions(ctx, q, h.Lean)
	if len(list) > h.Limit {
		list, more = list[:h.Limit], true
	}
	return list, more, err
}

// history writes the query of a page. The log is read from its end, and no
// further than ahead where that does not fill the page: then from the end of
// each compartment that is reached, or, of a type that few resources have, from
// those.
func (q *sqlText) history(h HistoryQuery, r record.Reach) {
	const from = " FROM records.versions v JOIN records.directory d ON d.type = v.type AND d.id = v.id WHERE "
	where := []string{q.reach("v.patient", r), q.reach("d.patient", r)}
	if h.Type != 0 {
		where = append(where, "v.type = "+q.arg(h.Type))
	}
	if h.Since > 0 {
		where = append(where, "v.at >= "+q.arg(h.Since))
	}
	if h.During != nil {
		where = append(where, "v.at < "+q.arg(h.During[1])+` AND NOT EXISTS (SELECT FROM records.versions n
			WHERE n.key = v.key AND n.version = v.version + 1 AND n.at <= `+q.arg(h.During[0])+")")
	}
	if h.ID != "" {
		where = append(where, "v.key = (SELECT key FROM records.directory WHERE type = "+q.arg(h.Type)+" AND id = "+q.arg(h.ID)+")")
		if h.Before > 0 {
			where = append(where, "v.version < "+q.arg(h.Before))
		}
		q.WriteString("SELECT " + versionColumns + from + strings.Join(where, " AND ") + " ORDER BY v.version DESC LIMIT " + q.arg(h.Limit+1))
		return
	}
	log := "true"
	if h.Before > 0 {
		log = "v.seq < " + q.arg(h.Before)
	}
	limit := " ORDER BY v.seq DESC LIMIT " + q.arg(h.Limit+1)
	cond := strings.Join(where, " AND ")
	pages := func(more ...string) string {
		return "SELECT v.tx, v.seq" + from + strings.Join(append(more, log, cond), " AND ") + limit
	}
	begin := " FROM records.versions v WHERE " + log + " ORDER BY v.seq DESC LIMIT " + strconv.Itoa(ahead)
	with := []string{
		"near AS MATERIALIZED (SELECT v.tx, v.seq FROM (SELECT v.tx, v.seq, v.type, v.id, v.patient, v.at, v.key, v.version" + begin + ") v" +
			" JOIN records.directory d ON d.type = v.type AND d.id = v.id WHERE " + cond + limit + ")",
		"done AS MATERIALIZED (SELECT (SELECT count(*) FROM near) > " + strconv.Itoa(h.Limit) + " OR (SELECT count(*) FROM (SELECT" + begin + ") v) < " + strconv.Itoa(ahead) + " AS yes)",
	}
	arms := []string{"SELECT tx, seq FROM near WHERE (SELECT yes FROM done)"}
	rest := []string{"NOT (SELECT yes FROM done)"}
	if !r.All {
		with = append(with, q.reached(r))
		n := "(SELECT count(*) FROM reached)"
		arms = append(arms, "SELECT v.tx, v.seq FROM reached p CROSS JOIN LATERAL ("+
			pages(rest[0], n+" <= "+strconv.Itoa(few), "v.patient = p.patient")+") v"+limit)
		rest = append(rest, n+" > "+strconv.Itoa(few))
	}
	if h.Type != 0 {
		with = append(with, "kin AS MATERIALIZED (SELECT k.key FROM records.directory k WHERE k.type = "+q.arg(h.Type)+" LIMIT "+strconv.Itoa(few+1)+")")
		n := "(SELECT count(*) FROM kin)"
		arms = append(arms, pages(append(rest, n+" <= "+strconv.Itoa(few), "v.key IN (SELECT key FROM kin)")...))
		rest = append(rest, n+" > "+strconv.Itoa(few))
	}
	arms = append(arms, pages(rest...))
	q.WriteString("WITH " + strings.Join(with, ", ") + " SELECT " + versionColumns + " FROM (SELECT tx, seq FROM ((" +
		strings.Join(arms, ") UNION ALL (") + ")) f" + " ORDER BY seq DESC LIMIT " + q.arg(h.Limit+1) + ") f JOIN records.versions v ON v.tx = f.tx AND v.seq = f.seq ORDER BY v.seq DESC")
}
