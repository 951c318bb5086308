package postgres

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/lib/pq"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/record"
)

// Bound returns what lies in a Patient's compartment or refers to the Patient
// by one of the parameters, within reach; the Patient itself is left out. The
// bodies are not read. limit is how many to return at most.
func (s *Store) Bound(ctx context.Context, tx *sql.Tx, patient *record.Stored, params []int16, limit int, r record.Reach) ([]record.Stored, error) {
	var numbers array
	for _, p := range params {
		numbers.int(int64(p))
	}
	q := &sqlText{}
	key := q.arg(patient.Key)
	q.WriteString(`SELECT c.key, c.patient, c.type, c.id FROM (
		SELECT patient, key FROM records.current WHERE patient = ` + key + ` AND ` + q.reach("patient", r) + `
		UNION SELECT t.patient, t.key FROM records.refs t WHERE t.param = ANY(` + q.arg(numbers.arg()) + `::smallint[])
			AND t.target = ` + q.arg(patient.ID) + ` AND t.type = ` + q.arg(patient.Type) + ` AND ` + q.reach("t.patient", r) + `) f
		JOIN records.current c ON c.patient = f.patient AND c.key = f.key WHERE c.key <> ` + key + ` LIMIT ` + q.arg(limit))
	rows, err := s.on(tx).QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []record.Stored
	for rows.Next() {
		var x record.Stored
		if err := rows.Scan(&x.Key, &x.Patient, &x.Type, &x.ID); err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return list, rows.Err()
}

// KeepMerge notes a merge.
func (s *Store) KeepMerge(ctx context.Context, tx *sql.Tx, m record.Merge) error {
	keys, before, after := columns(m.Moved)
	_, err := tx.ExecContext(ctx, `INSERT INTO records.merges (source, target, at, actor, reason, keys, before, after)
		VALUES ($1, $2, $3, $4, $5, $6::bigint[], $7::bigint[], $8::bigint[])`,
		m.Source, m.Target, m.At.UnixMicro(), m.By.Actor, m.By.Reason, keys.arg(), before.arg(), after.arg())
	return err
}

// ExtendMerge adds to a merge what was moved since. Of what was moved before,
// written back and moved again the last move counts, but the two Patients keep
// what they were before the merge.
func (s *Store) ExtendMerge(ctx context.Context, tx *sql.Tx, m *record.Merge, more []record.Moved) error {
	all := slices.Clone(m.Moved)
	places := make(map[int64]int, len(all))
	for i, x := range all {
		places[x.Key] = i
	}
	for _, x := range more {
		i, moved := places[x.Key]
		switch {
		case !moved:
			all = append(all, x)
		case x.Key != m.Source && x.Key != m.Target:
			all[i] = x
		}
	}
	keys, before, after := columns(all)
	_, err := tx.ExecContext(ctx, `UPDATE records.merges SET keys = $2::bigint[], before = $3::bigint[], after = $4::bigint[] WHERE id = $1`,
		m.ID, keys.arg(), before.arg(), after.arg())
	return err
}

func columns(list []record.Moved) (keys, before, after array) {
	for _, x := range list {
		keys.int(x.Key)
		before.int(x.Before)
		after.int(x.After)
	}
	return keys, before, after
}

// OpenMerge returns the merge by which the Patient with the key was replaced
// and which has not been undone, and keeps others from undoing it; nil when
// there is none.
func (s *Store) OpenMerge(ctx context.Context, tx *sql.Tx, source int64) (*record.Merge, error) {
	m := &record.Merge{Source: source}
	var at int64
	var keys, before, after pq.Int64Array
	err := tx.QueryRowContext(ctx, `SELECT id, target, at, keys, before, after FROM records.merges WHERE source = $1 AND undone IS NULL FOR UPDATE`, source).
		Scan(&m.ID, &m.Target, &at, &keys, &before, &after)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(keys) != len(before) || len(keys) != len(after) {
		return nil, fault.New(fault.Internal, "the notes of a merge are not complete", nil)
	}
	m.At = time.UnixMicro(at).UTC()
	for i, k := range keys {
		m.Moved = append(m.Moved, record.Moved{Key: k, Before: before[i], After: after[i]})
	}
	return m, nil
}

// CloseMerge notes that a merge was undone.
func (s *Store) CloseMerge(ctx context.Context, tx *sql.Tx, m *record.Merge, at time.Time, by record.Author) error {
	_, err := tx.ExecContext(ctx, `UPDATE records.merges SET undone = $2, undone_by = $3, tx = pg_current_xact_id() WHERE id = $1`, m.ID, at.UnixMicro(), by.Actor)
	return err
}

// Before returns the versions that a merge replaced, by key, as far as they
// are within reach.
func (s *Store) Before(ctx context.Context, tx *sql.Tx, m *record.Merge, r record.Reach) (map[int64]*record.Stored, error) {
	var keys, versions array
	for _, x := range m.Moved {
		keys.int(x.Key)
		versions.int(x.Before)
	}
	q := &sqlText{}
	q.WriteString(`SELECT ` + versionColumns + ` FROM unnest(` + q.arg(keys.arg()) + `::bigint[], ` + q.arg(versions.arg()) + `::bigint[]) AS n(key, version)
		JOIN records.versions v ON v.key = n.key AND v.version = n.version WHERE ` + q.reach("v.patient", r))
	rows, err := tx.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make(map[int64]*record.Stored, len(m.Moved))
	for rows.Next() {
		x, err := s.scanVersion(rows)
		if err != nil {
			return nil, err
		}
		found[x.Key] = &x
	}
	return found, rows.Err()
}

// Since returns what was created in a compartment after a point in time and
// is still there, at most limit; the bodies are not read.
func (s *Store) Since(ctx context.Context, tx *sql.Tx, patient int64, at time.Time, limit int, r record.Reach) ([]record.Stored, error) {
	q := &sqlText{}
	q.WriteString(`SELECT c.key, c.patient, c.type, c.id FROM records.versions v JOIN records.current c ON c.patient = v.patient AND c.key = v.key
		WHERE v.patient = ` + q.arg(patient) + ` AND v.version = 1 AND v.at > ` + q.arg(at.UnixMicro()) + ` AND ` + q.reach("v.patient", r) +
		` ORDER BY v.seq LIMIT ` + q.arg(limit))
	rows, err := s.on(tx).QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return nil, pg.Fault(err)
	}
	defer rows.Close()
	var list []record.Stored
	for rows.Next() {
		var x record.Stored
		if err := rows.Scan(&x.Key, &x.Patient, &x.Type, &x.ID); err != nil {
			return nil, pg.Fault(err)
		}
		list = append(list, x)
	}
	return list, pg.Fault(rows.Err())
}
