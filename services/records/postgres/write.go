package postgres

import (
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
}

func (w *statement) arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

func (w *statement) part(sql string) { w.parts = append(w.parts, sql) }

// Put stores the writes in one statement. Outside a transaction it is one by
// itself.
func (s *Store) Put(ctx context.Context, tx *sql.Tx, by record.Author, writes []record.Write, needs record.Needs) error {
	if len(writes) == 0 {
		return nil
	}
	if err := s.learnSystems(ctx, writes); err != nil {
		return err
	}
	// One order of locking for everybody.
	slices.SortFunc(writes, func(a, b record.Write) int {
		if a.Type != b.Type {
			return int(a.Type) - int(b.Type)
		}
		return strings.Compare(a.ID, b.ID)
	})
	w := &statement{}
	s.resources(w, by, writes)
	s.index(w, writes)
	final := w.needs(needs)
	text := "WITH " + strings.Join(w.parts, ",\n") + "\nSELECT " + final //nolint:gosec // the parts are ours, the values are parameters
	var err error
	if tx == nil {
		if st, perr := s.prepared(ctx, s.db, text); perr != nil { //nolint:sqlclosecheck // it is kept for the next request
			return pg.Fault(perr)
		} else if st != nil {
			_, err = st.ExecContext(ctx, w.args...)
		} else {
			_, err = s.db.ExecContext(ctx, text, w.args...)
		}
	} else {
		_, err = tx.ExecContext(ctx, text, w.args...)
	}
	if tx != nil {
		return err // whoever holds the transaction looks whether to run it again
	}
	if err != nil {
		return pg.Fault(err)
	}
	s.Announce()
	return nil
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
func (s *Store) resources(w *statement, by record.Author, writes []record.Write) {
	var key, typ, id, patient, version, updated, at, op, off, size, enc, was array
	var pKey, pID, pCommune array
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
		begun := len(bodies)
		var e int16
		bodies, e = s.packer.pack(bodies, x.Body)
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
	w.part("x AS MATERIALIZED (SELECT * FROM unnest(" + w.arg(key.arg()) + "::bigint[], " + w.arg(typ.arg()) + "::smallint[], " +
		w.arg(id.arg()) + "::text[], " + w.arg(patient.arg()) + "::bigint[], " + w.arg(version.arg()) + "::bigint[], " +
		w.arg(updated.arg()) + "::bigint[], " + w.arg(at.arg()) + "::bigint[], " + w.arg(op.arg()) + "::text[], " +
		w.arg(off.arg()) + "::int[], " + w.arg(size.arg()) + "::int[], " + w.arg(enc.arg()) + "::smallint[], " + w.arg(was.arg()) + "::bigint[])" +
		" AS x(key, type, id, patient, version, updated, at, op, off, size, enc, was))")
	body := w.arg(bodies)
	w.part("v AS (INSERT INTO records.versions (patient, key, type, id, version, at, actor, reason, op, encoding, body)" +
		" SELECT patient, key, type, id, version, updated, " + w.arg(by.Actor) + "::text, " + w.arg(by.Reason) + "::text, op::\"char\", enc," +
		" substring(" + body + "::bytea FROM off FOR size) FROM x)")
	if fresh {
		w.part("df AS (INSERT INTO records.directory (type, id, key, patient, version, deleted)" +
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
		w.part("ck AS (INSERT INTO records.current (patient, key, type, id, at, version, updated, encoding, body)" +
			" SELECT patient, key, type, id, at, version, updated, enc, substring(" + body + "::bytea FROM off FOR size)" +
			" FROM x WHERE op <> 'd'" + conflict + ")")
	}
	if people {
		w.part("p AS (INSERT INTO records.compartments (patient, id, commune) SELECT * FROM unnest(" +
			w.arg(pKey.arg()) + "::bigint[], " + w.arg(pID.arg()) + "::text[], " + w.arg(pCommune.arg()) + "::text[])" +
			" ON CONFLICT (patient) DO UPDATE SET commune = excluded.commune WHERE compartments.commune <> excluded.commune)")
	}
}
