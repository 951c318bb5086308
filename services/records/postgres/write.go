package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// statement is one data-modifying WITH under construction. A whole bundle is
// one statement: lib/pq has no pipelining, and a round trip for each resource
// would cost more than the work itself.
type statement struct {
	parts []string
	args  []any
	// whole names every index table.
	whole bool
}

func (w *statement) arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

func (w *statement) part(sql string) { w.parts = append(w.parts, sql) }

// The columns that a write fills.
const (
	intoDirectory    = "type, id, key, patient, version, deleted"
	intoVersions     = "patient, key, type, id, version, at, actor, reason, op, encoding, body"
	intoCurrent      = "patient, key, type, id, at, version, updated, encoding, body"
	intoCompartments = "patient, id, commune"
)

// Put stores the writes, which need what needs names: all or none. Outside a
// transaction that is one statement, which may carry those of other callers too.
func (s *Store) Put(ctx context.Context, tx *sql.Tx, by record.Author, writes []record.Write, needs record.Needs) error {
	if len(writes) == 0 {
		return nil
	}
	if err := s.learnSystems(ctx, writes); err != nil {
		return err
	}
	p := &put{by: by, writes: writes, needs: needs}
	if tx != nil {
		text, args := s.statement([]*put{p}, false)
		_, err := tx.ExecContext(ctx, text, args...)
		return err // whoever holds the transaction looks whether to run it again
	}
	if len(writes) > gathered || len(needs.Refs) > 0 && !needs.Reach.All {
		return pg.Fault(s.execute(ctx, []*put{p}))
	}
	return s.gather(ctx, p)
}

// execute stores what the puts hold in one statement, a transaction by itself.
func (s *Store) execute(ctx context.Context, puts []*put) error {
	text, args := s.statement(puts, true)
	if err := pg.Again(ctx, func() error {
		st, err := s.prepared(ctx, text) //nolint:sqlclosecheck // it is kept for the next request
		switch {
		case err != nil:
		case st != nil:
			_, err = st.ExecContext(ctx, args...)
		default:
			_, err = s.db.ExecContext(ctx, text, args...)
		}
		return err
	}); err != nil {
		return err
	}
	s.Announce()
	return nil
}

// statement writes the puts down. With whole it names every index table, also
// those that get no row, so that few texts are prepared.
func (s *Store) statement(puts []*put, whole bool) (string, []any) {
	w := &statement{whole: whole}
	writes := make([]record.Write, 0, total(puts))
	var actors, reasons array
	for i, p := range puts {
		for j := range p.writes {
			p.writes[j].By = i + 1
		}
		actors.text(p.by.Actor)
		reasons.text(p.by.Reason)
		writes = append(writes, p.writes...)
	}
	slices.SortFunc(writes, inOrder)
	s.resources(w, actors.arg(), reasons.arg(), writes)
	s.index(w, writes)
	final := w.needs(together(puts))
	return "WITH " + strings.Join(w.parts, ",\n") + "\nSELECT " + final, w.args //nolint:gosec // the parts are ours, the values are parameters
}

// inOrder is the one order of locking for everybody.
func inOrder(a, b record.Write) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
}

// together returns what the puts need. Several are only together where each
// reaches everything.
func together(puts []*put) record.Needs {
	if len(puts) == 1 {
		return puts[0].needs
	}
	n := record.Needs{Reach: record.Reach{All: true}}
	seen := map[record.Ref]bool{}
	for _, p := range puts {
		for _, ref := range p.needs.Refs {
			if !seen[ref] {
				seen[ref] = true
				n.Refs = append(n.Refs, ref)
			}
		}
	}
	return n
}

func (s *Store) learnSystems(ctx context.Context, writes []record.Write) error {
	names := map[string]struct{}{}
	add := func(r *record.Rows) {
		for i := range r.Tokens {
			names[r.Tokens[i].System] = struct{}{}
		}
		for i := range r.Quantities {
			names[r.Quantities[i].System] = struct{}{}
		}
		for i := range r.Composites {
			names[r.Composites[i].System], names[r.Composites[i].With] = struct{}{}, struct{}{}
		}
	}
	for i := range writes {
		add(&writes[i].Rows)
		if writes[i].Old != nil {
			add(&writes[i].Old.Rows)
		}
	}
	return s.learn(ctx, names)
}

