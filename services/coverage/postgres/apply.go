package postgres

import (
	"context"
	"database/sql"
	"slices"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/coverage/readmodel"
)

// state is what a batch touches: loaded, changed in memory, written back.
type state struct {
	persons map[string]readmodel.Person
	uses    map[string]readmodel.Use
	// changed are the ids that must be written.
	changedPersons, changedUses map[string]bool
	deltas                      readmodel.Deltas
}

// Apply implements readmodel.Store: a handful of statements for a batch,
// however large.
func (s *Store) Apply(ctx context.Context, generation int64, b readmodel.Batch) error {
	return pg.InTx(ctx, s.db, sql.LevelReadCommitted, func(tx *sql.Tx) error {
		var cursor, folded string
		if err := tx.QueryRowContext(ctx,
			`SELECT cursor, CASE WHEN folded = '-infinity' THEN '' ELSE folded::text END FROM coverage.generations WHERE id = $1 FOR UPDATE`,
			generation).Scan(&cursor, &folded); err != nil {
			return err
		}
		if cursor != b.From {
			return readmodel.ErrMoved
		}
		if len(b.Facts) > 0 {
			if err := applyPersons(ctx, tx, generation, b.Facts, readmodel.Day(folded)); err != nil {
				return err
			}
			if err := applyFacilities(ctx, tx, generation, b.Facts); err != nil {
				return err
			}
		}
		// Folded once a week is enough.
		if keep := b.Today.Add(0, -readmodel.KeepDays); folded == "" || keep.Add(0, -7) >= readmodel.Day(folded) {
			if err := fold(ctx, tx, generation, keep); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx,
			`UPDATE coverage.generations SET cursor = $2, applied = applied + $3, as_of = greatest(as_of, $4::timestamptz) WHERE id = $1`,
			generation, b.Next, b.Changes, sql.NullTime{Time: b.AsOf, Valid: !b.AsOf.IsZero()})
		return err
	})
}

func applyPersons(ctx context.Context, tx *sql.Tx, generation int64, facts []readmodel.Fact, folded readmodel.Day) error {
	st, err := load(ctx, tx, generation, facts)
	if err != nil {
		return err
	}
	st.count(-1)
	for _, f := range facts {
		if p := f.Person; p != nil {
			merged := *p
			if old, ok := st.persons[p.ID]; ok {
				merged = old.Merge(*p)
			}
			st.persons[p.ID], st.changedPersons[p.ID] = merged, true
		}
		if u := f.Use; u != nil {
			merged := *u
			if old, ok := st.uses[u.ID]; ok {
				merged = old.Merge(*u)
			}
			st.uses[u.ID], st.changedUses[u.ID] = merged, true
		}
	}
	st.count(+1)
	if err := st.savePersons(ctx, tx, generation); err != nil {
		return err
	}
	if err := st.saveUses(ctx, tx, generation); err != nil {
		return err
	}
	return saveCounts(ctx, tx, generation, st.deltas, folded)
}

// count adds the events of everyone in the state to the deltas.
func (st *state) count(sign int) {
	byPatient := map[string][]readmodel.Use{}
	for _, u := range st.uses {
		byPatient[u.Patient] = append(byPatient[u.Patient], u)
	}
	for id, p := range st.persons {
		st.deltas.Add(p, byPatient[id], sign)
	}
}

// load reads every person a fact is about, with all their uses; and of a use
// that moved to another patient, the patient it was of.
func load(ctx context.Context, tx *sql.Tx, generation int64, facts []readmodel.Fact) (*state, error) {
	st := &state{
		persons: map[string]readmodel.Person{}, uses: map[string]readmodel.Use{},
		changedPersons: map[string]bool{}, changedUses: map[string]bool{}, deltas: readmodel.Deltas{},
	}
	var patients, encounters []string
	for _, f := range facts {
		if f.Person != nil {
			patients = append(patients, f.Person.ID)
		}
		if f.Use != nil {
			patients, encounters = append(patients, f.Use.Patient), append(encounters, f.Use.ID)
		}
	}
	if len(encounters) > 0 {
		of, err := tx.QueryContext(ctx, `SELECT patient FROM coverage.uses WHERE generation = $1 AND encounter = ANY($2)`, generation, pq.Array(encounters))
		if err != nil {
			return nil, err
		}
		defer of.Close()
		for of.Next() {
			var p string
			if err := of.Scan(&p); err != nil {
				return nil, err
			}
			patients = append(patients, p)
		}
		if err := of.Err(); err != nil {
			return nil, err
		}
	}
	if len(patients) == 0 {
		return st, nil
	}
	slices.Sort(patients)
	patients = slices.Compact(patients)
	rows, err := tx.QueryContext(ctx, `
		SELECT patient, version, commune, hamlet, birth, created::text, counted FROM coverage.persons
		WHERE generation = $1 AND patient = ANY($2)`, generation, pq.Array(patients))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p readmodel.Person
		if err := rows.Scan(&p.ID, &p.Version, &p.Commune, &p.Hamlet, &p.Birth, &p.Created, &p.Counted); err != nil {
			return nil, err
		}
		st.persons[p.ID] = p
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	uses, err := tx.QueryContext(ctx, `
		SELECT encounter, version, patient, coalesce(day::text, '') FROM coverage.uses
		WHERE generation = $1 AND patient = ANY($2)`, generation, pq.Array(patients))
	if err != nil {
		return nil, err
	}
	defer uses.Close()
	for uses.Next() {
		var u readmodel.Use
		if err := uses.Scan(&u.ID, &u.Version, &u.Patient, &u.Day); err != nil {
			return nil, err
		}
		st.uses[u.ID] = u
	}
	return st, uses.Err()
}

func (st *state) savePersons(ctx context.Context, tx *sql.Tx, generation int64) error {
	var ids, communes, hamlets, births, created []string
	var versions []int64
	var counted []bool
	for id := range st.changedPersons {
		p := st.persons[id]
		ids, versions, communes, hamlets = append(ids, id), append(versions, p.Version), append(communes, p.Commune), append(hamlets, p.Hamlet)
		births, created, counted = append(births, p.Birth), append(created, string(p.Created)), append(counted, p.Counted)
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO coverage.persons (generation, patient, version, commune, hamlet, birth, created, counted)
		SELECT $1::bigint, x.* FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::date[], $8::boolean[]) x
		ON CONFLICT (generation, patient) DO UPDATE SET version = excluded.version, commune = excluded.commune,
			hamlet = excluded.hamlet, birth = excluded.birth, created = excluded.created, counted = excluded.counted`,
		generation, pq.Array(ids), pq.Array(versions), pq.Array(communes), pq.Array(hamlets), pq.Array(births), pq.Array(created), pq.Array(counted))
	return err
}

func (st *state) saveUses(ctx context.Context, tx *sql.Tx, generation int64) error {
	var ids, patients, days []string
	var versions []int64
	for id := range st.changedUses {
		u := st.uses[id]
		ids, versions, patients, days = append(ids, id), append(versions, u.Version), append(patients, u.Patient), append(days, string(u.Day))
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO coverage.uses (generation, encounter, version, patient, day)
		SELECT $1::bigint, e, v, p, NULLIF(d, '')::date FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[]) x(e, v, p, d)
		ON CONFLICT (generation, encounter) DO UPDATE SET version = excluded.version, patient = excluded.patient, day = excluded.day`,
		generation, pq.Array(ids), pq.Array(versions), pq.Array(patients), pq.Array(days))
	return err
}

func saveCounts(ctx context.Context, tx *sql.Tx, generation int64, deltas readmodel.Deltas, folded readmodel.Day) error {
	// Several events fall together once their days are folded.
	sums := readmodel.Deltas{}
	for e, n := range deltas {
		if e.Day <= folded {
			e.Day = "-infinity"
		}
		sums[e] += n
	}
	var indicators, days, communes, hamlets []string
	var ns []int64
	for e, n := range sums {
		if n != 0 {
			indicators, days, ns = append(indicators, e.Indicator), append(days, string(e.Day)), append(ns, int64(n))
			communes, hamlets = append(communes, e.Commune), append(hamlets, e.Hamlet)
		}
	}
	if len(ns) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO coverage.counts (generation, indicator, day, commune, hamlet, n)
		SELECT $1::bigint, x.* FROM unnest($2::text[], $3::date[], $4::text[], $5::text[], $6::bigint[]) x
		ON CONFLICT (generation, indicator, day, commune, hamlet) DO UPDATE SET n = counts.n + excluded.n`,
		generation, pq.Array(indicators), pq.Array(days), pq.Array(communes), pq.Array(hamlets), pq.Array(ns))
	return err
}

// fold adds up the days until keep, so that a report reads the same number of
// rows after ten years as after one.
func fold(ctx context.Context, tx *sql.Tx, generation int64, keep readmodel.Day) error {
	if _, err := tx.ExecContext(ctx, `
		WITH gone AS (
			DELETE FROM coverage.counts WHERE generation = $1 AND day > '-infinity' AND day <= $2::date
			RETURNING indicator, commune, hamlet, n)
		INSERT INTO coverage.counts (generation, indicator, day, commune, hamlet, n)
		SELECT $1::bigint, indicator, '-infinity', commune, hamlet, sum(n) FROM gone GROUP BY indicator, commune, hamlet
		ON CONFLICT (generation, indicator, day, commune, hamlet) DO UPDATE SET n = counts.n + excluded.n`,
		generation, string(keep)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE coverage.generations SET folded = $2::date WHERE id = $1`, generation, string(keep))
	return err
}