// resources adds the directory, the current rows, the log and the compartments.
func (s *Store) resources(w *statement, actors, reasons any, writes []record.Write) {
	var key, typ, id, patient, version, updated, at, op, off, size, enc, was, by array
	var pKey, pID, pCommune array
	var large values
	for _, a := range []*array{&key, &patient, &version, &updated, &at, &was, &pKey} {
		a.of = int8s
	}
	typ.of, enc.of, off.of, size.of, by.of = int2s, int2s, int4s, int4s, int4s
	id.of, op.of, pID.of, pCommune.of = texts, texts, texts, texts
	bodies := make([]byte, 0, 512*len(writes))
	fresh, again, drop, keep, people := false, false, false, false, false
	for i := range writes {
		x := &writes[i]
		key.int(x.Key)
		typ.int(int64(x.Type))
		id.text(x.ID)
		patient.int(x.Patient)
		version.int(x.Version)
		updated.int(x.Updated.UnixMicro())
		at.int(x.At)
		op.text(x.Op[:1])
		by.int(int64(x.By))
		begun := len(bodies)
		var e int16
		body, splices := large.split(x)
		bodies, e = s.packer.pack(bodies, body, splices)
		off.int(int64(begun) + 1)
		size.int(int64(len(bodies) - begun))
		enc.int(int64(e))
		if x.Old != nil {
			was.int(x.Old.Patient)
			drop = drop || x.Op == "delete" || x.Old.Patient != x.Patient
		} else {
			was.int(-1)
		}
		fresh = fresh || x.Version == 1
		again = again || x.Version > 1
		keep = keep || x.Op != "delete"
		if s.defs.TypeOf(x.Type) == "Patient" && x.Op != "delete" {
			people = true
			pKey.int(x.Key)
			pID.text(x.ID)
			pCommune.text(x.Commune)
		}
	}
	large.to(w, s.packer)
	w.part("x AS MATERIALIZED (SELECT * FROM unnest(" + w.arg(key.arg()) + "::bigint[], " + w.arg(typ.arg()) + "::smallint[], " +
		w.arg(id.arg()) + "::text[], " + w.arg(patient.arg()) + "::bigint[], " + w.arg(version.arg()) + "::bigint[], " +
		w.arg(updated.arg()) + "::bigint[], " + w.arg(at.arg()) + "::bigint[], " + w.arg(op.arg()) + "::text[], " +
		w.arg(off.arg()) + "::int[], " + w.arg(size.arg()) + "::int[], " + w.arg(enc.arg()) + "::smallint[], " + w.arg(was.arg()) + "::bigint[], " +
		w.arg(by.arg()) + "::int[]) AS x(key, type, id, patient, version, updated, at, op, off, size, enc, was, by))")
	body := w.arg(bodies)
	w.part("v AS (INSERT INTO records.versions (" + intoVersions + ")" +
		" SELECT patient, key, type, id, version, updated, (" + w.arg(actors) + "::text[])[by], (" + w.arg(reasons) + "::text[])[by], op::\"char\", enc," +
		" substring(" + body + "::bytea FROM off FOR size) FROM x)")
	if fresh {
		w.part("df AS (INSERT INTO records.directory (" + intoDirectory + ")" +
			" SELECT type, id, key, patient, version, op = 'd' FROM x WHERE version = 1)")
	}
	if again {
		w.part("da AS (UPDATE records.directory d SET patient = x.patient, version = x.version, deleted = x.op = 'd'" +
			" FROM x WHERE x.version > 1 AND d.type = x.type AND d.id = x.id)")
	}
	if drop {
		w.part("cd AS (DELETE FROM records.current c USING x WHERE c.patient = x.was AND c.key = x.key" +
			" AND (x.op = 'd' OR x.was <> x.patient))")
	}
	if keep {
		conflict := ""
		if again {
			conflict = " ON CONFLICT (patient, key) DO UPDATE SET at = excluded.at, version = excluded.version," +
				" updated = excluded.updated, encoding = excluded.encoding, body = excluded.body"
		}
		w.part("ck AS (INSERT INTO records.current (" + intoCurrent + ")" +
			" SELECT patient, key, type, id, at, version, updated, enc, substring(" + body + "::bytea FROM off FOR size)" +
			" FROM x WHERE op <> 'd'" + conflict + ")")
	}
	if people {
		w.part("p AS (INSERT INTO records.compartments (" + intoCompartments + ") SELECT * FROM unnest(" +
			w.arg(pKey.arg()) + "::bigint[], " + w.arg(pID.arg()) + "::text[], " + w.arg(pCommune.arg()) + "::text[])" +
			" ON CONFLICT (patient) DO UPDATE SET commune = excluded.commune WHERE compartments.commune <> excluded.commune)")
	}
}
